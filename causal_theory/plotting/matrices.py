"""Draw matrices of parameters, with axes that say what their rows and columns stand for."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.models import MatrixView
from causal_theory.models.views import layer_view, second_matrix_view
from causal_theory.plotting.canvas import axes_or_new
from causal_theory.plotting.heatmaps import check_square, draw_heatmap
from causal_theory.plotting.size import scaled
from causal_theory.validation import check_integer, check_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@default_floats
def plot_view(view: MatrixView, *, ax: "Axes | None" = None) -> "Axes":
    """Draw a matrix of a model, with the names and borders that the model gives to its rows and columns.

    Full lines are borders, dotted lines minor ones.

    Parameters
    ----------
    view : MatrixView
        See :meth:`causal_theory.models.TrainableModel.views`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If the values are no finite matrix.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import DisentangledTransformer
    >>> from causal_theory.plotting import plot_view
    >>> for view in DisentangledTransformer(4, 2).views():
    ...     print(plot_view(view).get_title())
    matrix of layer 1
    matrix of layer 2
    """
    values = check_matrix(f"the values of {view.title!r}", view.values, np.shape(view.values))
    ax = axes_or_new(ax, (4.6, 3.8))
    draw_heatmap(ax, np.ma.array(values), view.label)
    _draw_borders(ax, view.rows.borders, view.columns.borders, scaled(1.2), "-")
    _draw_borders(ax, view.rows.minor_borders, view.columns.minor_borders, scaled(0.7), ":")
    if view.columns.names:
        ax.set_xticks(
            [place for place, _ in view.columns.names], [word for _, word in view.columns.names], fontsize="small"
        )
        ax.tick_params("x", length=0.0)
    if view.rows.names:
        ax.set_yticks([place for place, _ in view.rows.names], [word for _, word in view.rows.names], fontsize="small")
        ax.tick_params("y", length=0.0)
    ax.set_title(view.title)
    ax.set_xlabel(view.columns.label)
    ax.set_ylabel(view.rows.label)
    return ax


def _draw_borders(ax: "Axes", rows: Sequence[float], columns: Sequence[float], width: float, style: str) -> None:
    """Draw lines across and down, light below and dark above: one of the two shows on every colour."""
    for pair in zip_longest(rows, columns):
        for line, place in zip((ax.axhline, ax.axvline), pair, strict=True):
            if place is not None:
                line(place, color="white", linewidth=scaled(2.5) * width, alpha=0.6)
                line(place, color="black", linewidth=width, linestyle=style)


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
    return plot_view(second_matrix_view(check_square("A2", A2)), ax=ax)


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
    width = check_integer("length", length, 1) + check_integer("vocab_size", vocab_size, 1)
    if len(values) % width:
        raise InvalidArgumentError(
            f"matrix must have a size that is a multiple of length + vocab_size = {width}, got {len(values)}"
        )
    return plot_view(layer_view("attention matrix", values, length, vocab_size), ax=ax)
