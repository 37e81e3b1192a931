"""Describe the matrices of a model for whoever draws them: titles, and what rows and columns stand for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "MatrixView", "block_axis"]

NAMED_BLOCKS = 3
"""Up to this many blocks tokens and positions of each are named; of more, the numbers of the blocks are."""


@dataclass(frozen=True)
class Axis:
    """What the rows or the columns of a matrix stand for.

    Attributes
    ----------
    label : str
        What is counted, such as ``"query symbol q"``.
    names : sequence of (float, str)
        Places and the names that stand there; without any the entries are numbered.
    borders : sequence of float
        Where parts of the axis meet, halfway between two entries.
    minor_borders : sequence of float
        Where smaller parts within these meet.
    """

    label: str
    names: Sequence[tuple[float, str]] = ()
    borders: Sequence[float] = ()
    minor_borders: Sequence[float] = ()


@dataclass(frozen=True, eq=False)
class MatrixView:
    """A matrix of a model as a figure shows it.

    Attributes
    ----------
    title : str
        What the matrix is.
    values : ndarray, shape (m, n)
        Its entries.
    rows, columns : Axis
        What they stand for.
    label : str
        What an entry is, with its unit.
    """

    title: str
    values: NDArray[np.float64]
    rows: Axis = Axis("row")
    columns: Axis = Axis("column")
    label: str = "parameter (dimensionless)"


def block_axis(label: str, length: int, vocab_size: int, blocks: int) -> Axis:
    """Describe vectors of blocks, each of ``vocab_size`` entries for tokens and ``length`` entries for positions.

    Parameters
    ----------
    label : str
        What the vectors belong to.
    length, vocab_size : int
        T and S.
    blocks : int
        Number of blocks.

    Returns
    -------
    Axis
        Blocks are told apart by borders, tokens from positions by minor ones; names stand in the middle of each part,
        of more than three blocks their numbers in the middle of each block.

    Examples
    --------
    >>> block_axis("key", 4, 2, 1).names
    [(0.5, 'tokens'), (3.5, 'positions')]
    """
    width = vocab_size + length
    starts = width * np.arange(blocks)
    if blocks <= NAMED_BLOCKS:
        words = [("tokens", "positions")] if blocks == 1 else [(f"tok {k}", f"pos {k}") for k in range(blocks)]
        middles = ((vocab_size - 1) / 2, vocab_size + (length - 1) / 2)
        names = [
            (start + middle, word)
            for start, pair in zip(starts.tolist(), words, strict=True)
            for middle, word in zip(middles, pair, strict=True)
        ]
    else:
        names = [(start + (width - 1) / 2, str(k)) for k, start in enumerate(starts.tolist())]
    return Axis(
        label=label if blocks == 1 else f"{label}, by block",
        names=names,
        borders=(starts[1:] - 0.5).tolist(),
        minor_borders=(starts + vocab_size - 0.5).tolist(),
    )
