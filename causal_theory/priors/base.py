"""What every prior offers, and what those built on one matrix share."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from causal_theory.errors import TaskError, TransitionError
from causal_theory.floats import default_floats
from causal_theory.notebook import array_block, block, facts
from causal_theory.priors.verdicts import (
    SYMMETRY,
    AssumptionCheck,
    AssumptionReport,
    drawn_lower_bound,
    drawn_non_degeneracy,
    matrix_lower_bound,
    matrix_mean,
    matrix_non_degeneracy,
    matrix_symmetry,
)
from causal_theory.validation import SeedLike, as_generator, check_integer, check_kernel, check_kernels

__all__ = ["Kernels", "MatrixPrior", "Prior", "draw_laws", "renamed"]

Kernels = Mapping[int, NDArray[np.float64]]
"""A kernel for each number of parents k: shape ``(S,) * k + (S,)``, the last axis a law of the child."""

SHOWN = 4
"""Matrices with at most this many symbols are printed in full."""


class Prior(ABC):
    """A law of the transition matrix ``pi``. Priors are immutable and compare by identity.

    Rows that a prior of your own draws may sum to one up to 1e-10, as in matrices that are given; they are normalised
    before anything is computed, and `moved` remembers by how much.
    """

    _draws_laws: ClassVar[bool] = False
    """Whether what this very class draws are laws, up to the last place, which needs no check."""

    _short_names: ClassVar[dict[type, str]] = {}
    """Classes that have a name on the command line and in JSON."""

    def __init_subclass__(cls, *, draws_laws: bool = False, kind: str | None = None, **kwargs: Any) -> None:
        """Trust the draws of a class that says so itself; its subclasses may draw in another way."""
        super().__init_subclass__(**kwargs)
        cls._draws_laws = draws_laws
        if kind is not None:
            cls._short_names[cls] = kind

    def _repr_html_(self) -> str:
        moved = {"rows normalised": f"entries moved by up to {self.moved:.2g}"} if self.moved else {}
        return block(facts(repr(self), {"symbols S": self.vocab_size} | self._facts() | moved))

    @property
    def moved(self) -> float:
        """The largest distance between a number that was given and the one that is used; 0.0 if there is none.

        Rows that are laws, whose exact sum rounds to one, are used as they are. Others are accepted within 1e-10 and
        normalised. For a prior of your own this is the largest distance among the draws used so far in this process.
        """
        found: float = vars(self).get("_moved", 0.0)
        return found

    def _facts(self) -> dict[str, object]:
        """Return what a notebook shows beside the number of symbols: names and values."""
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
    def symmetric(self) -> bool:
        """Whether relabeling the symbols is known to leave the law of ``pi`` unchanged; False unless overridden.

        Averages over draws of a symmetric prior are taken over the names of the symbols in closed form where one is
        known, which takes away noise.
        """
        return False

    @property
    def smoothing(self) -> float:
        """The constant of the counts rules that fits the prior: 1 unless overridden."""
        return 1.0

    def assumptions(self, *, draws: int = 1000, rng: SeedLike = 0) -> AssumptionReport:
        """Check the four assumptions of the theory; see :func:`causal_theory.check_assumptions`.

        Parameters
        ----------
        draws : int
            Number of matrices drawn where the verdict, or its witness, comes from draws.
        rng : seed or numpy Generator, optional
            Source of these draws.

        Returns
        -------
        AssumptionReport
            Unless overridden: the verdict on the mean is exact, symmetry is refuted by a mean that is not symmetric,
            and draws can refute the two bounds. What is neither proved nor refuted is open.
        """
        matrices = draw_laws(self, check_integer("draws", draws, 1), (1,), as_generator(rng))[1]
        symmetry = matrix_symmetry(self.mean, "E[pi]")
        if self.symmetric:
            symmetry = AssumptionCheck("symmetry", SYMMETRY, True, 0.0, "stated by the prior")
        elif symmetry.holds:
            symmetry = AssumptionCheck("symmetry", SYMMETRY, None, symmetry.value, f"not refuted: {symmetry.witness}")
        return AssumptionReport(
            drawn_lower_bound(matrices), drawn_non_degeneracy(matrices), symmetry, matrix_mean(self.mean)
        )

    def fixed(self, draws: int, rng: SeedLike = None) -> "Prior":
        """Return the prior whose averages are over matrices that are drawn once.

        Parameters
        ----------
        draws : int
            Number of matrices, at least 2.
        rng : seed or numpy Generator, optional
            Source of these draws.

        Returns
        -------
        Prior
            A `DrawnPrior`; the prior itself when its averages are exact.
        """
        from causal_theory.priors.drawn import DrawnPrior

        return DrawnPrior(self, draws, rng)

    def to_dict(self) -> dict[str, Any]:
        """Return what the prior is, in terms of JSON.

        Returns
        -------
        dict
            The kind, and what else determines the law. Of a class of your own: ``module:Class``, the number of
            symbols, and what its constructor took, as far as public attributes of the same names hold it.

        Examples
        --------
        >>> from causal_theory import DirichletPrior, OrbitPrior
        >>> DirichletPrior(3, 0.5).to_dict()
        {'kind': 'dirichlet', 'symbols': 3, 'concentration': 0.5, 'floor': 0.0}
        >>> OrbitPrior([[0.9, 0.1], [0.2, 0.8]]).to_dict()
        {'kind': 'orbit', 'transition': [[0.9, 0.1], [0.2, 0.8]]}
        """
        taken = [name for name in inspect.signature(type(self)).parameters if name != "vocab_size"]
        content = {name: _plain(getattr(self, name)) for name in taken if hasattr(self, name)}
        return {"kind": self._kind, "symbols": self.vocab_size} | content | self._moved_rows

    @property
    def _kind(self) -> str:
        """The name of the very class among the priors of the package, or where it is defined."""
        cls = type(self)
        return self._short_names.get(cls, f"{cls.__module__}:{cls.__qualname__}")

    @property
    def _moved_rows(self) -> dict[str, float]:
        return {"moved": self.moved} if self.moved else {}

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


def _plain(value: Any) -> Any:
    """Return a value in terms of JSON."""
    if isinstance(value, Prior):
        return value.to_dict()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _distance(given: ArrayLike, used: NDArray[np.float64]) -> float:
    return float(np.abs(used - np.asarray(given, dtype=np.float64)).max())


def renamed(kernels: NDArray[np.float64], orders: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a stack of kernels with the symbols of each in another order, along all axes alike.

    Examples
    --------
    >>> renamed(np.array([[[0.9, 0.1], [0.2, 0.8]]]), np.array([[1, 0]])).tolist()
    [[[0.8, 0.2], [0.1, 0.9]]]
    """
    count, size = orders.shape
    parents = kernels.ndim - 2
    rows = np.arange(len(kernels)).reshape(-1, *[1] * (parents + 1))
    axes = (orders.reshape(count, *[1] * axis, size, *[1] * (parents - axis)) for axis in range(parents + 1))
    drawn: NDArray[np.float64] = kernels[(rows, *axes)]
    return drawn


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

    @default_floats
    def _repr_html_(self) -> str:
        moved = f", rows normalised (entries moved by up to {self._moved:.2g})" if self._moved else ""
        caption = f"{type(self).__name__}: {self._description()}{moved}"
        if not self._given_as_mapping:
            return block(array_block(caption, self.transition))
        blocks = (
            array_block(f"{parents} {'parent' if parents == 1 else 'parents'}", kernel.reshape(-1, self.vocab_size))
            for parents, kernel in self._kernels.items()
        )
        return block(facts(caption, {"symbols S": self.vocab_size}), *blocks)

    def _description(self) -> str:
        """Return what the matrix is for, in words."""
        return "rows are laws of the child of a symbol"

    @override
    def fixed(self, draws: int, rng: SeedLike = None) -> Prior:
        return self

    @override
    def to_dict(self) -> dict[str, Any]:
        whole: Any = {str(parents): kernel.tolist() for parents, kernel in self._kernels.items()}
        given = whole if self._given_as_mapping else whole["1"]
        return {"kind": self._kind, "transition": given} | self._moved_rows

    @override
    def assumptions(self, *, draws: int = 1000, rng: SeedLike = 0) -> AssumptionReport:
        matrix = self.transition
        return AssumptionReport(
            matrix_lower_bound(matrix), matrix_non_degeneracy(matrix), self._symmetry(), matrix_mean(self.mean)
        )

    def _symmetry(self) -> AssumptionCheck:
        return matrix_symmetry(self.transition)

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
