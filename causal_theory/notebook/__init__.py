"""What notebooks show: HTML and SVG that take on the colours of the page.

Everything is one string without ids, scripts, style sheets or links, so that it can stand anywhere, any number of
times. Colours are those of the page, or semi-transparent, or of middle lightness: they can be read on light and on dark
ground, and nothing is told by colour alone. Tables have captions and scopes, drawings a text alternative.
"""

from causal_theory.notebook.arrays import array_block, heat_table
from causal_theory.notebook.html import Cell, block, details, facts, figure, paragraph, settings_table, table
from causal_theory.notebook.numbers import count, number, same_decimals, shape_text, with_error
from causal_theory.notebook.svg import heat_map, sparkline, svg

__all__ = [
    "Cell",
    "array_block",
    "block",
    "count",
    "details",
    "facts",
    "figure",
    "heat_map",
    "heat_table",
    "number",
    "paragraph",
    "same_decimals",
    "settings_table",
    "shape_text",
    "sparkline",
    "svg",
    "table",
    "with_error",
]
