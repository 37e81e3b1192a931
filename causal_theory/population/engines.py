"""Choose how the expectations of a task are computed: one engine for any graph, faster ones for forests.

An engine hands out plans: what to evaluate at transition tensors. The prior averages them.
"""

from functools import cached_property, partial
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.errors import TaskError
from causal_theory.pair_structure import PairStructure, pair_structure
from causal_theory.population.any_graph_pairs import divergences_of_pairs, joints_of_pairs
from causal_theory.population.enumeration import (
    check_sequences,
    enumerated_loss,
    enumerated_scores,
    joined_gradient,
    mean_gradient_over_names,
)
from causal_theory.population.forest_construction import (
    forest_along,
    forest_levels_of,
    forest_loss,
    forest_slopes,
    forest_windows,
)
from causal_theory.population.forest_counting import (
    counting_along_edges,
    counting_of_tokens,
    entropy_floor,
    forest_counting,
)
from causal_theory.population.forest_limit import limit_at
from causal_theory.population.forest_pairs import (
    forest_divergences,
    forest_joints,
    joint_error,
    mean_joint_over_names,
    roundoff_of_laws,
)
from causal_theory.population.names import heads_ignore_labels, ignores_labels, mean_over_relabelings
from causal_theory.population.several_parents.baselines import counting_loss, entropy_at, token_counting_loss
from causal_theory.population.several_parents.construction import (
    construction_along,
    construction_loss,
    construction_slopes,
    pattern_levels,
    row_windows,
)
from causal_theory.population.several_parents.moments import MAX_STATES, Transfers, prepare_transfers
from causal_theory.population.transform import transform_scores
from causal_theory.population.work_items import LOCAL, Workers
from causal_theory.priors.rules import Plan, Transitions
from causal_theory.tasks import InContextTask

Array = NDArray[np.float64]


def choose_engine(task: InContextTask, caller: str) -> "AnyGraph":
    """Return the fastest engine that is right for a task.

    Parameters
    ----------
    task : InContextTask
        The task.
    caller : str
        The public function, for messages.

    Returns
    -------
    AnyGraph
        Or one of those that inherit from it: `Forest` where all tokens follow one matrix along a forest, `QueryForest`
        where the last of them is an independent query besides.

    Examples
    --------
    >>> from causal_theory import CausalGraph, DirichletPrior, InContextTask
    >>> prior = DirichletPrior(3, 1.0)
    >>> [type(choose_engine(InContextTask(graph, prior), "example")).__name__
    ...     for graph in (CausalGraph.chain(6), CausalGraph.ngram(6, 1), CausalGraph.ngram(6, 2))]
    ['QueryForest', 'Forest', 'AnyGraph']
    """
    known = task.prior.in_degrees
    if not (task.graph.is_forest and (known is None or 1 in known)):
        return AnyGraph(task, caller)
    return QueryForest(task, caller) if task.graph.has_query else Forest(task, caller)


class AnyGraph:
    """Exact expectations on any graph: by transfers along its frontier where that is narrow, else by elimination.

    Parameters
    ----------
    task : InContextTask
        The task.
    caller : str
        The public function, for messages.
    """

    def __init__(self, task: InContextTask, caller: str) -> None:
        self.task, self._caller = task, caller

    @cached_property
    def _transfers(self) -> Transfers:
        return prepare_transfers(self.task, self._caller)

    def _plan(self, function: Any, *arguments: Any, **names: Any) -> Plan:
        """Return the plan of a function of the transition tensors, its last argument."""
        return Plan(partial(function, *arguments), self.task.graph.in_degrees, **names)

    def divergences(self, code: int) -> Plan:
        """Plan a divergence for all pairs of tokens, (T, T)."""
        self._require_tensors()
        relative = roundoff_of_laws(self.task)
        return self._plan(divergences_of_pairs, self.task, code, relative, label_invariant=True)

    def joints(self) -> Plan:
        """Plan the joint laws of all pairs of tokens, (T, T, S, S)."""
        self._require_tensors()
        return self._plan(_joints_with_errors, self.task, over_names=mean_joint_over_names)

    def _refuse(self) -> NoReturn:
        self.task.require_query(self._caller)
        self.task.prior.require_transitions((1,))
        raise TaskError(f"{self._caller} needs a forest with an independent query, got {self.task.graph!r}")

    def _require_tensors(self) -> None:
        if self.task.prior.in_degrees == (1,):
            self.task.require_forest(self._caller)

    def scores(self, epsilon: float, workers: Workers = LOCAL, into: tuple[Array, Array] | None = None) -> Plan:
        """Plan the edge scores, (T, T), computed by some workers, into arrays of zeros if they are given."""
        self._refuse()

    def enumerated_scores(self, epsilon: float, max_sequences: int) -> Plan:
        """Plan the edge scores as sums over all sequences, (T, T)."""
        self._refuse()

    def limit_scores(self, epsilon: float) -> Plan:
        """Plan the limit of the edge scores, (T, T)."""
        self._refuse()

    def enumerated_loss(self, A1: Array, A2: Array, epsilon: float, max_sequences: int) -> Plan:
        """Plan the population loss as a sum over all sequences."""
        self._refuse()

    def enumerated_gradient(self, A1: Array, A2: Array, epsilon: float, max_sequences: int) -> Plan:
        """Plan the gradients and the loss as sums over all sequences, joined into one array."""
        self._refuse()

    def construction(self, A2: Array, epsilon: float) -> Plan:
        """Plan the loss of the model that attends to the parents, with second matrices (k, S, S)."""
        windows = row_windows(A2, self._transfers, epsilon)
        invariant = heads_ignore_labels(A2)
        return self._plan(construction_loss, self._transfers, windows, epsilon, label_invariant=invariant)

    def construction_slopes(self, A2: Array, epsilon: float) -> Plan:
        """Plan the derivative of that loss by the matrices and, last, the loss, (k S^2 + 1,)."""
        windows = row_windows(A2, self._transfers, epsilon)
        return self._plan(construction_slopes, self._transfers, windows, epsilon, over_names=_mean_slopes_of(A2))

    def along(self, pattern: Array, multiple: float, epsilon: float) -> Plan:
        """Plan loss, slope and a bound on the fourth derivative at a multiple of a pattern (k, S, S)."""
        windows, levels = (
            row_windows(multiple * pattern, self._transfers, epsilon),
            pattern_levels(pattern, self._transfers),
        )
        invariant = heads_ignore_labels(pattern)
        return self._plan(construction_along, self._transfers, windows, epsilon, levels, label_invariant=invariant)

    def floor(self) -> Plan:
        """Plan the entropy floor."""
        if self.task.graph.has_query:
            return Plan(partial(_at_matrix, entropy_floor), label_invariant=True)
        return self._plan(entropy_at, self.task, label_invariant=True)

    def excess(self, A2: Array, epsilon: float, shift: float) -> Plan:
        """Plan the loss of the model that attends to the parents, less the floor, plus a constant."""
        loss, floor = self.construction(A2, epsilon), self.floor()
        return self._plan(_difference, loss, floor, shift, label_invariant=loss.label_invariant)

    def counting(self, smoothing: float, slots: tuple[int, ...]) -> Plan:
        """Plan the loss of counting what followed the query's tokens at some parent slots."""
        return self._plan(counting_loss, self._transfers, smoothing, slots, label_invariant=True)

    def token_counting(self, smoothing: float) -> Plan:
        """Plan the loss of counting tokens."""
        return self._plan(token_counting_loss, self._transfers, smoothing, label_invariant=True)


class Forest(AnyGraph):
    """All tokens follow one transition matrix along a forest: pairs in closed form along its paths."""

    def _at_matrix(self, function: Any, *arguments: Any, **names: Any) -> Plan:
        """Return the plan of a function of the transition matrix, its last argument."""
        return Plan(partial(_at_matrix, partial(function, *arguments)), **names)

    @cached_property
    def _structure(self) -> PairStructure:
        return pair_structure(self.task.graph, stationary=self.task.root_law == "stationary")

    @override
    def divergences(self, code: int) -> Plan:
        return self._at_matrix(forest_divergences, self.task, self._structure, code, label_invariant=True)

    @override
    def joints(self) -> Plan:
        return self._at_matrix(forest_joints, self.task, self._structure, over_names=mean_joint_over_names)


class QueryForest(Forest):
    """The last token of a forest is an independent query: messages along its edges, on long chains powers."""

    @cached_property
    def _is_long_chain(self) -> bool:
        """Whether the engine for any graph is faster, because it takes many equal steps at once."""
        parents, size = self.task.graph.parent_array[:-1], self.task.vocab_size
        # Short chains need not be prepared to know it, and those with very many symbols cannot be.
        if size * self.task.length.bit_length() > self.task.length or size**2 > MAX_STATES:
            return False
        if not ((parents < 0) | (parents == np.arange(-1, len(parents) - 1))).all():
            return False
        return self._transfers.tables.repeated[1] > 0

    @override
    def scores(self, epsilon: float, workers: Workers = LOCAL, into: tuple[Array, Array] | None = None) -> Plan:
        scores = partial(transform_scores, workers=workers, into=into)
        return self._at_matrix(scores, self.task, epsilon, label_invariant=True)

    @override
    def enumerated_scores(self, epsilon: float, max_sequences: int) -> Plan:
        check_sequences(self.task, max_sequences, "method='transform'")
        return self._at_matrix(enumerated_scores, self.task, epsilon, label_invariant=True)

    @override
    def limit_scores(self, epsilon: float) -> Plan:
        structure = pair_structure(self.task.graph, stationary=True)
        return self._at_matrix(limit_at, self.task, structure, epsilon, label_invariant=True, rarest=epsilon)

    @override
    def enumerated_loss(self, A1: Array, A2: Array, epsilon: float, max_sequences: int) -> Plan:
        check_sequences(self.task, max_sequences, "method='monte_carlo'")
        return self._at_matrix(enumerated_loss, self.task, A1, A2, epsilon, label_invariant=ignores_labels(A2))

    @override
    def enumerated_gradient(self, A1: Array, A2: Array, epsilon: float, max_sequences: int) -> Plan:
        check_sequences(self.task, max_sequences, "method='monte_carlo'")
        over_names = partial(mean_gradient_over_names, A1, A2) if ignores_labels(A2) else None
        return self._at_matrix(joined_gradient, self.task, A1, A2, epsilon, over_names=over_names)

    @override
    def construction(self, A2: Array, epsilon: float) -> Plan:
        if self._is_long_chain:
            return super().construction(A2, epsilon)
        windows = forest_windows(self.task, A2[0], epsilon)
        return self._at_matrix(forest_loss, self.task, windows, epsilon, label_invariant=ignores_labels(A2[0]))

    @override
    def construction_slopes(self, A2: Array, epsilon: float) -> Plan:
        if self._is_long_chain:
            return super().construction_slopes(A2, epsilon)
        windows = forest_windows(self.task, A2[0], epsilon)
        return self._at_matrix(forest_slopes, self.task, windows, epsilon, over_names=_mean_slopes_of(A2))

    @override
    def along(self, pattern: Array, multiple: float, epsilon: float) -> Plan:
        if self._is_long_chain:
            return super().along(pattern, multiple, epsilon)
        windows = forest_windows(self.task, multiple * pattern[0], epsilon)
        invariant, levels = ignores_labels(pattern[0]), forest_levels_of(pattern[0])
        return self._at_matrix(forest_along, self.task, windows, epsilon, levels, label_invariant=invariant)

    @override
    def counting(self, smoothing: float, slots: tuple[int, ...]) -> Plan:
        if slots != (0,) or self._is_long_chain:
            return super().counting(smoothing, slots)
        return self._at_matrix(forest_counting, counting_along_edges(self.task, smoothing), label_invariant=True)

    @override
    def token_counting(self, smoothing: float) -> Plan:
        if self._is_long_chain:
            return super().token_counting(smoothing)
        return self._at_matrix(forest_counting, counting_of_tokens(self.task, smoothing), label_invariant=True)


def with_heads(A2: Array) -> Array:
    """Return second matrices (k, S, S), one of which may have come without the first axis."""
    return A2[np.newaxis] if A2.ndim == 2 else A2


def _at_matrix(function: Any, transitions: Transitions) -> Any:
    return function(transitions[1])


def _joints_with_errors(task: InContextTask, transitions: Transitions) -> tuple[Array, Array]:
    joint = joints_of_pairs(task, transitions)
    return joint, joint_error(task, joint)


def _difference(loss: Plan, floor: Plan, shift: float, transitions: Transitions) -> tuple[Array, Array]:
    """Return one quantity less another at the same tensors, plus a constant."""
    first, first_error = loss.evaluate(transitions)
    second, second_error = floor.evaluate(transitions)
    return first - second + shift, first_error + second_error


def _mean_slopes_of(A2: Array) -> Any:
    return partial(_mean_slopes, A2.shape) if heads_ignore_labels(A2) else None


def _mean_slopes(shape: tuple[int, ...], joined: Array) -> Array:
    """Return the average over relabelings of derivatives by matrices and, last, a loss."""
    heads = joined[:-1].reshape(shape)
    return np.append([mean_over_relabelings(head) for head in heads], joined[-1])
