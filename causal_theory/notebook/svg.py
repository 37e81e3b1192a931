"""Small drawings: lines, heat maps, and the frame of every drawing."""

import math
from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

POSITIVE = "#3b8fd0"
NEGATIVE = "#d9702b"
"""Blue and orange that stand out from white and from black, and from each other without red or green receptors."""

DASHES = ("6 3", "1.5 3", "6 3 1.5 3")

WIDE = 600.0
"""Wider drawings, in pixels, are put into a box that scrolls."""

WIDTH, HEIGHT, EDGE = 300, 70, 5
MOST_POINTS = 300
MAP_SIZE = 240
MOST_CELLS = 40
LEVELS = 8


def svg(width: float, height: float, title: str, content: str) -> str:
    """Return a drawing with its text alternative; lines are in the colour of the page unless told otherwise.

    On a narrow page it shrinks, unless it is wide: then it is meant for a box that scrolls.
    """
    fit = "max-width:none" if width > WIDE else "max-width:100%;height:auto"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{decimal(width)}" height="{decimal(height)}" '
        f'viewBox="0 0 {decimal(width)} {decimal(height)}" fill="none" stroke="currentColor" '
        f'font-family="sans-serif" style="{fit};vertical-align:top">'
        f"<title>{escape(title)}</title>{content}</svg>"
    )


def decimal(value: float) -> str:
    """Return a coordinate to a tenth of a pixel.

    Examples
    --------
    >>> decimal(2.0), decimal(-0.04), decimal(1 / 3)
    ('2', '0', '0.3')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def sparkline(values: ArrayLike, title: str, *, lines: Sequence[float] = ()) -> str:
    """Draw values one after the other, with horizontal lines to compare with: dashed, dotted, dash-dotted.

    Values that are not finite leave gaps. An empty string is returned when fewer than two are finite.
    """
    y = np.asarray(values, dtype=np.float64).ravel()
    x = np.linspace(0.0, 1.0, len(y))
    if len(y) > MOST_POINTS:
        kept = np.unique(np.linspace(0, len(y) - 1, MOST_POINTS).astype(np.int64))
        x, y = x[kept], y[kept]
    if np.isfinite(y).sum() < 2:
        return ""
    seen = [*y[np.isfinite(y)].tolist(), *(line for line in lines if math.isfinite(line))]
    scale = max(map(abs, seen)) or 1.0  # divided by it, the span of the values cannot overflow
    low, high = min(seen) / scale, max(seen) / scale

    def place(value: float) -> float:
        share = (value / scale - low) / (high - low) if high > low else 0.5
        return HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE)

    parts = [
        f'<path d="M{EDGE} {decimal(place(line))}H{WIDTH - EDGE}" stroke-dasharray="{DASHES[k % len(DASHES)]}"/>'
        for k, line in enumerate(lines)
        if math.isfinite(line)
    ]
    parts.append(_curve([EDGE + float(t) * (WIDTH - 2 * EDGE) for t in x], [float(v) for v in y], place))
    return svg(WIDTH, HEIGHT, title, "".join(parts))


def _curve(xs: Sequence[float], ys: Sequence[float], place: Callable[[float], float]) -> str:
    """Return the path through the finite values; a value without neighbours is a dot."""
    pieces: list[list[str]] = [[]]
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(y):
            pieces[-1].append(f"{decimal(x)} {decimal(place(y))}")
        elif pieces[-1]:
            pieces.append([])
    path = "".join("M" + "L".join(piece if len(piece) > 1 else piece * 2) for piece in pieces if piece)
    return f'<path d="{path}" stroke="{POSITIVE}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>'


def heat_map(matrix: NDArray[np.float64], title: str) -> str:
    """Draw a matrix as coloured squares: blue above zero, orange below, stronger for larger absolute values.

    Larger matrices are drawn in blocks, each by its entry of largest absolute value; :func:`block_size` says how large
    these are. Entries that are not finite are left out.
    """
    step = block_size(matrix.shape)
    cells = _reduce(np.where(np.isfinite(matrix), matrix, 0.0), step)
    rows, columns = cells.shape
    side = max(MAP_SIZE // max(rows, columns, 1), 1)
    largest = float(np.abs(cells).max(initial=0.0))
    levels = np.zeros(cells.shape, dtype=np.int64)
    if largest > 0.0:
        # Divided first: the quotient of two denormal numbers does not overflow.
        levels = np.round(cells / largest * LEVELS).astype(np.int64)
    parts = [
        f'<path d="{_runs(levels == level, side)}" fill="{POSITIVE if level > 0 else NEGATIVE}" '
        f'fill-opacity="{abs(level) / LEVELS:.3g}"/>'
        for level in sorted(set(levels.ravel().tolist()) - {0})
    ]
    inside = f'<g stroke="none" shape-rendering="crispEdges">{"".join(parts)}</g>'
    frame = f'<path d="M.5 .5H{columns * side + 1}.5V{rows * side + 1}.5H.5Z" stroke-opacity=".5"/>'
    moved = f'<g transform="translate(1 1)">{inside}</g>'
    return svg(columns * side + 2, rows * side + 2, title, moved + frame)


def block_size(shape: tuple[int, ...]) -> int:
    """Return how many rows and columns one square of a heat map stands for."""
    return -(-max(*shape, 1) // MOST_CELLS)


def _reduce(matrix: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Return the entry of largest absolute value of every block, with its sign."""
    if step == 1:
        return matrix
    rows, columns = (-(-size // step) for size in matrix.shape)
    padded = np.zeros((rows * step, columns * step))
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    blocks = padded.reshape(rows, step, columns, step).swapaxes(1, 2).reshape(rows, columns, step * step)
    where = np.abs(blocks).argmax(axis=2)[..., np.newaxis]
    found: NDArray[np.float64] = np.take_along_axis(blocks, where, axis=2)[..., 0]
    return found


def _runs(mask: NDArray[np.bool_], side: int) -> str:
    """Return the outline of the marked squares, those that touch in a row drawn as one."""
    parts = []
    for i, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            parts.append(f"M{start * side} {i * side}h{(end - start) * side}v{side}h{-(end - start) * side}z")
    return "".join(parts)
