"""One case of a statement: a graph, a transition matrix, epsilon, and the law of the roots."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from causal_theory.certificates import Certificate, certify_edge_scores
from causal_theory.errors import GraphError
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.priors import OrbitPrior
from causal_theory.tasks import InContextTask, RootLaw
from causal_theory.validation import check_choice, check_epsilon, check_transition_matrix

Number = float | Fraction


@dataclass(frozen=True)
class Instance:
    """A graph, a transition matrix, epsilon, and the law of the roots.

    The prior is the orbit of the matrix. Scores and informations do not depend on the names of the symbols, so that
    they are those of the matrix itself.

    Parameters
    ----------
    graph : CausalGraph
        A forest with an independent query.
    transition : tuple of tuples of float or Fraction, shape (S, S)
        The transition matrix.
    epsilon : float or Fraction
        The constant inside the logarithm of the loss, greater than 0.
    root_law : {"stationary", "uniform"}, default "stationary"
        The law of the roots.

    Raises
    ------
    GraphError
        If ``graph`` is not a CausalGraph.
    TransitionError
        If ``transition`` is not a transition matrix with at least two symbols.
    InvalidArgumentError
        If ``epsilon`` is not a positive number or ``root_law`` is unknown.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from causal_theory import CausalGraph
    >>> from causal_theory.falsification import Instance
    >>> p = Fraction(1, 3)
    >>> instance = Instance(CausalGraph.chain(3), ((1 - p, p), (p, 1 - p)), Fraction(1, 100))
    >>> instance
    Instance(parents=[-1, 0], transition=[2/3 1/3; 1/3 2/3], epsilon=1/100, root_law='stationary')
    >>> instance.certificate.holds
    False
    """

    graph: CausalGraph
    transition: tuple[tuple[Number, ...], ...]
    epsilon: Number
    root_law: RootLaw = "stationary"

    @default_floats
    def __post_init__(self) -> None:
        """Refuse what no engine could evaluate."""
        if not isinstance(self.graph, CausalGraph):
            raise GraphError(f"graph must be a CausalGraph, got {type(self.graph).__name__}")
        check_epsilon(self.epsilon)
        check_choice("root_law", self.root_law, ("stationary", "uniform"))
        check_transition_matrix("transition", np.array(self.transition, dtype=np.float64))

    @cached_property
    @default_floats
    def task(self) -> InContextTask:
        """The task under the orbit of the matrix."""
        return InContextTask(self.graph, OrbitPrior(np.array(self.transition, dtype=np.float64)), self.root_law)

    @cached_property
    def certificate(self) -> Certificate:
        """Scores, limits and informations in rational arithmetic; floats are made rational first."""
        return certify_edge_scores(self.graph, self.transition, self.epsilon, root_law=self.root_law)

    @property
    def parents(self) -> list[int]:
        """The parent of each context position, -1 for a root."""
        return [entry[0] if entry else -1 for entry in self.graph.parents[:-1]]

    @property
    def matrix_text(self) -> str:
        """The matrix on one line, rows apart by semicolons."""
        return "; ".join(" ".join(number_text(entry) for entry in row) for row in self.transition)

    @property
    def code(self) -> str:
        """Python that certifies the instance again."""
        rows = ", ".join("[" + ", ".join(repr(number_text(p)) for p in row) + "]" for row in self.transition)
        law = "" if self.root_law == "stationary" else ", root_law='uniform'"
        return (
            f"certify_edge_scores(CausalGraph.from_parents({self.parents}), [{rows}], "
            f"{number_text(self.epsilon)!r}{law})"
        )

    def __repr__(self) -> str:
        """Return one line with everything."""
        return (
            f"Instance(parents={self.parents}, transition=[{self.matrix_text}], "
            f"epsilon={number_text(self.epsilon)}, root_law={self.root_law!r})"
        )


def number_text(value: Number) -> str:
    """Return a fraction in full, or all digits that decide a float."""
    return str(value) if isinstance(value, Fraction) else repr(float(value))
