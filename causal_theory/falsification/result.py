"""The result of a search: a counterexample with its certificate, or the extent of what was searched."""

from dataclasses import dataclass
from fractions import Fraction

from causal_theory.certificates import Certificate
from causal_theory.display import Shown
from causal_theory.falsification.instance import Instance, number_text
from causal_theory.falsification.rational import ExactCheck
from causal_theory.falsification.statements import Statement

LONG = 24
"""Fractions with more characters are shown as decimals too."""


@dataclass(frozen=True)
class Counterexample(Shown):
    """An instance on which a statement fails, proved in rational arithmetic.

    Attributes
    ----------
    instance : Instance
        Graph, matrix of fractions, epsilon and law of the roots.
    family : str
        The family of the graph.
    certificate : Certificate
        Scores, limits and informations as fractions; ``verify_certificate`` checks it by a second route.
    margin : Fraction
        The certified margin, below zero.
    assumptions : tuple of ExactCheck
        What the matrix satisfies, decided in rational arithmetic. Symmetry holds for every orbit.
    """

    instance: Instance
    family: str
    certificate: Certificate
    margin: Fraction
    assumptions: tuple[ExactCheck, ...]

    @property
    def violated(self) -> tuple[str, ...]:
        """Names of the assumptions that do not hold, for the constant kept or else for any."""
        return tuple(check.name for check in self.assumptions if not check.holds)

    def __repr__(self) -> str:
        """Return one line with the size, the matrix and the margin."""
        graph = self.instance.graph
        return (
            f"Counterexample({self.family}, length={graph.length}, symbols={len(self.instance.transition)}, "
            f"transition=[{self.instance.matrix_text}], epsilon={number_text(self.instance.epsilon)}, "
            f"margin={margin_text(self.margin)})"
        )


@dataclass(frozen=True)
class SearchResult(Shown):
    """The outcome of a search.

    Attributes
    ----------
    statement : Statement
        What was to be falsified.
    counterexample : Counterexample or None
        The smallest one found; ``None`` when none was found within the budget, which proves nothing.
    evaluations : int
        Matrices that were tried, those included that broke an assumption.
    rejected : int
        How many of these broke an assumption and have no margin.
    budget : int
        The most evaluations allowed.
    smallest_margin : float
        The smallest margin seen, in floats; infinite when there was none.
    closest : Instance or None
        Where it was seen.
    """

    statement: Statement
    counterexample: Counterexample | None
    evaluations: int
    rejected: int
    budget: int
    smallest_margin: float
    closest: Instance | None

    @property
    def found(self) -> bool:
        """Whether there is a counterexample."""
        return self.counterexample is not None

    def __repr__(self) -> str:
        """Return one line with the outcome."""
        outcome = "none found" if self.counterexample is None else repr(self.counterexample)
        return (
            f"SearchResult({self.statement.name}: {outcome}; evaluations={self.evaluations} of {self.budget}, "
            f"smallest_margin={self.smallest_margin:.4g})"
        )


def margin_text(margin: Fraction) -> str:
    """Return a fraction with its decimal value."""
    text = str(margin)
    return f"{text} = {float(margin):.6g}" if len(text) <= LONG else f"{float(margin):.6g} (certified)"


def value_text(value: Fraction | float) -> str:
    """Return a fraction in full while it is short."""
    return str(value) if isinstance(value, Fraction) and len(str(value)) <= LONG else f"{float(value):.6g}"
