"""The base of all priors: what a law of the transition matrix must say of itself, and what follows from that."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from causal_theory.choices import brief
from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.priors.laws import draw_laws, plain, require_tensors
from causal_theory.priors.rules import DEFAULT_DRAWS, Draws, Plan, Rule
from causal_theory.priors.verdicts import AssumptionReport, drawn_report
from causal_theory.provenance import fingerprint
from causal_theory.validation import SeedLike, as_generator, check_integer, check_matrix, check_transition_tensors

if TYPE_CHECKING:
    from causal_theory.priors.batches import Batches


class Prior(Shown, ABC):
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

    def __repr__(self) -> str:
        """Return what the constructor took, as far as it is known."""
        told = {name: value for name, value in self.to_dict().items() if name not in ("kind", "moved")}
        return f"{type(self).__name__}({', '.join(f'{name}={brief(value)}' for name, value in told.items())})"

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
    def symmetric(self) -> bool:
        """Whether relabeling the symbols is known to leave the law of ``pi`` unchanged; False unless overridden.

        Averages over draws of a symmetric prior are taken over the names of the symbols in closed form where one is
        known, which takes away noise.
        """
        return False

    def rule(self, in_degrees: Sequence[int] = (1,), *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None) -> Rule:
        """Return how expectations over the prior are formed: over independent draws unless overridden.

        Parameters
        ----------
        in_degrees : sequence of int
            Numbers of parents whose transition tensors are needed.
        draws : int
            Number of draws, at least 2, where the average is over draws.
        rng : seed or numpy Generator, optional
            Source of these draws.

        Returns
        -------
        Rule
            Its kind is known without drawing anything.

        Raises
        ------
        InvalidArgumentError
            If the average is over draws and ``draws`` is less than 2 or ``rng`` is no seed.
        """
        count, generator = check_integer("draws", draws, 2), as_generator(rng)
        return Draws(partial(draw_laws, self, count, in_degrees, generator), self.symmetric)

    @default_floats
    def average(self, plan: Plan, *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None) -> Estimate:
        """Return the expectation of a quantity when the transition tensors are drawn from the prior.

        Parameters
        ----------
        plan : Plan
            The quantity.
        draws : int
            As for :meth:`rule`.
        rng : seed or numpy Generator, optional
            As for :meth:`rule`.

        Returns
        -------
        Estimate
            Exact, by quadrature or over draws: as the rule of the prior does it.

        Raises
        ------
        TaskError
            If the prior has no transition tensor for a number of parents that the plan needs.

        Examples
        --------
        >>> import numpy as np
        >>> from causal_theory import OrbitPrior
        >>> from causal_theory.priors import Plan
        >>> def stays(transitions):
        ...     return np.trace(transitions[1]), np.array(1e-16)
        >>> found = OrbitPrior([[0.9, 0.1], [0.2, 0.8]]).average(Plan(stays, label_invariant=True))
        >>> round(float(found), 12), found.method
        (1.7, 'exact')
        """
        return self.rule_for(plan, draws=draws, rng=rng).average(plan)

    def rule_for(self, plan: Plan, *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None) -> Rule:
        """Return :meth:`rule` for a quantity, or refuse a rule without the tensors that it needs.

        Parameters
        ----------
        plan : Plan
            The quantity.
        draws : int
            As for :meth:`rule`.
        rng : seed or numpy Generator, optional
            As for :meth:`rule`.

        Returns
        -------
        Rule
            As the prior gives it.

        Raises
        ------
        TaskError
            If the prior has no transition tensor for a number of parents that the plan needs.
        InvalidArgumentError
            If what :meth:`rule` returns is no rule, or its tensors are no laws of so many parents.
        """
        self.require_transitions(plan.in_degrees)
        rule = self.rule(plan.in_degrees, draws=draws, rng=rng)
        if not isinstance(rule, Rule):
            raise InvalidArgumentError(f"rule of {type(self).__name__} must return a Rule, got {type(rule).__name__}")
        require_tensors(rule.known, self.vocab_size, plan.in_degrees)
        return rule

    def batches(self, graph: CausalGraph, root_law: str) -> "Batches":
        """Return a source of sequences for training: unless overridden one that calls `sample` for blocks of them.

        Parameters
        ----------
        graph : CausalGraph
            The graph.
        root_law : {"stationary", "uniform"}
            The law of the roots.

        Returns
        -------
        Batches
            The same sequence for the same number, whatever the batch.
        """
        from causal_theory.priors.batches import SampledBatches

        return SampledBatches(self, graph, root_law)

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
        size = check_integer(f"vocab_size of {type(self).__name__}", self.vocab_size, 2)
        mean = check_matrix(f"mean of {type(self).__name__}", self.mean, (size, size))
        check_transition_tensors(f"mean of {type(self).__name__}", mean, mean.shape)
        matrices = draw_laws(self, check_integer("draws", draws, 1), (1,), as_generator(rng))[1]
        return drawn_report(mean, matrices, stated_symmetric=self.symmetric)

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
        content = {name: plain(getattr(self, name)) for name in taken if hasattr(self, name)}
        return {"kind": self._kind, "symbols": self.vocab_size} | content | self._moved_rows

    def identity(self) -> dict[str, Any]:
        """Return what tells the prior from others in the record of a run, in terms of JSON; arrays by fingerprint.

        Returns
        -------
        dict
            Of a class of your own: what `to_dict` says, and the fingerprint of two draws with a fixed seed, which also
            tell priors apart that keep their arguments to themselves.
        """
        degrees = (1,) if self.in_degrees is None else self.in_degrees
        drawn = draw_laws(self, 2, degrees, 0)
        looks = {f"draws for {k} parents": fingerprint(tensors) for k, tensors in drawn.items()}
        content = {name: value for name, value in self.to_dict().items() if name != "kind"}
        return self._named(**content, **looks)

    def _named(self, **content: Any) -> dict[str, Any]:
        return {"kind": type(self).__name__, "vocab_size": self.vocab_size} | content

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
    def given_as_mapping(self) -> bool:
        """Whether the prior was given as a mapping from numbers of parents to transition tensors."""
        return False

    @property
    def mean_ratio_exists(self) -> bool:
        """Whether ``E[pi_aa / mu_a]`` is finite for every symbol; True unless overridden."""
        return True

    @property
    def in_degrees(self) -> tuple[int, ...] | None:
        """The numbers of parents that the prior has a transition tensor for; None when it has one for every number."""
        return (1,)

    def require_transitions(self, in_degrees: Sequence[int]) -> None:
        """Raise unless the prior has a transition tensor for each of some numbers of parents.

        Parameters
        ----------
        in_degrees : sequence of int
            Numbers of parents.

        Raises
        ------
        TaskError
            If one has no transition tensor.

        Examples
        --------
        >>> from causal_theory import PointPrior
        >>> PointPrior([[0.9, 0.1], [0.2, 0.8]]).require_transitions((1, 2))
        Traceback (most recent call last):
        causal_theory.errors.TaskError: prior must have a transition tensor for every number of parents ...
        """
        known = self.in_degrees
        missing = [] if known is None else [degree for degree in in_degrees if degree not in known]
        if known is not None and missing:
            raise TaskError(
                f"prior must have a transition tensor for every number of parents in the graph, got none for "
                f"{', '.join(map(str, missing))} (it has {', '.join(map(str, known))}); give PointPrior or OrbitPrior "
                f"a mapping such as {{{missing[0]}: transition tensor}}, or use a DirichletPrior, which has them all"
            )

    def sample_transitions(
        self, size: int, in_degrees: Sequence[int], rng: SeedLike = None
    ) -> dict[int, NDArray[np.float64]]:
        """Draw independent transition tensors, one for each number of parents.

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
            If there is no transition tensor for one of the numbers.
        """
        self.require_transitions(in_degrees)
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
