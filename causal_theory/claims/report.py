"""Write ``report.html`` from a record alone: one page with nothing outside itself, and its figures as files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from latex2mathml.converter import convert
from markupsafe import Markup, escape

from causal_theory.claims.figures import draw_figures
from causal_theory.claims.head import limits, told
from causal_theory.claims.records import Record
from causal_theory.claims.text import cell_text, closest_text, interval_text, requirement, show
from causal_theory.files import write_text

FILE_NAME = "report.html"

MOST_ROWS = 1000
"""Of a table on the page; the record has all."""

PIECES = re.compile(r"(\$[^$]+\$|\*\*[^*]+\*\*|`[^`]+`)")


def write_report(folder: str | Path, record: Record, drawn: Mapping[str, Sequence[str]] | None = None) -> Path:
    """Write the page and the folder ``figures``, and return the path of the page.

    The record is one that ``read_record`` returns, so that its file alone gives the same page. By name of a claim
    ``drawn`` holds what ``draw_figures`` returned of figures that are in the folder already.
    """
    folder = Path(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    # Somebody may have removed what workers had drawn.
    left = {path.name for path in (folder / "figures").iterdir()}
    images = dict(drawn or {})
    for claim in record.claims:
        files = {
            f"{claim.name}_{k + 1}.{end}" for k in range(len(images.get(claim.name, ()))) for end in ("png", "svg")
        }
        if not files or not files <= left:
            images[claim.name] = draw_figures(folder, claim)
    page = _environment().get_template("report.html.j2").render(record=record, images=images, most=MOST_ROWS)
    write_text(folder / FILE_NAME, page + "\n")
    return folder / FILE_NAME


def rich_text(text: str) -> Markup:
    r"""Turn Markdown with ``$formulas$``, ``**bold**`` and code into HTML; formulas become MathML, without any script.

    Examples
    --------
    >>> print(rich_text("**every** < & `c`"))
    <strong>every</strong> &lt; &amp; <code>c</code>
    >>> print(rich_text("$x$"))
    <math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><mi>x</mi></mrow></math>
    """
    return Markup().join(_piece(piece) for piece in PIECES.split(text))


def _piece(piece: str) -> Markup:
    if piece.startswith("$") and piece.endswith("$") and len(piece) > 2:
        return Markup(convert(piece[1:-1]))
    if piece.startswith("**") and len(piece) > 4:
        return Markup("<strong>{}</strong>").format(piece[2:-2])
    if piece.startswith("`") and len(piece) > 2:
        return Markup("<code>{}</code>").format(piece[1:-1])
    return escape(piece)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("causal_theory.claims"),
        autoescape=select_autoescape(enabled_extensions=("j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    texts = {"cell": cell_text, "closest": closest_text, "interval": interval_text, "requirement": requirement}
    environment.filters |= {"rich": rich_text, "show": show, **texts, "limits": limits, "told": told}
    return environment
