"""Lay out pairs (symbol, quadrature node) as lanes for the tilted message passes."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, isqrt

import numpy as np
from numpy.typing import NDArray

from causal_theory.population.quadrature import reciprocal_rule

WIDTHS = (40, 32, 24, 16)
LOOP_OVERHEAD = 10
"""Lanes that could be treated in the time it takes to set up a vectorised loop over them."""

SERIAL_WORK = 5_000_000
"""Twice the multiplications of a chain below which everything runs on the calling thread."""

UNITS = 64
"""Units of lanes and rows that are enough for many workers: each brings its own sums, which have to be added."""

FIELD_ENTRIES = 2**22
"""Entries of an array of messages, of which a worker has seven: 32 MB each, or more where 16 lanes take more."""

NEGLIGIBLE = 1e-18
"""Total weight that may be dropped: far below the roundoff of scores, which are of the order of 1 / S."""

BLOCK_ENTRIES = 2**24
"""Entries of the pair sums of a unit: 128 MB."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lanes:
    """Blocks of lanes of equal width; the last ``blocks - pair_blocks`` hold the nodes at zero.

    Attributes
    ----------
    symbols, nodes, weights : ndarray, shape (blocks, width)
        Padding lanes have weight zero.
    pair_blocks : int
        Number of blocks with nodes above zero.
    parts : int
        Number of units that the blocks are shared out to, fixed by the size of the problem.
    relative_error : float
        Bound on the relative error of the quadrature.
    dropped : float
        Bound on the absolute error from lanes that were left out.
    """

    symbols: NDArray[np.int64]
    nodes: Array
    weights: Array
    pair_blocks: int
    parts: int
    relative_error: float
    dropped: float = 0.0


def _parts(length: int, vocab_size: int, count: int, row_blocks: int) -> int:
    """Enough units for many workers, and one where sharing out would cost more than it saves.

    Handing a unit to a thread takes a tenth of a millisecond.
    """
    if length**2 * vocab_size**2 * count < SERIAL_WORK:
        return 1
    return max(1, min(max(2, -(-count // WIDTHS[0])), -(-UNITS // row_blocks)))


def _width(length: int, vocab_size: int, count: int, parts: int) -> int:
    """Return the width with the least work per part: padding lanes against the overhead of every inner loop."""

    def cost(width: int) -> int:
        return -(-count // (width * parts)) * (width + LOOP_OVERHEAD)

    fitting = [width for width in WIDTHS if width * length * vocab_size <= FIELD_ENTRIES]
    return min(fitting or WIDTHS[-1:], key=cost)


def row_blocks(length: int) -> list[tuple[int, int]]:
    """Cut the rows of a triangle into blocks of equal area, as few as keep a block within its number of entries.

    Examples
    --------
    >>> row_blocks(1000)
    [(0, 1000)]
    >>> row_blocks(8192)
    [(0, 4096), (4096, 5792), (5792, 7094), (7094, 8192)]
    """
    count = ceil(length**2 / BLOCK_ENTRIES)
    ends = [isqrt(length**2 * k // count) for k in range(count + 1)]
    return list(pairwise(ends))


def _lay_out(
    interior: tuple[NDArray[np.int64], Array, Array],
    zeros: tuple[NDArray[np.int64], Array, Array],
    length: int,
    vocab_size: int,
    *,
    relative_error: float,
    dropped: float = 0.0,
) -> Lanes:
    """Arrange lanes given as (symbols, nodes, weights) in blocks."""
    count = interior[0].size
    parts = _parts(length, vocab_size, count, len(row_blocks(length)))
    width = _width(length, vocab_size, count, parts)
    pair_blocks = max(1, -(-count // width))
    blocks = pair_blocks + -(-zeros[0].size // width)
    symbols = np.zeros(blocks * width, dtype=np.int64)
    nodes = np.ones(blocks * width)
    weights = np.zeros(blocks * width)
    for start, (some_symbols, some_nodes, some_weights) in ((0, interior), (pair_blocks * width, zeros)):
        run = slice(start, start + some_symbols.size)
        symbols[run], nodes[run], weights[run] = some_symbols, some_nodes, some_weights
    shape = (blocks, width)
    return Lanes(
        symbols.reshape(shape),
        nodes.reshape(shape),
        weights.reshape(shape),
        pair_blocks,
        parts,
        relative_error,
        dropped,
    )


@lru_cache(maxsize=64)
def reciprocal_lanes(epsilon: float, length: int, vocab_size: int, nodes: int | None = None) -> Lanes:
    """Return the lanes for ``1 / (n_b / T + eps) = T integral z^(n_b + eps T - 1) dz``, all symbols ``b``.

    Weights include the factor ``T``. ``nodes`` overrides the number of interior quadrature nodes.
    """
    rule = reciprocal_rule(epsilon * length, length, nodes)
    symbols = np.arange(vocab_size)
    interior = rule.nodes.size - 1
    return _lay_out(
        (
            np.repeat(symbols, interior),
            np.tile(rule.nodes[1:], vocab_size),
            np.tile(length * rule.weights[1:], vocab_size),
        ),
        (symbols, np.zeros(vocab_size), np.full(vocab_size, length * rule.weights[0])),
        length,
        vocab_size,
        relative_error=rule.relative_error,
    )


def keep_heavy_lanes(lanes: Lanes, masses: Array, length: int, vocab_size: int) -> Lanes:
    """Leave out lanes whose weight times tilted mass is negligible; the sum of what is left out is ``dropped``.

    In a long sequence a common symbol occurs so often that ``z^n`` vanishes at most nodes.
    """
    heaviness = lanes.weights * masses
    kept = heaviness > NEGLIGIBLE / heaviness.size
    interior = np.zeros_like(kept)
    interior[: lanes.pair_blocks] = True

    def pick(chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Array, Array]:
        return lanes.symbols[chosen], lanes.nodes[chosen], lanes.weights[chosen]

    return _lay_out(
        pick(kept & interior),
        pick(kept & ~interior),
        length,
        vocab_size,
        relative_error=lanes.relative_error,
        dropped=float(heaviness[~kept].sum()),
    )
