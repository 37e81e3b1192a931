"""Describe the matrices of a model for whoever draws them: titles, and what rows and columns stand for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOGIT = "logit (dimensionless)"

NAMED_BLOCKS = 3
"""Up to this many blocks tokens and positions of each are named; of more, the numbers of the blocks are."""


@dataclass(frozen=True)
class Axis:
    """The rows or the columns of a matrix: what they stand for.

    Parameters
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

    Parameters
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


def second_matrix_view(A2: NDArray[np.float64]) -> MatrixView:
    """Describe the second attention matrix of the theory, ``A2[key symbol, query symbol]``."""
    return MatrixView("second attention matrix", A2, Axis("key symbol a"), Axis("query symbol q"), LOGIT)


def layer_view(title: str, matrix: NDArray[np.float64], length: int, vocab_size: int) -> MatrixView:
    """Describe an attention matrix of a disentangled transformer: query in rows, key in columns, both by block.

    Parameters
    ----------
    title : str
        What the matrix is.
    matrix : ndarray, shape (d, d)
        With d a multiple of ``vocab_size + length``.
    length, vocab_size : int
        T and S.

    Returns
    -------
    MatrixView
        Blocks are told apart by borders, tokens from positions by minor ones; names stand in the middle of each part,
        of more than three blocks their numbers in the middle of each block.

    Examples
    --------
    >>> layer_view("layer 1", np.eye(6), 4, 2).rows.names
    [(0.5, 'tokens'), (3.5, 'positions')]
    """
    width = vocab_size + length
    blocks = len(matrix) // width
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
    suffix = "" if blocks == 1 else ", by block"
    rows, columns = (
        Axis(side + suffix, names, (starts[1:] - 0.5).tolist(), (starts + vocab_size - 0.5).tolist())
        for side in ("query", "key")
    )
    return MatrixView(title, matrix, rows, columns, LOGIT)
