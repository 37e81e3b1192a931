"""Discrete steps with the first-order gradient: one matrix of scores drives all of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.dynamics.stage1.record import Recorder, Stage1Run, Stage1Status, goal_of, marks_of, progress_of
from causal_theory.dynamics.stage1.settings import Stage1
from causal_theory.tasks import InContextTask

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
RECORDS_PER_CALL = 32
STEPS_PER_CALL = 1024
"""Steps to a call once nothing is recorded any more."""


@dataclass
class _Rows:
    """The state of the descent: the logits, and the first step at which each row was at its mark."""

    logits: Array
    hits: Integers
    scores: Array
    parents: Integers
    rate: float
    leave: float

    def copy(self) -> "_Rows":
        return _Rows(self.logits.copy(), self.hits.copy(), self.scores, self.parents, self.rate, self.leave)

    def advance(self, chosen: Integers, start: int, stride: int, records: int) -> tuple[Array, int]:
        """Advance some rows; returns their progress (records, T), and the first step that is not finite or -1."""
        length = len(self.logits)
        progress = np.zeros((records, length))
        broken = np.full(length, -1)
        marks = (goal_of(length), self.leave)
        pairs = kernels.descent.balanced_pairs(chosen)
        kernels.descent.advance(
            self.logits, self.scores, self.parents, pairs, self.rate, start, stride, marks, progress, self.hits, broken
        )
        return progress, int(broken[broken >= 0].min()) if (broken >= 0).any() else -1


def run_first_order(task: InContextTask, settings: Stage1, scores: Array) -> Stage1Run:
    """Descend until every child row attends to its parent, or the steps are used up."""
    graph, length = task.graph, task.length
    parents = graph.parent_array
    rows = _Rows(
        np.zeros((length, length)), np.full(length, -1), scores, parents, settings.rate(length), settings.leave
    )
    everything = np.arange(length)
    recorder = Recorder(progress_of(rows.logits, graph), settings.records)
    status: Stage1Status = "stopped"
    diverged_at = -1
    step = 0
    while step < settings.steps:
        stride, left = recorder.stride, settings.steps - step
        records = min(RECORDS_PER_CALL, left // stride)
        if records == 0:
            stride, records = left, 1
        before = rows.copy()
        progress, broken = rows.advance(everything, step, stride, records)
        slowest, _ = marks_of(graph, rows.hits)
        if broken >= 0 and not 0 <= slowest < broken:
            status, diverged_at, end = "diverged", broken, broken - 1
        elif slowest >= 0:
            status, end = "converged", slowest
        else:
            recorder.add(range(step + stride, step + records * stride + 1, stride), progress)
            step += records * stride
            recorder.thin()
            continue
        rows = before
        _repeat(rows, everything, step, end, recorder)
        break
    if status == "converged":
        _wait_for_root(rows, recorder.last, settings.steps)
    return recorder.finish(graph, rows.logits, marks_of(graph, rows.hits), status, diverged_at)


def _repeat(rows: _Rows, chosen: Integers, start: int, end: int, recorder: Recorder) -> None:
    """Advance to exactly ``end``, which is known to lie within the call that was taken back."""
    whole, rest = divmod(end - start, recorder.stride)
    for stride, records in ((recorder.stride, whole), (rest, min(rest, 1))):
        progress, _ = rows.advance(chosen, start, stride, records)
        recorder.add(range(start + stride, start + records * stride + 1, stride) if records else (), progress)
        start += records * stride


def _wait_for_root(rows: _Rows, start: int, steps: int) -> None:
    """Go on with the roots alone, off the record, until one of them leaves uniform attention."""
    roots = np.flatnonzero(rows.parents[:-1] < 0)[1:]
    ahead = rows.copy()
    while roots.size and start < steps and (ahead.hits[roots] < 0).all():
        stride = min(STEPS_PER_CALL, steps - start)
        _, broken = ahead.advance(roots, start, stride, 1)
        if broken >= 0:
            break
        start += stride
    rows.hits[roots] = ahead.hits[roots]
