"""What every prior offers, and what those built on one matrix share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.display import Shown
from causal_theory.errors import TaskError, TransitionError
from causal_theory.floats import default_floats
from causal_theory.validation import SeedLike, check_integer, check_kernel, check_kernels

__all__ = ["Kernels", "MatrixPrior", "Prior", "draw_laws"]

Kernels = Mapping[int, NDArray[np.float64]]
"""A kernel for each number of parents k: shape ``(S,) * k + (S,)``, the last axis a law of the child."""

SHOWN = 4
"""Matrices with at most this many symbols are printed in full."""


class Prior(Shown, ABC):
    """A law of the transition matrix ``pi``. Priors are immutable and compare by identity.

    Rows that a prior of your own draws may sum to one up to 1e-10, as in matrices that are given; they are normalised
    before anything is computed, and `moved` remembers by how much.
    """

    _draws_laws: ClassVar[bool] = False
    """Whether what this very class draws are laws, up to the last place, which needs no check."""

    def __init_subclass__(cls, *, draws_laws: bool = False, **kwargs: Any) -> None:
        """Trust the draws of a class that says so itself; its subclasses may draw in another way."""
        super().__init_subclass__(**kwargs)
        cls._draws_laws = draws_laws

    @property
    def moved(self) -> float:
        """The largest distance between a number that was given and the one that is used; 0.0 if there is none.

        Rows that are laws, whose exact sum rounds to one, are used as they are. Others are accepted within 1e-10 and
        normalised. For a prior of your own this is the largest distance among the draws used so far in this process.
        """
        found: float = vars(self).get("_moved", 0.0)
        return found

    def facts(self) -> dict[str, object]:
        """Return what a notebook shows beside the number of symbols.

        Returns
        -------
        dict
            Names and values.
        """
        return {}

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """S, the number of symbols."""

    @property
    @abstractmethod
    def mean(self) -> NDArray[np.float64]:
        """The expectation of ``pi`` in closed form, shape (S, S)."""

    @property
    def representative(self) -> NDArray[np.float64] | None:
        """The matrix at which every label-invariant quantity equals its expectation; None if there is none."""
        return None

    @property
    def representative_kernels(self) -> Kernels | None:
        """Like ``representative``, for every number of parents that the prior has a kernel for."""
        return None

    @property
    def in_degrees(self) -> tuple[int, ...] | None:
        """The numbers of parents that the prior has a kernel for; None when it has one for every number."""
        return (1,)

    def require_kernels(self, in_degrees: Sequence[int]) -> None:
        """Raise unless the prior has a kernel for each of some numbers of parents.

        Parameters
        ----------
        in_degrees : sequence of int
            Numbers of parents.

        Raises
        ------
        TaskError
            If one has no kernel.

        Examples
        --------
        >>> from causal_theory import PointPrior
        >>> PointPrior([[0.9, 0.1], [0.2, 0.8]]).require_kernels((1, 2))
        Traceback (most recent call last):
        causal_theory.errors.TaskError: prior must have a kernel for every number of parents in the graph, ...
        """
        known = self.in_degrees
        missing = [] if known is None else [degree for degree in in_degrees if degree not in known]
        if known is not None and missing:
            raise TaskError(
                f"prior must have a kernel for every number of parents in the graph, got none for "
                f"{', '.join(map(str, missing))} (it has {', '.join(map(str, known))}); give PointPrior or OrbitPrior "
                f"a mapping such as {{{missing[0]}: kernel}}, or use a DirichletPrior, which has them all"
            )

    def sample_kernels(
        self, size: int, in_degrees: Sequence[int], rng: SeedLike = None
    ) -> dict[int, NDArray[np.float64]]:
        """Draw independent kernels, one for each number of parents.

        Parameters
        ----------
        size : int
            Number of draws, at least 1.
        in_degrees : sequence of int
            Numbers of parents.
        rng : seed or numpy Generator, optional
            Source of randomness; fresh entropy when None.

        Returns
        -------
        dict of int to ndarray
            For k parents an array of shape ``(size,) + (S,) * k + (S,)``; possibly a read-only view.

        Raises
        ------
        InvalidArgumentError
            If ``size`` is not a positive integer or ``rng`` is no seed.
        TaskError
            If there is no kernel for one of the numbers.
        """
        self.require_kernels(in_degrees)
        return {degree: self.sample(size, rng) for degree in in_degrees}

    @abstractmethod
    def sample(self, size: int, rng: SeedLike = None) -> NDArray[np.float64]:
        """Draw independent matrices.

        Parameters
        ----------
        size : int
            Number of draws, at least 1.
        rng : seed or numpy Generator, optional
            Source of randomness; fresh entropy when None.

        Returns
        -------
        ndarray of shape (size, S, S)
            ``[n, a, b] = P(child = b | parent = a)`` in draw n; possibly a read-only view.

        Raises
        ------
        InvalidArgumentError
            If ``size`` is not a positive integer or ``rng`` is no seed.
        """


def draw_laws(
    prior: Prior, size: int, in_degrees: Sequence[int], rng: SeedLike = None
) -> dict[int, NDArray[np.float64]]:
    """Draw kernels for some numbers of parents, as `Prior.sample_kernels` does, and make sure that they are laws.

    Raises
    ------
    TransitionError
        If a prior of somebody's own draws arrays of another shape, or rows that are no laws within 1e-10.
    """
    single = tuple(in_degrees) == (1,)
    drawn = {1: prior.sample(size, rng)} if single else prior.sample_kernels(size, in_degrees, rng)
    if prior._draws_laws:
        return drawn
    laws, moved = {}, prior.moved
    for k in in_degrees:
        shape = (size,) + (prior.vocab_size,) * (k + 1)
        laws[k] = check_kernels(f"the draws of {type(prior).__name__} for {k} parents", drawn[k], shape)
        moved = max(moved, _distance(drawn[k], laws[k]))
    vars(prior)["_moved"] = moved
    return laws


def _distance(given: ArrayLike, used: NDArray[np.float64]) -> float:
    return float(np.abs(used - np.asarray(given, dtype=np.float64)).max())


class MatrixPrior(Prior, draws_laws=True):
    """A prior given by one matrix, or one kernel for each number of parents, which are its representative too."""

    @default_floats
    def __init__(self, transition: ArrayLike | Mapping[int, ArrayLike]) -> None:
        self._given_as_mapping = isinstance(transition, Mapping)
        given = transition if isinstance(transition, Mapping) else {1: transition}
        if not given:
            raise TransitionError("transition must hold at least one kernel, got an empty mapping")
        kernels: dict[int, NDArray[np.float64]] = {}
        self._moved = 0.0
        for parents in sorted(check_integer("numbers of parents in transition", key, 1) for key in given):
            name = f"transition[{parents}]" if self._given_as_mapping else "transition"
            kernel = check_kernel(name, given[parents], parents)
            kernel.setflags(write=False)
            self._moved = max(self._moved, _distance(given[parents], kernel))
            kernels[parents] = kernel
        sizes = {parents: len(kernel) for parents, kernel in kernels.items()}
        if len(set(sizes.values())) > 1:
            raise TransitionError(f"transition must have kernels on the same symbols, got S by parents: {sizes}")
        self._kernels: Kernels = MappingProxyType(kernels)
        self._size = next(iter(sizes.values()))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the definition only."""
        definition = (dict(self._kernels) if self._given_as_mapping else self._kernels[1],)
        return type(self), definition, {"_moved": self._moved}

    @default_floats
    def __repr__(self) -> str:
        """Show a small matrix to four digits, the size of a larger one and of kernels."""
        size = self.vocab_size
        moved = f", moved={self._moved:.1e}" if self._moved else ""
        if self._given_as_mapping:
            parts = (f"{parents}: {'x'.join([str(size)] * (parents + 1))} kernel" for parents in self._kernels)
            return f"{type(self).__name__}({{{', '.join(parts)}}}{moved})"
        shown = f"{size}x{size} matrix"
        if size <= SHOWN:
            rows = ("[" + ", ".join(f"{p:.4g}" for p in row) + "]" for row in self.transition)
            shown = "[" + ", ".join(rows) + "]"
        return f"{type(self).__name__}({shown}{moved})"

    @property
    def description(self) -> str:
        """What the matrix is for, in words."""
        return "rows are laws of the child of a symbol"

    @property
    def transition(self) -> NDArray[np.float64]:
        """The matrix, read-only, shape (S, S): the kernel of one parent.

        Raises
        ------
        TransitionError
            If there is none.
        """
        if 1 not in self._kernels:
            raise TransitionError(
                f"a transition matrix is a kernel of one parent, got a prior with kernels for "
                f"{', '.join(map(str, self._kernels))} parents only"
            )
        return self._kernels[1]

    @property
    def kernels(self) -> Kernels:
        """The kernels by number of parents, read-only, shapes ``(S,) * k + (S,)``."""
        return self._kernels

    @property
    def given_as_mapping(self) -> bool:
        """Whether the prior was given as a mapping from numbers of parents to kernels."""
        return self._given_as_mapping

    @property
    def in_degrees(self) -> tuple[int, ...]:
        """The numbers of parents that the prior has a kernel for."""
        return tuple(self._kernels)

    @property
    def vocab_size(self) -> int:
        """S, the number of symbols."""
        return self._size

    @property
    def representative(self) -> NDArray[np.float64] | None:
        """The matrix, read-only, shape (S, S); None when there are kernels of several parents only."""
        return self._kernels.get(1)

    @property
    def representative_kernels(self) -> Kernels:
        """The kernels."""
        return self._kernels
