"""Models of a user's own, in one file."""

import numpy as np

from causal_theory.models import Axis, MatrixView, TrainableModel


class Bigram(TrainableModel):
    """``softmax(bias + weights[q])`` for the query q; what stands before the query does not matter."""

    fails_at = None
    """Step at which training is interrupted, for tests."""

    def __init__(self, length, vocab_size, parameters=None):
        self._shape = (length, vocab_size)
        flat = np.zeros(vocab_size * (vocab_size + 1)) if parameters is None else np.array(parameters, dtype=np.float64)
        flat.setflags(write=False)
        self._flat = flat

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
        return type(self)(*self._shape, parameters)

    def forward(self, tokens):
        return self._laws(self._flat, self.check_tokens(tokens))

    def gradient_at(self, parameters, tokens, targets):
        if self.fails_at is not None:
            type(self).fails_at -= 1
            if self.fails_at < 0:
                raise KeyboardInterrupt
        laws = self._laws(parameters, tokens)
        slopes = (laws - targets) / len(tokens)
        weights = np.zeros((self.vocab_size, self.vocab_size))
        np.add.at(weights, tokens[:, -1], slopes)
        return -(targets * np.log(laws)).sum(axis=1), np.concatenate([slopes.sum(axis=0), weights.ravel()])

    def views(self):
        return [MatrixView("logits", self.matrices()["weights"], Axis("query symbol"), Axis("next symbol"))]

    def _laws(self, parameters, tokens):
        size = self.vocab_size
        logits = parameters[:size] + parameters[size:].reshape(size, size)[tokens[:, -1]]
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)


class Constant(TrainableModel):
    """The same law whatever the sequence, with nothing but what a model must have."""

    def __init__(self, length, vocab_size, logits=None):
        self._length, self._logits = length, np.zeros(vocab_size) if logits is None else np.asarray(logits)

    @property
    def length(self):
        return self._length

    @property
    def vocab_size(self):
        return len(self._logits)

    @property
    def parameters(self):
        return self._logits

    def with_parameters(self, parameters):
        return Constant(self._length, len(self._logits), np.array(parameters))

    def forward(self, tokens):
        weights = np.exp(self._logits - self._logits.max())
        return np.tile(weights / weights.sum(), (len(tokens), 1))

    def gradient_at(self, parameters, tokens, targets):
        laws = self.with_parameters(parameters).forward(tokens)
        return -(targets * np.log(laws)).sum(axis=1), (laws - targets).mean(axis=0)


class WithAttention(Constant):
    """The same with a first layer of two heads: one attends to the token before, one to all."""

    def with_parameters(self, parameters):
        return WithAttention(self._length, len(self._logits), np.array(parameters))

    def first_attention(self, tokens):
        before = np.eye(self._length, k=-1)
        before[0, 0] = 1.0
        seen = np.tril(np.ones((self._length, self._length)))
        return np.array([before, seen / seen.sum(axis=1, keepdims=True)])
