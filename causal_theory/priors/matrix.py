"""Priors given by one matrix, or one transition tensor for each number of parents."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from causal_theory.errors import TransitionError
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.matrices import given_matrix
from causal_theory.priors.base import Prior
from causal_theory.priors.batches import Batches, MatrixBatches, RowBatches, is_single_parent, root_laws
from causal_theory.priors.laws import distance, divided_rows
from causal_theory.priors.rules import Transitions
from causal_theory.priors.verdicts import (
    AssumptionCheck,
    AssumptionReport,
    matrix_lower_bound,
    matrix_mean,
    matrix_non_degeneracy,
    matrix_parents_win,
    matrix_symmetry,
)
from causal_theory.provenance import fingerprint
from causal_theory.validation import SeedLike, check_integer, check_transition_tensor

REMEDY = "; pass normalise=True (--normalise) for counts or rounded rows"
"""What a message adds where rows do not sum to one."""

SHOWN = 4
"""Matrices with at most this many symbols are printed in full."""


class MatrixPrior(Prior, draws_laws=True):
    """A prior given by one matrix, or one tensor for each number of parents, which are its representative too."""

    @default_floats
    def __init__(
        self, transition: ArrayLike | str | Path | Mapping[int, ArrayLike | str | Path], *, normalise: bool = False
    ) -> None:
        self._given_as_mapping = isinstance(transition, Mapping)
        if isinstance(transition, CausalGraph | Prior) or hasattr(transition, "prior"):
            fix = f"; the graph stands beside the prior, InContextTask(graph, {type(self).__name__}(matrix))"
            fix = "" if isinstance(transition, Prior) else fix
            raise TransitionError(f"transition must be a matrix (S, S), got {type(transition).__name__}{fix}")
        given = transition if isinstance(transition, Mapping) else {1: transition}
        if not given:
            raise TransitionError("transition must hold at least one transition tensor, got an empty mapping")
        transitions: dict[int, NDArray[np.float64]] = {}
        self._moved = 0.0
        divided_by: list[float] = []
        for parents in sorted(check_integer("numbers of parents in transition", key, 1) for key in given):
            name = f"transition[{parents}]" if self._given_as_mapping else "transition"
            one = given_matrix(name, given[parents])
            rows, sums = divided_rows(name, one) if normalise else (one, (1.0, 1.0))
            tensor = check_transition_tensor(name, rows, parents, REMEDY)
            tensor.setflags(write=False)
            divided_by += sums
            self._moved = max(self._moved, distance(one, tensor))
            transitions[parents] = tensor
        self._row_sums = (min(divided_by), max(divided_by))
        sizes = {parents: len(tensor) for parents, tensor in transitions.items()}
        if len(set(sizes.values())) > 1:
            raise TransitionError(
                f"transition must have transition tensors on the same symbols, got S by parents: {sizes}"
            )
        self._transitions: Transitions = MappingProxyType(transitions)
        self._size = next(iter(sizes.values()))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the definition only."""
        definition = (dict(self._transitions) if self._given_as_mapping else self._transitions[1],)
        return type(self), definition, {"_moved": self._moved, "_row_sums": self._row_sums}

    @default_floats
    def __repr__(self) -> str:
        """Show a small matrix to four digits, the size of a larger one and of transition tensors."""
        size = self.vocab_size
        moved = f", moved={self._moved:.1e}" if self._moved else ""
        if self.row_sums is not None:
            moved = f", row_sums=({self._row_sums[0]:.6g}, {self._row_sums[1]:.6g})"
        if self._given_as_mapping:
            parts = (
                f"{parents}: {'x'.join([str(size)] * (parents + 1))} transition tensor" for parents in self._transitions
            )
            return f"{type(self).__name__}({{{', '.join(parts)}}}{moved})"
        shown = f"{size}x{size} matrix"
        if size <= SHOWN:
            rows = ("[" + ", ".join(f"{p:.4g}" for p in row) + "]" for row in self.transition)
            shown = "[" + ", ".join(rows) + "]"
        return f"{type(self).__name__}({shown}{moved})"

    @property
    def row_sums(self) -> tuple[float, float] | None:
        """The smallest and the largest sum by which ``normalise=True`` divided a row; None where it had nothing to do.

        What is used is the quotient: `transition` holds probabilities, also where counts were given.
        """
        return None if self._row_sums == (1.0, 1.0) else self._row_sums

    @property
    def description(self) -> str:
        """The use of the matrix, in words."""
        return "rows are laws of the child of a symbol"

    @override
    def fixed(self, draws: int, rng: SeedLike = None) -> Prior:
        return self

    @override
    def to_dict(self) -> dict[str, Any]:
        whole: Any = {str(parents): tensor.tolist() for parents, tensor in self._transitions.items()}
        given = whole if self._given_as_mapping else whole["1"]
        sums = {} if self.row_sums is None else {"row_sums": list(self.row_sums)}
        return {"kind": self._kind, "transition": given} | self._moved_rows | sums

    @override
    def assumptions(self, *, draws: int = 1000, rng: SeedLike = 0) -> AssumptionReport:
        matrix = self.transition
        bounds = matrix_lower_bound(matrix), matrix_non_degeneracy(matrix)
        return AssumptionReport(*bounds, self._symmetry(), matrix_mean(self.mean), matrix_parents_win(matrix))

    def _symmetry(self) -> AssumptionCheck:
        return matrix_symmetry(self.transition)

    @property
    def transition(self) -> NDArray[np.float64]:
        """The matrix, read-only, shape (S, S): the transition tensor of one parent.

        Raises
        ------
        TransitionError
            If there is none.
        """
        if 1 not in self._transitions:
            raise TransitionError(
                f"a transition matrix is a transition tensor of one parent, got a prior with transition tensors for "
                f"{', '.join(map(str, self._transitions))} parents only"
            )
        return self._transitions[1]

    @property
    def transitions(self) -> Transitions:
        """The transition tensors by number of parents, read-only, shapes ``(S,) * k + (S,)``."""
        return self._transitions

    @property
    @override
    def given_as_mapping(self) -> bool:
        return self._given_as_mapping

    @property
    @override
    def in_degrees(self) -> tuple[int, ...]:
        return tuple(self._transitions)

    @property
    @override
    def vocab_size(self) -> int:
        return self._size

    @property
    @override
    def representative(self) -> NDArray[np.float64] | None:
        return self._transitions.get(1)

    @override
    def identity(self) -> dict[str, Any]:
        # A matrix is the tensor of one parent, however it was given.
        return self._named(**{f"kernel of {k} parents": fingerprint(tensor) for k, tensor in self._transitions.items()})

    def _sources(self, graph: CausalGraph, root_law: str, *, renamed: bool) -> Batches:
        """Return sequences under the tensors, whose symbols may be renamed."""
        self.require_transitions(graph.in_degrees)
        if not is_single_parent(graph):
            return RowBatches(graph, self._transitions, renamed=renamed)
        matrices = self.transition[np.newaxis]
        return MatrixBatches(graph, matrices, root_laws(matrices, root_law), renamed=renamed)
