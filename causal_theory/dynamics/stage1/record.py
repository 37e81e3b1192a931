"""The course of stage 1: progress of every row at some steps, and the steps at which rows reached their marks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown
from causal_theory.graphs import CausalGraph
from causal_theory.models import causal_softmax
from causal_theory.tables import Tabular
from causal_theory.wording import count

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Stage1Status = Literal["converged", "stopped", "diverged"]


@dataclass(frozen=True, eq=False)
class Stage1Run(Tabular, Shown):
    """The course of stage 1.

    Attributes
    ----------
    A1 : ndarray, shape (T, T)
        First attention matrix at the end.
    steps : ndarray of int64, shape (R,)
        Recorded steps.
    attention_on_parents : ndarray, shape (R, T)
        Attention on the parent, NaN for roots.
    root_deviation : ndarray, shape (R, T)
        Largest distance of a root row from uniform attention, NaN for children.
    slowest_child, fastest_root : int
        First step at which every child row has attention of at least ``1 - 1/T`` on its parent, and first step at
        which a root row of the context has left uniform attention; -1 when not within the steps.
    status : {"converged", "stopped", "diverged"}
        ``"converged"``: every child row reached ``1 - 1/T``. ``"stopped"``: the steps were used up. ``"diverged"``: a
        logit left the range of floating point.
    diverged_at : int
        The step that did, -1 when none; all that is recorded lies before it.
    """

    A1: Array
    steps: Integers
    attention_on_parents: Array
    root_deviation: Array
    slowest_child: int
    fastest_root: int
    status: Stage1Status
    diverged_at: int = -1

    def __repr__(self) -> str:
        """Return one line: how it ended, its marks and the attention on the parents."""
        found = ", ".join(f"{name} {fact}" for name, fact in self.facts().items())
        return f"Stage1Run({self.ending}, {found})"

    @property
    def ending(self) -> str:
        """The end of the run and the number of its steps, in words."""
        if self.status == "diverged":
            return f"diverged at step {self.diverged_at}"
        return f"{self.status} after {count(int(self.steps[-1]) if len(self.steps) else 0, 'step')}"

    def facts(self) -> dict[str, object]:
        """Return what a notebook and the representation tell of it.

        Returns
        -------
        dict
            Names and values.
        """
        last = self.attention_on_parents[-1:][np.isfinite(self.attention_on_parents[-1:])]
        least = f"{last.min():.3f}" if last.size else "no children"
        marks = {"slowest child": self.slowest_child, "fastest root": self.fastest_root}
        return {
            "tokens": len(self.A1),
            "smallest attention on a parent": least,
            **{name: f"at step {mark}" if mark >= 0 else "not seen" for name, mark in marks.items()},
        }

    @property
    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns of the table, one row for each recorded step: the attention of every child on its parent."""
        children = np.flatnonzero(np.isfinite(self.attention_on_parents).any(axis=0)).tolist()
        attention = {f"attention_of_{i}": self.attention_on_parents[:, i] for i in children}
        return {"step": self.steps, **attention}

    @property
    def window(self) -> int | None:
        """Steps between the slowest child and the fastest root; None while one of them is unknown."""
        known = self.slowest_child >= 0 and self.fastest_root >= 0
        return self.fastest_root - self.slowest_child if known else None


class Recorder:
    """Progress at multiples of a stride, which doubles whenever there are too many."""

    def __init__(self, start: Array, records: int) -> None:
        self.stride = 1
        self._most = 2 * records
        self._steps = [0]
        self._progress = [start]

    @property
    def last(self) -> int:
        """The last recorded step."""
        return self._steps[-1]

    def add(self, steps: Iterable[int], progress: Array) -> None:
        """Append the progress (R, T) at some steps, the last of which need not be a multiple of the stride."""
        self._steps.extend(steps)
        self._progress.extend(progress)

    def thin(self) -> None:
        """Double the stride until few enough records are left."""
        while len(self._steps) - 1 > self._most:
            self.stride *= 2
            kept = [k for k, step in enumerate(self._steps) if step % self.stride == 0 or k == len(self._steps) - 1]
            self._steps = [self._steps[k] for k in kept]
            self._progress = [self._progress[k] for k in kept]

    def finish(
        self,
        graph: CausalGraph,
        A1: Array,
        marks: tuple[int, int],
        status: Stage1Status,
        diverged_at: int = -1,
    ) -> Stage1Run:
        """Return the whole run."""
        self.thin()
        progress = np.array(self._progress)
        child = graph.parent_array >= 0
        return Stage1Run(
            A1=A1,
            steps=np.array(self._steps, dtype=np.int64),
            attention_on_parents=np.where(child, progress, np.nan),
            root_deviation=np.where(child, np.nan, progress),
            slowest_child=marks[0],
            fastest_root=marks[1],
            status=status,
            diverged_at=diverged_at,
        )


def goal_of(length: int) -> float:
    """Return the attention on the parent at which a child row counts as converged."""
    return 1.0 - 1.0 / length


def progress_of(A1: Array, graph: CausalGraph) -> Array:
    """Return for each row the attention on the parent, of a root the distance from uniform attention, shape (T,)."""
    attention, parents = causal_softmax(A1), graph.parent_array
    rows = np.arange(len(A1))
    uniform = np.tril(np.ones_like(attention)) / (rows[:, None] + 1.0)
    deviation = np.abs(attention - uniform).max(axis=1)
    return np.where(parents >= 0, attention[rows, np.maximum(parents, 0)], deviation)


def marks_of(graph: CausalGraph, hits: Integers) -> tuple[int, int]:
    """Return when the slowest child and the fastest root of the context were at their marks, -1 when not yet.

    A graph without children has converged at the start; position 0 has a single key and never leaves.
    """
    parents = graph.parent_array
    children = hits[parents >= 0]
    left = hits[:-1][(parents[:-1] < 0) & (hits[:-1] >= 0)]
    slowest = -1 if (children < 0).any() else int(children.max(initial=0))
    return slowest, int(left.min()) if left.size else -1
