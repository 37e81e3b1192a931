"""The in-context task: a causal graph, a law of the transition tensors, a law of the roots, and an exact sampler."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_theory.chains import closed_classes, laws_of
from causal_theory.display import Shown, show
from causal_theory.errors import TaskError, TransitionError
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.priors.base import Prior
from causal_theory.priors.sequences import RootLaw, draw_sequences
from causal_theory.validation import SeedLike, as_generator, check_choice, check_integer, check_transition_matrix
from causal_theory.wording import count

__all__ = ["InContextTask", "RootLaw", "Sample"]

SHOWN, SHOWN_TOKENS, SHOWN_SYMBOLS = 5, 30, 6
"""Sequences, tokens and symbols that a notebook shows of a sample."""


MATRICES = (list, tuple, np.ndarray)
"""What may be a matrix that was given in place of a prior."""

ORDER = "; the graph comes first, InContextTask(graph, prior)"

SEVERAL_PARENTS = (
    "For other graphs, and a prior with their transition tensors, there are pairwise_information, subset_information, "
    "parent_attention_loss, counts_rule_loss, sampling and train_sgd"
)
"""The remedy in messages of functions for forests."""


class Sample(NamedTuple):
    """Independent sequences.

    Attributes
    ----------
    tokens : ndarray of int64, shape (n, T)
        Symbols 0..S-1; the query is the last column.
    targets : ndarray of shape (n, S)
        The soft label: the row of the transition tensor at the target's parents.
    transitions : ndarray of shape (n, S, S), or (n, S, ..., S, S)
        The transition tensor that the target of each sequence follows: with one parent, the query, the transition
        matrix. For a point prior a read-only view.
    """

    tokens: NDArray[np.int64]
    targets: NDArray[np.float64]
    transitions: NDArray[np.float64]

    def __repr__(self) -> str:
        """Return one line with the sizes."""
        sequences = count(len(self.tokens), "sequence")
        return f"Sample({sequences} of {self.tokens.shape[1]} tokens over {self.targets.shape[1]} symbols)"

    def _repr_html_(self) -> str:
        return show(self)


@dataclass(frozen=True)
class InContextTask(Shown):
    """Sequences of tokens that follow a causal graph, with a transition matrix drawn anew for each sequence.

    Draw ``pi`` from the prior. A root is drawn from the stationary law of ``pi`` or uniformly, a child from
    ``pi[parent]``. A last position that is a root is the query: uniform whatever the root law, and independent of
    all else. The target is the soft label ``y = pi[query]``.

    With several parents there is a transition tensor for each number of parents in place of ``pi``: a child with the
    parents ``p_1, ..., p_k`` is drawn from ``pi_k[s_p1, ..., s_pk]``, roots are uniform, and the target is ``y =
    pi_k[tokens at target_parents]``.

    Parameters
    ----------
    graph : CausalGraph
        The latent graph on T positions.
    prior : Prior
        The law of the transition matrix on S symbols.
    root_law : {"stationary", "uniform"}, optional
        The law of the roots. By default ``"stationary"`` when every position and the target have at most one parent,
        else ``"uniform"``; also ``"uniform"`` when the prior was given as a mapping from numbers of parents.

    Raises
    ------
    TaskError
        If ``graph`` or ``prior`` has the wrong type, a mapping has no transition tensor for a number of parents in the
        graph, or roots shall be stationary although a position has several parents.
    InvalidArgumentError
        If ``root_law`` is unknown.
    TransitionError
        If roots are stationary and the matrix of the prior has no unique stationary law.

    Examples
    --------
    >>> from causal_theory.priors import DirichletPrior
    >>> task = InContextTask(CausalGraph.chain(8), DirichletPrior(3, 1.0))
    >>> task.length, task.vocab_size
    (8, 3)
    >>> sample = task.sample(5, rng=0)
    >>> sample.tokens.shape, sample.targets.shape, sample.transitions.shape
    ((5, 8), (5, 3), (5, 3, 3))
    >>> InContextTask(CausalGraph.ngram(8, 2), DirichletPrior(3, 1.0)).sample(5, rng=0).transitions.shape
    (5, 3, 3, 3)
    """

    graph: CausalGraph
    prior: Prior
    root_law: RootLaw | None = None

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not isinstance(self.graph, CausalGraph):
            fix = "; CausalGraph.from_parents(parents) makes one" if isinstance(self.graph, list | tuple) else ""
            fix = ORDER if hasattr(self.graph, "vocab_size") else fix
            raise TaskError(f"graph must be a CausalGraph, got {type(self.graph).__name__}{fix}")
        if not isinstance(self.prior, Prior):
            fix = "; PointPrior(matrix) and OrbitPrior(matrix) make one" if isinstance(self.prior, MATRICES) else ""
            raise TaskError(
                "prior must be a PointPrior, OrbitPrior, DirichletPrior or of another subclass of Prior, got "
                f"{type(self.prior).__name__}{fix}"
            )
        check_integer(f"vocab_size of {type(self.prior).__name__}", self.prior.vocab_size, 2)
        mapped = self.prior.given_as_mapping
        if mapped:
            # A plain matrix may stand for a graph with several parents where only the graph matters.
            self.prior.require_transitions(self.graph.in_degrees)
        if self.root_law is None:
            chosen = "stationary" if self.is_single_parent and not mapped else "uniform"
            object.__setattr__(self, "root_law", chosen)
        check_choice("root_law", self.root_law, ("stationary", "uniform"))
        if self.root_law == "stationary" and not self.is_single_parent:
            raise TaskError(
                'root_law must be "uniform" for a graph with several parents, whose tensors have no stationary law, '
                f'got "stationary" for {self.graph!r}'
            )
        matrix = self.prior.representative
        if self.root_law == "stationary" and matrix is not None:
            classes = closed_classes(matrix)
            if len(classes) > 1:
                raise TransitionError(
                    'root_law must be "uniform" for a matrix without a unique stationary law, got "stationary" '
                    f"and {len(classes)} closed classes of symbols: {', '.join(map(str, classes))}"
                )

    @property
    def length(self) -> int:
        """T, the number of tokens of a sequence, the query included."""
        return self.graph.length

    @property
    def vocab_size(self) -> int:
        """S, the number of symbols."""
        return self.prior.vocab_size

    @property
    def is_single_parent(self) -> bool:
        """Whether every position and the target have at most one parent: the setting of the theorem."""
        return max(self.graph.in_degrees) <= 1

    @default_floats
    def root_distribution(self, pi: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the law of a root of the context.

        Parameters
        ----------
        pi : ndarray of shape (S, S)
            The transition matrix.

        Returns
        -------
        ndarray of shape (S,)
            The stationary law of ``pi``, or the uniform law.

        Raises
        ------
        TransitionError
            If ``pi`` is not an (S, S) transition matrix, or roots are stationary and it has several closed classes.

        Examples
        --------
        >>> from causal_theory import PointPrior
        >>> task = InContextTask(CausalGraph.chain(4), PointPrior([[0.5, 0.5], [0.25, 0.75]]))
        >>> task.root_distribution(task.prior.mean)
        array([0.33333333, 0.66666667])
        """
        matrix = check_transition_matrix("pi", pi)
        if len(matrix) != self.vocab_size:
            raise TransitionError(f"pi must have {self.vocab_size} symbols as the task has, got {len(matrix)}")
        return root_law_at(self, matrix)

    def require_forest(self, method_name: str) -> None:
        """Raise unless every position has at most one parent.

        Parameters
        ----------
        method_name : str
            The caller, for the message.

        Raises
        ------
        TaskError
            If a position has several parents.

        Examples
        --------
        >>> from causal_theory import PointPrior
        >>> task = InContextTask(CausalGraph.from_parents([-1, -1, (0, 1)]), PointPrior([[0.5, 0.5], [0.5, 0.5]]))
        >>> task.require_forest("edge_scores")
        Traceback (most recent call last):
        causal_theory.errors.TaskError: edge_scores needs a graph in which every position has at most one parent; ...
        """
        several = [i for i, entry in enumerate(self.graph.parents) if len(entry) > 1]
        if several:
            raise TaskError(
                f"{method_name} needs a graph in which every position has at most one parent; "
                f"position {several[0]} has the parents {self.graph.parents[several[0]]}. {SEVERAL_PARENTS}"
            )

    def require_query(self, method_name: str) -> None:
        """Raise unless the graph is a forest whose last position is an independent query.

        Parameters
        ----------
        method_name : str
            The caller, for the message.

        Raises
        ------
        TaskError
            If a position has several parents, the last position is not a root, or the target depends on anything
            but the last position.

        Examples
        --------
        >>> from causal_theory import PointPrior
        >>> InContextTask(CausalGraph.pairs(6), PointPrior([[0.5, 0.5], [0.5, 0.5]])).require_query("edge_scores")
        """
        self.require_forest(method_name)
        if not self.graph.has_query:
            raise TaskError(
                f"{method_name} needs an independent query: a last position without parents, and a target that "
                f"depends on it alone; position {self.length - 1} has the parents {self.graph.parents[-1]} "
                f"and target_parents is {self.graph.target_parents}. {SEVERAL_PARENTS}"
            )

    @default_floats
    def sample(self, size: int, rng: SeedLike = None) -> Sample:
        """Draw independent sequences from the exact law, each with its own transition matrix.

        Parameters
        ----------
        size : int
            Number of sequences, at least 1.
        rng : seed or numpy Generator, optional
            Source of randomness; fresh entropy when None. The same seed gives the same sequences.

        Returns
        -------
        Sample
            ``tokens`` (n, T), ``targets`` (n, S), ``transitions`` (n, S, S).

        Raises
        ------
        InvalidArgumentError
            If ``size`` is not a positive integer or ``rng`` is no seed.
        TaskError
            If the prior has no transition tensor for a number of parents in the graph.
        TransitionError
            If roots are stationary and a drawn matrix has several closed classes in floating point.
        """
        count = check_integer("size", size, 1)
        generator = as_generator(rng)
        return Sample(*draw_sequences(self.prior, self.graph, self.root_law, count, generator))

    def batches(self, batch_size: int, rng: SeedLike = None) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Return batches of fresh sequences without end, drawn as training draws them: several times as fast.

        The sequences have numbers, and each of them random numbers of its own: they are the same for every
        ``batch_size`` and any number of threads.

        Parameters
        ----------
        batch_size : int
            Sequences to a batch, at least 1.
        rng : seed or numpy Generator, optional
            Source of randomness; fresh entropy when None. The same seed gives the same sequences, others than `sample`.

        Returns
        -------
        iterator of (tokens, targets)
            Arrays of their own: symbols 0..S-1, int64, shape (n, T), with the query in the last column, and the laws
            of the targets, shape (n, S).

        Raises
        ------
        InvalidArgumentError
            If ``batch_size`` is not a positive integer or ``rng`` is no seed.
        TaskError
            If the prior has no transition tensor for a number of parents in the graph.
        TransitionError
            If roots are stationary and a drawn matrix has several closed classes in floating point.

        Examples
        --------
        >>> from causal_theory import PointPrior
        >>> task = InContextTask(CausalGraph.chain(4), PointPrior([[0.5, 0.5], [0.25, 0.75]]))
        >>> tokens, targets = next(task.batches(100, rng=0))
        >>> tokens.shape, targets.shape
        ((100, 4), (100, 2))
        """
        size = check_integer("batch_size", batch_size, 1)
        self.prior.require_transitions(self.graph.in_degrees)
        keys = as_generator(rng).integers(2**64, size=2, dtype=np.uint64)
        source = self.prior.batches(self.graph, str(self.root_law))

        def draw(first: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
            tokens, targets = np.zeros((size, self.length), dtype=np.int64), np.zeros((size, self.vocab_size))
            source.draw(keys, first, tokens, targets)
            return tokens, targets

        return map(draw, itertools.count(0, size))


def _join(tokens: NDArray[np.int64]) -> str:
    """Return the tokens of a context, a long one by its end."""
    dots = "… " if len(tokens) > SHOWN_TOKENS else ""
    return dots + " ".join(map(str, tokens[-SHOWN_TOKENS:].tolist()))


def root_law_at(task: InContextTask, transition: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the law of a root, as `InContextTask.root_distribution`, of a matrix that is known to be a law."""
    if task.root_law == "uniform":
        return np.full(task.vocab_size, 1.0 / task.vocab_size)
    law: NDArray[np.float64] = laws_of(transition[np.newaxis])[0]
    return law
