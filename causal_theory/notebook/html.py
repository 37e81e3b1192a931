"""Tables and text; everything that is not markup is escaped here, and nowhere else."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import TYPE_CHECKING

from causal_theory.notebook.svg import WIDE
from causal_theory.wording import number

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LINE = "1px solid rgba(128,128,128,.4)"
POSITIVE = "59,143,208"
NEGATIVE = "217,112,43"
STRONGEST = 0.5
"""Opacity of the strongest tint: text in the colour of the page stays legible on it."""

MOST_NUMBERS, MOST_TEXTS = 5, 2
"""Columns beside the names of the rows, all of numbers or not, beyond which a table is put into a box that scrolls."""

LONG_WORD = 18
"""Characters from which a word is broken where it has to be."""

LONG_CAPTION = 28
"""Characters from which a caption is broken into lines where it has to be: a phone may have a wide font."""

ROW = f"background:transparent;border-bottom:{LINE}"
CELL = "padding:.15em .6em;border:0;vertical-align:baseline;max-width:44em"

MOST_ROWS = 30
"""Longer tables are cut, and say so."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    content : object
        Text or a number.
    tint : float
        Between -1 and 1: which of two colours, and how strong.
    strong : bool
        Whether it stands out.
    right : bool
        Whether it is aligned like a number although it is text.
    """

    content: object
    tint: float = 0.0
    strong: bool = False
    right: bool = False


def block(*parts: str) -> str:
    """Return one representation from its parts, which are markup."""
    return f'<div style="margin:.4em 0;line-height:1.4;text-align:left">{"".join(parts)}</div>'


def paragraph(text: object, *, strong: bool = False, small: bool = False) -> str:
    """Return a line of text."""
    style = "margin:.3em 0" + (";font-size:90%" if small else "")
    inner = f"<strong>{escape(str(text))}</strong>" if strong else escape(str(text))
    return f'<p style="{style}">{inner}</p>'


def details(summary: object, *parts: str) -> str:
    """Return markup that is folded away at first."""
    opened = f'<summary style="cursor:pointer">{escape(str(summary))}</summary>'
    return f'<details style="margin:.3em 0">{opened}{"".join(parts)}</details>'


def figure(drawing: str, caption: object, *, width: float = 0.0) -> str:
    """Return a drawing with the text below it; one that is wider than a page can be scrolled, by keyboard as well."""
    if width > WIDE:
        drawing = _frame(caption, drawing)
    words = f'<figcaption style="font-size:90%;margin:.1em 0">{escape(str(caption))}</figcaption>'
    return f'<figure style="margin:.3em 0;text-align:left">{drawing}{words}</figure>'


def _frame(label: object, content: str) -> str:
    """Return content in a box that scrolls sideways, by keyboard as well."""
    named = f'tabindex="0" role="group" aria-label="{escape(str(label))}"'
    return f'<div style="overflow-x:auto;max-width:100%" {named}>{content}</div>'


def facts(caption: object, rows: Mapping[str, object]) -> str:
    """Return a table of names and values."""
    body = "".join(_row((name, value), right=()) for name, value in rows.items())
    return _table(caption, f"<tbody>{body}</tbody>")


def settings_table(caption: object, settings: "DataclassInstance") -> str:
    """Return a table of the fields of a data class; those that differ from their defaults stand out."""
    rows: dict[str, object] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        rows[field.name] = Cell(value if isinstance(value, int | float) else str(value), strong=value != field.default)
    return facts(caption, rows) + paragraph("In bold: not the default.", small=True)


def table(caption: object, header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a table whose first column names the rows; what is longer than 30 rows is cut, and says so."""
    whole = list(rows)
    right = {k for k in range(1, len(header)) if whole and all(_is_number(row[k]) for row in whole)}
    head = "".join(_heading(name, "col", k in right) for k, name in enumerate(header))
    body = "".join(_row(row, right) for row in whole[:MOST_ROWS])
    left = len(whole) - MOST_ROWS
    note = paragraph(f"and {left} more rows", small=True) if left > 0 else ""
    found = _table(caption, f'<thead><tr style="{ROW}">{head}</tr></thead><tbody>{body}</tbody>')
    columns = len(header) - 1
    room = MOST_NUMBERS if len(right) == columns else MOST_TEXTS
    return (_frame(caption, found) if columns > room else found) + note


def _table(caption: object, content: str) -> str:
    style = "border-collapse:collapse;table-layout:auto;width:auto;margin:.3em 0;color:inherit;border:0"
    text = escape(str(caption))
    above = "caption-side:top;text-align:left;font-weight:bold;color:inherit;padding:.2em 0"
    above += ";min-width:min(30em,85vw)" if len(text) > LONG_CAPTION else ";white-space:nowrap"
    return f'<table style="{style}"><caption style="{above}">{text}</caption>{content}</table>'


def _heading(name: object, scope: str, right: bool = False) -> str:
    text = escape(str(name))
    if not text:
        # A header without a name is announced as one; an empty cell is not.
        return f'<td style="{CELL}"></td>'
    style = f"{CELL};text-align:{'right' if right else 'left'};font-weight:normal;font-style:italic"
    return f'<th scope="{scope}" style="{style}">{text}</th>'


def _row(cells: Sequence[object], right: Collection[int]) -> str:
    first, *rest = cells
    inner = "".join(_cell(cell, k in right) for k, cell in enumerate(rest, start=1))
    return f'<tr style="{ROW}">{_heading(first, "row")}{inner}</tr>'


def _is_number(value: object) -> bool:
    if isinstance(value, Cell):
        return value.right
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object, right: bool) -> str:
    cell = value if isinstance(value, Cell) else Cell(value)
    content = cell.content
    if isinstance(content, bool):
        text = "yes" if content else "no"
    else:
        text = number(content) if isinstance(content, float) else str(content)
    style = f"{CELL};text-align:right;font-variant-numeric:tabular-nums" if right else f"{CELL};text-align:left"
    if max(map(len, text.split()), default=0) > LONG_WORD:
        style += ";overflow-wrap:anywhere"
    if cell.tint:
        opacity = STRONGEST * min(abs(cell.tint), 1.0)
        style += f";background:rgba({POSITIVE if cell.tint > 0 else NEGATIVE},{opacity:.2f})"
    inner = escape(text)
    return f'<td style="{style}">{f"<strong>{inner}</strong>" if cell.strong else inner}</td>'
