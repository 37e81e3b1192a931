"""A prior replaced by a few draws from it, fixed once."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.priors.base import Prior
from causal_theory.priors.batches import Batches, MatrixBatches, is_single_parent, root_laws
from causal_theory.priors.laws import draw_laws, renamed
from causal_theory.priors.rules import DEFAULT_DRAWS, Draws, Rule
from causal_theory.provenance import fingerprint
from causal_theory.validation import SeedLike, as_generator, check_integer, check_memory


class DrawnPrior(Prior, draws_laws=True, kind="drawn"):
    """A few draws from a prior, which are equally likely under it; all their relabelings if that is symmetric.

    Expectations are averages over the draws, with the standard error that such an average has as an estimate of the
    expectation under the prior. Every quantity is averaged over the same draws: the noise of two of them is common, and
    a loss falls along a descent on its gradient. Where the average over the names of the symbols is known in closed
    form, as for the gradient of stage 2, it is taken under a symmetric prior, so that a few draws break no symmetry.

    Parameters
    ----------
    prior : Prior
        What to draw from. There are draws for the numbers of parents that it has tensors for, or for one parent when it
        has them for all.
    draws : int
        Number of draws, at least 2.
    rng : seed or numpy Generator, optional
        Source of randomness; fresh entropy when None.

    Raises
    ------
    InvalidArgumentError
        If ``prior`` is no prior or ``draws`` is not an integer of at least 2.

    Examples
    --------
    >>> from causal_theory import CausalGraph, DirichletPrior, InContextTask, loss_floor
    >>> prior = DirichletPrior(3, 1.0).fixed(8, rng=0)
    >>> prior
    DrawnPrior(DirichletPrior(3, 1), 8)
    >>> task = InContextTask(CausalGraph.chain(6), prior)
    >>> float(loss_floor(task)) == float(loss_floor(task)), loss_floor(task).method
    (True, 'monte_carlo')
    """

    def __init__(self, prior: Prior, draws: int, rng: SeedLike = None) -> None:
        if not isinstance(prior, Prior):
            raise InvalidArgumentError(f"prior must be a Prior, got {type(prior).__name__}")
        self._prior = prior
        self._draws = check_integer("draws", draws, 2)
        degrees = (1,) if prior.in_degrees is None else prior.in_degrees
        self._stacks = draw_laws(prior, self._draws, degrees, as_generator(rng))
        for stack in self._stacks.values():
            stack.setflags(write=False)

    def __repr__(self) -> str:
        """Show the prior and the number of draws."""
        return f"{type(self).__name__}({self._prior!r}, {self._draws})"

    @override
    def facts(self) -> dict[str, object]:
        which = "all relabelings of" if self.symmetric else "one of"
        return {"law": f"{which} {self._draws} draws from {self._prior!r}"}

    @property
    @override
    def vocab_size(self) -> int:
        return self._prior.vocab_size

    @property
    @override
    def symmetric(self) -> bool:
        return self._prior.symmetric

    @property
    @override
    def in_degrees(self) -> tuple[int, ...]:
        return tuple(self._stacks)

    @property
    @override
    def smoothing(self) -> float:
        return self._prior.smoothing

    @property
    def matrices(self) -> NDArray[np.float64]:
        """The draws of one parent, read-only, shape (draws, S, S)."""
        self.require_transitions((1,))
        return self._stacks[1]

    @property
    def stacks(self) -> Mapping[int, NDArray[np.float64]]:
        """The draws by number of parents, read-only, shapes ``(draws,) + (S,) * k + (S,)``."""
        return self._stacks

    @override
    def rule(self, in_degrees: Sequence[int] = (1,), *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None) -> Rule:
        return Draws(partial(self._stacks_of, tuple(in_degrees)), self.symmetric)

    def _stacks_of(self, in_degrees: tuple[int, ...]) -> dict[int, NDArray[np.float64]]:
        return {k: self._stacks[k] for k in in_degrees}

    @override
    def batches(self, graph: CausalGraph, root_law: str) -> Batches:
        self.require_transitions(graph.in_degrees)
        if not is_single_parent(graph):
            return super().batches(graph, root_law)
        return MatrixBatches(graph, self.matrices, root_laws(self.matrices, root_law), renamed=self.symmetric)

    @override
    def identity(self) -> dict[str, Any]:
        names = {k: "matrices" if k == 1 else f"tensors of {k} parents" for k in self._stacks}
        return self._named(**{names[k]: fingerprint(stack) for k, stack in self._stacks.items()})

    @override
    def fixed(self, draws: int, rng: SeedLike = None) -> Prior:
        return self

    @override
    def to_dict(self) -> dict[str, Any]:
        stacks = {str(parents): stack.tolist() for parents, stack in self._stacks.items()}
        return {"kind": self._kind, "symbols": self.vocab_size, "prior": self._prior.to_dict(), "draws": stacks}

    @property
    @override
    @default_floats
    def mean(self) -> NDArray[np.float64]:
        if not self.symmetric:
            average: NDArray[np.float64] = self.matrices.mean(axis=0)
            return average
        size = self.vocab_size
        diagonal = float(np.trace(self.matrices, axis1=1, axis2=2).mean()) / size
        result = np.full((size, size), (1.0 - diagonal) / (size - 1))
        np.fill_diagonal(result, diagonal)
        return result

    @override
    @default_floats
    def sample(self, size: int, rng: SeedLike = None) -> NDArray[np.float64]:
        return self.sample_transitions(size, (1,), rng)[1]

    @override
    @default_floats
    def sample_transitions(
        self, size: int, in_degrees: Sequence[int], rng: SeedLike = None
    ) -> dict[int, NDArray[np.float64]]:
        count = check_integer("size", size, 1)
        self.require_transitions(in_degrees)
        entries = sum(self.vocab_size ** (k + 1) for k in in_degrees)
        check_memory(f"{count} draws from {self!r}", 8 * count * entries)
        generator = as_generator(rng)
        picked = generator.integers(self._draws, size=count)
        if not self.symmetric:
            return {k: self._stacks[k][picked] for k in in_degrees}
        order = generator.permuted(np.tile(np.arange(self.vocab_size), (count, 1)), axis=1)
        return {k: renamed(self._stacks[k][picked], order) for k in in_degrees}
