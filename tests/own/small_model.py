"""A model of a user's own: the law of the next token by the query alone, beside a head that looks one token back."""

import numpy as np

from causal_theory.models import Axis, MatrixView, TrainableModel


class Small(TrainableModel):
    """``softmax(bias + weights[q])`` for the query q."""

    def __init__(self, length, vocab_size, scale=0.0, rng=None, parameters=None):
        self._shape = (length, vocab_size)
        size = vocab_size * (vocab_size + 1)
        self._flat = np.zeros(size) if parameters is None else np.array(parameters, dtype=np.float64)
        if scale:
            self._flat += scale * np.random.default_rng(rng).standard_normal(size)
        self._flat.setflags(write=False)

    @property
    def length(self):
        return self._shape[0]

    @property
    def vocab_size(self):
        return self._shape[1]

    @property
    def parameters(self):
        return self._flat

    @property
    def shapes(self):
        return {"bias": (self.vocab_size,), "weights": (self.vocab_size, self.vocab_size)}

    def with_parameters(self, parameters):
        return type(self)(*self._shape, parameters=parameters)

    def forward(self, tokens):
        return self._laws(self._flat, self.check_tokens(tokens))

    def gradient_at(self, parameters, tokens, targets):
        laws = self._laws(parameters, tokens)
        slopes = (laws - targets) / len(tokens)
        weights = np.zeros((self.vocab_size, self.vocab_size))
        np.add.at(weights, tokens[:, -1], slopes)
        return -(targets * np.log(laws)).sum(axis=1), np.concatenate([slopes.sum(axis=0), weights.ravel()])

    def first_attention(self, tokens):
        before = np.eye(self.length, k=-1)
        before[0, 0] = 1.0
        return before[np.newaxis]

    def views(self):
        return [MatrixView("logits", self.matrices()["weights"], Axis("query symbol"), Axis("next symbol"))]

    def _laws(self, parameters, tokens):
        size = self.vocab_size
        logits = parameters[:size] + parameters[size:].reshape(size, size)[tokens[:, -1]]
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)
