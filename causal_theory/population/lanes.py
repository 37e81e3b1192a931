"""Lay out pairs (symbol, quadrature node) as lanes for the tilted message passes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from causal_theory.population.quadrature import reciprocal_rule

__all__ = ["Lanes", "reciprocal_lanes"]

SERIAL_WORK = 1_000_000
"""Twice the multiplications of a chain below which everything runs on the calling thread."""

WIDTHS = (64, 56, 48, 40, 32, 24, 16, 8)


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
        Number of partial sums that the blocks are shared out to, fixed by the size of the problem.
    relative_error : float
        Bound on the relative error of the quadrature.
    """

    symbols: NDArray[np.int64]
    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]
    pair_blocks: int
    parts: int
    relative_error: float


def _parts(length: int, vocab_size: int, count: int) -> int:
    """Enough partial sums for many threads, few enough for memory, and one where threads would cost more than they do.

    Waking a thread takes microseconds on an idle machine and milliseconds on a busy one.
    """
    if length**2 * vocab_size**2 * count < SERIAL_WORK:
        return 1
    if length > 2000 or count <= 64:
        return 2
    return 4 if length > 500 or count <= 256 else 8


def _width(count: int, parts: int) -> int:
    """Return the width that wastes the fewest lanes when blocks are dealt to the parts in turn; the wider on a tie."""

    def cost(width: int) -> int:
        return -(-count // (width * parts)) * width

    return min(WIDTHS, key=lambda width: (cost(width), -width))


def _blocks(values: NDArray[np.generic], width: int, fill: float) -> NDArray[np.generic]:
    count = -(-values.size // width) * width
    padded = np.full(count, fill, dtype=values.dtype)
    padded[: values.size] = values
    return padded.reshape(-1, width)


@lru_cache(maxsize=64)
def reciprocal_lanes(epsilon: float, length: int, vocab_size: int, nodes: int | None = None) -> Lanes:
    """Return the lanes for ``1 / (n_b / T + eps) = T integral z^(n_b + eps T - 1) dz``, all symbols ``b``.

    Weights include the factor ``T``. ``nodes`` overrides the number of interior quadrature nodes.
    """
    rule = reciprocal_rule(epsilon * length, length, nodes)
    symbols = np.arange(vocab_size)
    interior = rule.nodes.size - 1
    count = interior * vocab_size
    parts = _parts(length, vocab_size, count)
    width = _width(count, parts)
    pairs = (np.repeat(symbols, interior), np.tile(rule.nodes[1:], vocab_size), np.tile(rule.weights[1:], vocab_size))
    zeros = (symbols, np.zeros(vocab_size), np.full(vocab_size, rule.weights[0]))
    fills = (0, 1.0, 0.0)
    stacked = [
        np.concatenate([_blocks(pair, width, fill), _blocks(zero, width, fill)])
        for pair, zero, fill in zip(pairs, zeros, fills, strict=True)
    ]
    return Lanes(
        symbols=stacked[0].astype(np.int64),
        nodes=stacked[1].astype(np.float64),
        weights=length * stacked[2].astype(np.float64),
        pair_blocks=-(-count // width),
        parts=parts,
        relative_error=rule.relative_error,
    )
