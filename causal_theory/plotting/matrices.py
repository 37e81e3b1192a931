"""Matrices of parameters: one attention matrix of either model."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.plotting.canvas import axes_or_new
from causal_theory.plotting.heatmaps import check_square, draw_heatmap
from causal_theory.validation import check_integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_layer", "plot_second_matrix"]

NAMED_BLOCKS = 3
"""Up to this many blocks tokens and positions of each are named; of more, the numbers of the blocks are."""


@default_floats
def plot_second_matrix(A2: ArrayLike, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the second attention matrix: key symbols in rows, query symbols in columns.

    Parameters
    ----------
    A2 : array_like, shape (S, S)
        ``A2[key symbol, query symbol]``.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If the matrix is not square and finite.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import numpy as np
    >>> from causal_theory.plotting import plot_second_matrix
    >>> plot_second_matrix(3.0 * np.eye(4)).get_xlabel()
    'query symbol q'
    """
    matrix = check_square("A2", A2)
    ax = axes_or_new(ax, (4.6, 3.8))
    draw_heatmap(ax, np.ma.array(matrix), "logit (dimensionless)")
    ax.set_title("second attention matrix")
    ax.set_xlabel("query symbol q")
    ax.set_ylabel("key symbol a")
    return ax


@default_floats
def plot_layer(matrix: ArrayLike, length: int, vocab_size: int, *, ax: "Axes | None" = None) -> "Axes":
    """Draw one attention matrix of a disentangled transformer, all its blocks, with their borders.

    The vectors that a layer compares consist of blocks, each of ``vocab_size`` entries for tokens followed by
    ``length`` entries for positions: block 0 is what entered the model, block h what head h of the first layer copied,
    and so on. Full lines separate blocks, dotted lines tokens from positions within a block. Rows belong to the query,
    columns to the key.

    Parameters
    ----------
    matrix : array_like, shape (d, d)
        One head of an entry of ``layers`` of a :class:`causal_theory.DisentangledTransformer`; d is a multiple of
        ``vocab_size + length``.
    length, vocab_size : int
        T and S.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If the matrix is not square and finite, or does not consist of whole blocks.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import DisentangledTransformer
    >>> from causal_theory.plotting import plot_layer
    >>> model = DisentangledTransformer(4, 2)
    >>> ax = plot_layer(model.layers[1][0], model.length, model.vocab_size)
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['tok 0', 'pos 0', 'tok 1', 'pos 1']
    """
    values = check_square("matrix", matrix)
    size = check_integer("vocab_size", vocab_size, 1)
    width = check_integer("length", length, 1) + size
    if len(values) % width:
        raise InvalidArgumentError(
            f"matrix must have a size that is a multiple of length + vocab_size = {width}, got {len(values)}"
        )
    ax = axes_or_new(ax, (4.6, 3.8))
    draw_heatmap(ax, np.ma.array(values), "logit (dimensionless)")
    blocks = len(values) // width
    starts = width * np.arange(blocks)
    for border in starts[1:] - 0.5:
        _border(ax, float(border), 1.2, "-")
    for border in starts + size - 0.5:
        _border(ax, float(border), 0.7, ":")
    if blocks == 1:
        names = ["tokens", "positions"]
    elif blocks <= NAMED_BLOCKS:
        names = [f"{kind} {block}" for block in range(blocks) for kind in ("tok", "pos")]
    else:
        names = [str(block) for block in range(blocks)]
    centres = (starts + (width - 1) / 2.0).tolist()
    if blocks <= NAMED_BLOCKS:
        centres = [
            middle for start in starts.tolist() for middle in (start + (size - 1) / 2, start + size + (length - 1) / 2)
        ]
    ax.set_xticks(centres, names, fontsize=8)
    ax.set_yticks(centres, names, fontsize=8)
    ax.tick_params(length=0.0)
    suffix = "" if blocks == 1 else ", by block"
    ax.set_title("attention matrix")
    ax.set_xlabel(f"key{suffix}")
    ax.set_ylabel(f"query{suffix}")
    return ax


def _border(ax: "Axes", place: float, width: float, style: str) -> None:
    """Draw a line across and a line down, light below and dark above: one of the two shows on every colour."""
    for line in (ax.axhline, ax.axvline):
        line(place, color="white", linewidth=2.5 * width, alpha=0.6)
        line(place, color="black", linewidth=width, linestyle=style)
