"""A prior of somebody's own, in a file of its own: what a user writes."""

import numpy as np

from causal_theory.priors import Prior


class TwoDirichlets(Prior):
    """With probability ``share`` all rows are Dirichlet with the first concentration, else with the second."""

    def __init__(self, vocab_size, concentrations, share):
        self.size, self.concentrations, self.share = vocab_size, tuple(concentrations), share

    @property
    def vocab_size(self):
        return self.size

    @property
    def mean(self):
        return np.full((self.size, self.size), 1 / self.size)

    def sample(self, size, rng=None):
        return self._rows((size, self.size), np.random.default_rng(rng))

    def _rows(self, shape, rng):
        first = rng.random(shape[0]) < self.share
        levels = np.where(first, *self.concentrations).reshape(-1, *[1] * len(shape))
        rows = rng.standard_gamma(np.broadcast_to(levels, (*shape, self.size)))
        return rows / rows.sum(axis=-1, keepdims=True)


class TwoDirichletTensors(TwoDirichlets):
    """The same with a transition tensor for every number of parents."""

    in_degrees = None

    def sample_transitions(self, size, in_degrees, rng=None):
        rng = np.random.default_rng(rng)
        return {k: self._rows((size, *[self.size] * k), rng) for k in in_degrees}
