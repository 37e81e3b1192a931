"""Edge scores at one transition matrix, by message passing under an integral transform."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.foreign import wrong_result
from causal_theory.kernels.arrays import read_only
from causal_theory.population.lanes import keep_heavy_lanes, reciprocal_lanes
from causal_theory.population.work_items import LOCAL, Workers, WorkItem, in_order, item_sums, make_items
from causal_theory.progress import track
from causal_theory.tasks import InContextTask, root_law_at

PRUNE_FROM = 64
"""Length from which it pays to find the nodes at which ``z^n`` vanishes."""

PIECE_PER_SYMBOL = 4
"""Positions per symbol from which a piece is worth splitting: a separator costs S^3 per position, a pair S^2."""

CACHED_ENTRIES = 2**16
"""Entries of the scores that are put together at once."""

Array = NDArray[np.float64]


def transform_scores(
    task: InContextTask,
    epsilon: float,
    transition: Array,
    *,
    nodes: int | None = None,
    workers: Workers = LOCAL,
    into: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """Return the scores and their error bound for one transition matrix, by the integral transform.

    ``into`` are two arrays (T, T) of zeros to fill; otherwise there are new ones.
    """
    length, size = task.length, task.vocab_size
    lanes = reciprocal_lanes(epsilon, length, size, nodes)
    root_law = root_law_at(task, transition)
    if length >= PRUNE_FROM:
        parents = task.graph.parent_array[:-1]
        masses = kernels.tilted.tilted_masses(
            *map(read_only, (parents, transition, root_law, lanes.symbols, lanes.nodes))
        )
        lanes = keep_heavy_lanes(lanes, masses, length, size)
    items = list(make_items(task.graph, PIECE_PER_SYMBOL * size, transition, root_law, lanes))
    value, error = into or (np.zeros((length, length)), np.zeros((length, length)))
    # sum_b y_b ([s_i = b] + eps) / (c_b + eps) = pairs + eps * moments; the query column has no [s_j = query].
    expected = np.full(length, 1.0 / size)
    expected[-1] = 1.0
    means = np.zeros(length)
    relative = lanes.relative_error + _roundoff(task)
    for (first, last), sums, moments in _block_sums(items, workers):
        if first == 0:
            means = epsilon * moments / size
        # A few rows at a time: they stay in the cache from one operation to the next.
        step = max(1, CACHED_ENTRIES // last)
        for start in range(first, last, step):
            end = min(start + step, last)
            pairs = sums[start - first : end - first, :end] / size
            value[start:end, :end] = np.tril(pairs + (means - expected)[:end], k=start)
            bound = relative * (pairs + (means + expected)[:end]) + (1.0 + epsilon) * lanes.dropped
            error[start:end, :end] = np.tril(bound, k=start)
    return value, error


def _block_sums(
    items_of_blocks: list[tuple[tuple[int, int], list[WorkItem]]], workers: Workers
) -> Iterator[tuple[tuple[int, int], Array, Array]]:
    """Yield for each block of rows the sums of its items, added in their order; moments are whole in the first.

    They are for reading. What an executor returns may have other holders, and is added into new arrays; the arrays that
    threads of this process have made nobody else holds, and at these sizes every new one counts.
    """
    items = [item for _, some in items_of_blocks for item in some]
    if len(items) == 1:
        yield items[0].rows, *item_sums(items[0])
        return
    local = workers.executor is None
    last_of = {id(some[-1]) for _, some in items_of_blocks}
    total: list[Array] = []
    ours = False
    with closing(in_order(item_sums, items, workers)) as results:
        for item, found in zip(track(items, "edge scores"), results, strict=True):
            sums = found if local else _checked_sums(item, found)
            if not total:
                total, ours = list(sums), local
            else:
                total = [
                    np.add(whole, more, out=whole if ours else None) for whole, more in zip(total, sums, strict=True)
                ]
                ours = True
            if id(item) in last_of:
                yield item.rows, total[0], total[1]
                total = []


def _checked_sums(item: WorkItem, found: object) -> tuple[Array, Array]:
    """Return what an executor gave as the sums of an item, if that is what it is."""
    first, last = item.rows
    shapes = (last - first, last), (item.graph.length,)
    if not (
        isinstance(found, tuple)
        and len(found) == len(shapes)
        and all(isinstance(one, np.ndarray) and one.dtype == np.float64 for one in found)
        and tuple(one.shape for one in found) == shapes
    ):
        raise wrong_result(f"a pair of float64 arrays of shapes {shapes[0]} and {shapes[1]}", found)
    # Subclasses, as maps of files that workers share, add up to arrays.
    return np.asarray(found[0]), np.asarray(found[1])


def _roundoff(task: InContextTask) -> float:
    """Relative roundoff of a sum of positive terms, each a product along a path of at most T matrices."""
    path = 2 * int(task.graph.depth.max()) + 2
    return float(np.finfo(float).eps) * (path * (task.vocab_size + 4) + task.length + 8)
