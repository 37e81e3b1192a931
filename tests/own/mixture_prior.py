"""A prior of a user's own: a mixture of two Dirichlet laws."""

import numpy as np

from causal_theory.priors import Prior


class Mixture(Prior):
    """With probability ``share`` all rows are Dirichlet with the first concentration, else with the second."""

    def __init__(self, symbols=3, concentration=0.5, other=4.0, share=0.3):
        self.symbols, self.concentration, self.other, self.share = symbols, concentration, other, share

    @property
    def vocab_size(self):
        return self.symbols

    @property
    def mean(self):
        return np.full((self.symbols, self.symbols), 1 / self.symbols)

    def sample(self, size, rng=None):
        return self._rows((size, self.symbols), np.random.default_rng(rng))

    def _rows(self, shape, rng):
        first = rng.random(shape[0]) < self.share
        levels = np.where(first, self.concentration, self.other).reshape(-1, *[1] * len(shape))
        rows = rng.standard_gamma(np.broadcast_to(levels, (*shape, self.symbols)))
        return rows / rows.sum(axis=-1, keepdims=True)


class MixtureOfTensors(Mixture):
    """The same with a transition tensor for every number of parents."""

    in_degrees = None

    def sample_transitions(self, size, in_degrees, rng=None):
        rng = np.random.default_rng(rng)
        return {k: self._rows((size, *[self.symbols] * k), rng) for k in in_degrees}


class MixtureOfFewDraws(Mixture):
    """The same, averaged over four draws whoever asks."""

    def rule(self, in_degrees=(1,), *, draws=4, rng=None):
        return super().rule(in_degrees, draws=4, rng=rng)
