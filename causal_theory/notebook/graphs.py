"""Draw graphs in SVG: positions in a row, an arc with an arrow from every parent to its child.

Graphs with several parents need nothing else. Of a long graph the first positions are drawn: parents are earlier, so
that no edge into them is missing.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from causal_theory.graphs import CausalGraph
from causal_theory.graphs.layout import lay_out
from causal_theory.notebook.svg import NEGATIVE, POSITIVE, decimal, svg

Edge = tuple[int, int]

LONGEST = 120
"""Longer graphs are not drawn as a whole."""

SHOWN = 60
"""Positions that are drawn of a longer graph."""

NAMED = 20
"""Edges that are named in the text alternative."""

RADIUS = 10.0
PITCH = 28.0
MARGIN = 16.0
STEEPEST = 8.0
HIGHEST = 200.0
"""How far the control points of an arc lie above its ends: at most so much per position that it spans, and overall."""

INSIDE, CUT, LETTER = 3, 16, 6.0
"""Characters of a label that fit into a shape, those after which it is cut, and the width of one in pixels."""

FOOT = 30.0
"""Room below the row of positions for a word."""


@dataclass(frozen=True)
class Drawing:
    """A drawing of a graph.

    Attributes
    ----------
    markup : str
        SVG with a text alternative.
    legend : str
        What the shapes mean, and what is left out.
    width : float
        In pixels.
    """

    markup: str
    legend: str
    width: float


def draw_graph(graph: CausalGraph, *, missed: Collection[Edge] = (), false: Collection[Edge] = ()) -> Drawing:
    """Draw a graph.

    Parameters
    ----------
    graph : CausalGraph
        Any graph.
    missed : collection of (parent, child)
        Edges of the graph to be dashed and coloured.
    false : collection of (parent, child)
        Edges that are not in the graph, drawn below the positions.

    Returns
    -------
    Drawing
        With roots as filled squares, children as circles and the query as a diamond.
    """
    row = _Row(graph, missed, false)
    return Drawing(row.markup(), row.legend(), row.width)


def drawing(graph: CausalGraph) -> str:
    """Return the drawing of a graph, SVG."""
    return draw_graph(graph).markup


class _Row:
    """The positions in a row; y = 0 is the line through their centres until the drawing is moved down."""

    def __init__(self, graph: CausalGraph, missed: Collection[Edge], false: Collection[Edge]) -> None:
        layout = lay_out(graph, None if graph.length <= LONGEST else SHOWN)
        self._graph, self._layout = graph, layout
        self._missed, self._false = set(missed), [edge for edge in false if edge[1] < layout.first]
        # The last position of a long graph stands behind a gap that is filled with a word.
        self._places = {
            i: MARGIN + RADIUS + PITCH * (i if i < layout.first else layout.first + 4) for i in layout.positions
        }
        longest = max((child - parent for parent, child in self._false), default=1)
        self._labels = ["" for _ in layout.kinds] if graph.labels is None else [_short(one) for one in graph.labels]
        self._slope = min(STEEPEST, HIGHEST / max(layout.longest, longest))
        end = max(self._places.values()) + RADIUS + MARGIN
        self.width = end + (24.0 if graph.has_query else 0.0)

    def markup(self) -> str:
        above = self._extent(self._layout.edges) + RADIUS + 4.0
        hanging = max((len(self._labels[i]) + 4 for i in self._hanging), default=-2)
        below = max(self._extent(self._false) + RADIUS + 6.0, FOOT, RADIUS + 16.0 + LETTER * hanging)
        parts = [self._arcs(self._layout.edges, up=True), self._arcs(self._false, up=False)]
        parts += [self._node(i, x) for i, x in self._places.items()]
        if self._layout.left_out:
            *_, before, after = self._places.values()
            parts.append(_word(0.5 * (before + after), 4.0, f"… {self._layout.left_out} more …"))
        moved = f'<g transform="translate(0 {decimal(above)})">{"".join(parts)}</g>'
        return svg(self.width, above + below, self._title(), moved)

    @property
    def _hanging(self) -> list[int]:
        """The positions whose labels hang below them, as they are too long to stand inside."""
        long = [i for i in self._layout.positions if len(self._labels[i]) > INSIDE and self._labels[i] != "query"]
        return [i for i in self._layout.positions if self._labels[i] and self._labels[i] != "query"] if long else []

    def _extent(self, edges: Sequence[Edge]) -> float:
        """Return how high the arcs reach: three quarters of the way to their control points."""
        return max((0.75 * self._rise(edge) + 2.0 for edge in edges), default=0.0)

    def _rise(self, edge: Edge) -> float:
        """Return how far the control points of an arc lie above its ends: longer arcs enclose shorter ones."""
        return 12.0 + self._slope * (edge[1] - edge[0])

    def legend(self) -> str:
        graph = self._graph
        words = "Arrows lead from parent to child. Squares are roots, circles children"
        words += ", the diamond is the query." if graph.has_query else "; the target depends on the positions marked y."
        if self._missed:
            words += " Dashed: edges that were not found."
        if self._false:
            words += " Dotted, below: found, but no edges."
        if self._layout.left_out:
            words += (
                f" Of {graph.length} positions the first {self._layout.first} and the last are drawn; "
                f"{self._layout.left_out} are left out."
            )
        return words

    def _title(self) -> str:
        graph = self._graph
        named = ", ".join(f"{graph.name(parent)} to {graph.name(child)}" for parent, child in graph.edges[:NAMED])
        more = len(graph.edges) - NAMED
        edges = f"edges {named}" + (f" and {more} more" if more > 0 else "") if graph.edges else "no edges"
        last = f"; the query is {_place(graph, graph.length - 1)}" if graph.has_query else ""
        wrong = f"; {len(self._missed)} edges not found, {len(self._false)} false ones" if self._marked else ""
        return f"Causal graph on {graph.length} positions: {edges}{last}{wrong}"

    @property
    def _marked(self) -> bool:
        return bool(self._missed or self._false)

    def _arcs(self, edges: Sequence[Edge], *, up: bool) -> str:
        leaving: dict[int, list[int]] = {}
        entering: dict[int, list[int]] = {}
        for parent, child in edges:
            leaving.setdefault(parent, []).append(child)
            entering.setdefault(child, []).append(parent)
        parts = []
        for parent, child in edges:
            # Short arcs lie inside long ones: they leave further right and arrive further left, and none cross.
            out = _spread(sorted(leaving[parent], reverse=True).index(child), len(leaving[parent]), parent in entering)
            into = -_spread(sorted(entering[child]).index(parent), len(entering[child]), child in leaving)
            start, end = self._places[parent] + out, self._places[child] + into
            parts.append(self._arc((parent, child), start, end, (out, into), up=up))
        return "".join(parts)

    def _arc(self, edge: Edge, start: float, end: float, offsets: tuple[float, float], *, up: bool) -> str:
        sign = -1.0 if up else 1.0
        y0, y1 = (sign * self._reach(i, offset) for i, offset in zip(edge, offsets, strict=True))
        tip = y1 + sign * 1.0
        neck = tip + sign * 5.0
        rise = neck + sign * (self._rise(edge) - 5.0)
        wrong = edge in self._missed or not up
        colour = (NEGATIVE if up else POSITIVE) if wrong else "currentColor"
        dash = f' stroke-dasharray="{"4 3" if up else "1.5 2.5"}"' if wrong else ""
        path = (
            f"M{decimal(start)} {decimal(y0)}C{decimal(start)} {decimal(rise)} {decimal(end)} {decimal(rise)} "
            f"{decimal(end)} {decimal(neck)}"
        )
        head = f"M{decimal(end)} {decimal(tip)}L{decimal(end - 3)} {decimal(neck)}L{decimal(end + 3)} {decimal(neck)}Z"
        width = 2 if wrong else 1.2
        return (
            f'<path d="{path}" stroke="{colour}" stroke-width="{width}"{dash}/>'
            f'<path d="{head}" fill="{colour}" stroke="none"/>'
        )

    def _reach(self, i: int, offset: float) -> float:
        """Return the height of the outline of a position beside its centre."""
        kind = self._layout.kinds[i]
        if kind == "query":
            return RADIUS + 1.0 - abs(offset)
        return math.sqrt(RADIUS**2 - offset**2) if kind == "child" else RADIUS - 1.0

    def _node(self, i: int, x: float) -> str:
        at = decimal(x)
        target = i in self._graph.target_parents
        width = "2.5" if target else "1.4"
        kind = self._layout.kinds[i]
        if kind == "query":
            r = decimal(RADIUS + 2.0)
            shape = f'<path d="M{at} -{r}l{r} {r}l-{r} {r}l-{r} -{r}z" stroke-width="{width}"/>'
        elif kind == "child":
            shape = f'<circle cx="{at}" cy="0" r="{decimal(RADIUS)}" stroke-width="{width}"/>'
        else:
            side = RADIUS - 1.0
            shape = (
                f'<rect x="{decimal(x - side)}" y="{decimal(-side)}" width="{decimal(2 * side)}" '
                f'height="{decimal(2 * side)}" fill="currentColor" fill-opacity=".2" stroke-width="{width}"/>'
            )
        word = ""
        if i in self._hanging:
            word = _hanging_word(x, RADIUS + 8.0, self._labels[i] + (" (y)" if target and kind != "query" else ""))
        elif kind == "query":
            word = _word(x, RADIUS + 15.0, "query")
        elif target:
            word = _word(x, RADIUS + 15.0, "y")
        inside = self._labels[i] if 0 < len(self._labels[i]) <= INSIDE and i not in self._hanging else str(i)
        return shape + _word(x, 3.5, inside, 10.0 if len(inside) < 3 else 8.5) + word


def _spread(k: int, count: int, shared: bool) -> float:
    """Return how far right of the centre the k-th of some arcs leaves; when others arrive, all leave on the right."""
    low, high = (2.5 if shared else -0.6 * RADIUS), 0.6 * RADIUS
    if count == 1:
        return 0.5 * (low + high) if shared else 0.0
    return low + (high - low) * k / (count - 1)


def _short(label: str) -> str:
    return label if len(label) <= CUT else f"{label[: CUT - 1]}…"


def _place(graph: CausalGraph, position: int) -> str:
    return f"position {position}" if graph.labels is None else f"{graph.labels[position]}, position {position}"


def _hanging_word(x: float, y: float, text: str) -> str:
    """Return a word that is read downwards."""
    return (
        f'<text transform="translate({decimal(x - 3.5)} {decimal(y)}) rotate(90)" font-size="10" stroke="none" '
        f'fill="currentColor">{escape(text)}</text>'
    )


def _word(x: float, y: float, text: str, size: float = 11.0) -> str:
    return (
        f'<text x="{decimal(x)}" y="{decimal(y)}" font-size="{decimal(size)}" text-anchor="middle" stroke="none" '
        f'fill="currentColor">{escape(text)}</text>'
    )
