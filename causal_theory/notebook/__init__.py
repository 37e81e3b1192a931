"""Show objects in notebooks: HTML and SVG that take on the colours of the page.

Everything is one string without ids, scripts, style sheets or links, so that it can stand anywhere, any number of
times. Colours are those of the page, or semi-transparent, or of middle lightness: they can be read on light and on dark
ground, and nothing is told by colour alone. Tables have captions and scopes, drawings a text alternative.

One module for each part of the package says what is shown of its classes.
"""

from causal_theory.notebook import (  # noqa: F401  each registers its classes
    dynamics,
    estimates,
    falsification,
    models,
    priors,
    recovery,
    sweeps,
    tasks,
    training,
)
from causal_theory.notebook.arrays import array_block, heat_table
from causal_theory.notebook.graphs import draw_graph, drawing
from causal_theory.notebook.html import Cell, block, details, facts, figure, paragraph, settings_table, table
from causal_theory.notebook.shown import markup, parts_of
from causal_theory.notebook.svg import heat_map, sparkline, svg

__all__ = [
    "Cell",
    "array_block",
    "block",
    "details",
    "draw_graph",
    "drawing",
    "facts",
    "figure",
    "heat_map",
    "heat_table",
    "markup",
    "paragraph",
    "parts_of",
    "settings_table",
    "sparkline",
    "svg",
    "table",
]
