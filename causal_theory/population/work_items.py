"""Cut the edge scores of one matrix into items of work that threads, processes or machines can take.

An item is some lanes and some rows. Which items there are depends on the size of the problem, and their sums are added
in a fixed order: the result is the same, to the last bit, whoever computes them and in whatever order they are done.
"""

import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.foreign import WORKER_TIMEOUT, Caller
from causal_theory.graphs import CausalGraph
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.threads import get_num_threads, leave_first_processor
from causal_theory.population.lanes import Lanes, row_blocks
from causal_theory.population.splitting import split_rows

Array = NDArray[np.float64]
IN_FLIGHT = 64
"""Items that are submitted to an executor and not yet added up."""

SMALL = 100
"""T S up to which scores come from the kernel for small forests, which is faster there and can be interpreted."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Workers:
    """An executor, or the threads of this process, and the limits of its use.

    Attributes
    ----------
    executor : Executor, optional
        The threads of this process without.
    in_flight : int
        Items that it holds at most.
    timeout : float
        Seconds after which a Dask cluster without workers is given up.
    """

    executor: Executor | None = None
    in_flight: int = IN_FLIGHT
    timeout: float = WORKER_TIMEOUT


LOCAL = Workers()


@dataclass(frozen=True, eq=False)
class WorkItem:
    """An item of work, all that one worker needs: a task of one matrix, some lanes, some rows.

    Attributes
    ----------
    graph : CausalGraph
        The forest; it is sent as its parents.
    limit : int
        Positions of a piece of it.
    transition, root_law : ndarray
        Matrix (S, S) and law of a root (S,).
    symbols, nodes, weights : ndarray, shape (blocks, width)
        The lanes.
    pair_blocks : int
        Blocks of lanes that enter the pair sums.
    rows : tuple of two int
        First row and the one after the last.
    number : str
        Another one for every item: some executors take equal calls for one call, whose result all callers then share.
    """

    graph: CausalGraph
    limit: int
    transition: Array
    root_law: Array
    symbols: NDArray[np.int64]
    nodes: Array
    weights: Array
    pair_blocks: int
    rows: tuple[int, int]
    number: str = field(default_factory=lambda: uuid.uuid4().hex)


def make_items(
    graph: CausalGraph, limit: int, transition: Array, root_law: Array, lanes: Lanes
) -> Iterator[tuple[tuple[int, int], list[WorkItem]]]:
    """Yield for each block of rows the items whose sums it is the sum of, in this order.

    Lanes at zero have moments but no pairs, and moments do not depend on rows: the very first item has them too.
    """
    for rows in row_blocks(graph.length):
        items = []
        for part in range(lanes.parts):
            blocks = list(range(part, lanes.pair_blocks, lanes.parts))
            pair_blocks = len(blocks)
            if part == 0 and rows[0] == 0:
                blocks += range(lanes.pair_blocks, len(lanes.symbols))
            if not blocks:
                continue
            chosen = (lanes.symbols[blocks], lanes.nodes[blocks], lanes.weights[blocks])
            items.append(WorkItem(graph, limit, transition, root_law, *chosen, pair_blocks, rows))
        yield rows, items


def item_sums(item: WorkItem) -> tuple[Array, Array]:
    """Return pair sums (rows, last row) and key moments (T,) of one item, without the interpreter lock."""
    if _is_small(item):
        return _small_sums(item)
    splitting, slots = split_rows(item.graph, item.limit, *item.rows).kernel_arguments
    pair_sums, moments = kernels.tilted.tilted_sums(
        read_only(item.graph.parent_array[:-1]),
        splitting,
        slots,
        read_only(item.transition),
        read_only(item.root_law),
        (read_only(item.symbols), read_only(item.nodes), read_only(item.weights)),
        item.pair_blocks,
        item.rows,
    )
    return pair_sums, moments


def _is_small(item: WorkItem) -> bool:
    length = item.graph.length
    return item.rows == (0, length) and length * len(item.transition) <= SMALL


def _small_sums(item: WorkItem) -> tuple[Array, Array]:
    """Return the sums of an item whose rows are all rows, by a kernel that need not be compiled for a first answer."""
    length, size = item.graph.length, len(item.transition)
    sums, moments = kernels.interpreted.run_kernel(
        kernels.small_forest.small_tilted_sums,
        item.symbols.size * (length * size) ** 2 // 2,
        read_only(item.graph.parent_array[:-1]),
        read_only(item.transition),
        read_only(item.root_law),
        (read_only(item.symbols), read_only(item.nodes), read_only(item.weights)),
        item.pair_blocks,
    )
    return sums, moments


def in_order(
    function: Callable[[Argument], Result], arguments: Iterable[Argument], workers: Workers = LOCAL
) -> Generator[Result, None, None]:
    """Yield the results in the order of the arguments, with at most ``in_flight`` of them under way or waiting.

    Without an executor the threads of this process do it, as many as kernels may use. What has not begun when
    something fails, or when the caller stops, is cancelled. Results of an executor may have other holders: they are
    for reading.
    """
    if workers.executor is not None:
        yield from _submitted(function, arguments, Caller(workers.executor, workers.timeout), workers.in_flight)
        return
    threads = get_num_threads()
    if threads == 1:
        yield from map(function, arguments)
        return
    with ThreadPoolExecutor(threads, initializer=leave_first_processor) as pool:
        yield from _submitted(function, arguments, Caller(pool), min(workers.in_flight, 2 * threads))


def _submitted(
    function: Callable[[Argument], Result], arguments: Iterable[Argument], caller: Caller, in_flight: int
) -> Iterator[Result]:
    waiting: deque[Future[Any]] = deque()
    rest = iter(arguments)
    try:
        waiting.extend(caller.submit(function, argument) for argument in islice(rest, in_flight))
        while waiting:
            result = caller.result(waiting[0])
            waiting.popleft()
            waiting.extend(caller.submit(function, argument) for argument in islice(rest, 1))
            yield result
    finally:
        caller.cancel(waiting)
