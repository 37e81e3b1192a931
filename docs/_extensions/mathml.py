"""Formulas as MathML: typeset by the browser itself, so that the pages need no script and no network."""

import re
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
RELATIONS = frozenset("=≠<>≤≥≈≡∝→⇒∈⊂⊆")
OPENING, CLOSING = frozenset("([{⟨"), frozenset(")]}⟩")
LONG = 25
"""Symbols in a line of text beyond which a formula may be broken; shorter ones fit any screen."""

WORDS = re.compile(r"(?<=<mtext>).*?(?=</mtext>)")

ElementTree.register_namespace("", NAMESPACE)


def to_mathml(source: str, display: str) -> str:
    r"""Return the formula in MathML; the converter leaves what stands in ``\text`` as it is, markup included.

    Examples
    --------
    >>> "<mtext>a&lt;b</mtext>" in to_mathml(r"\text{a<b}", "inline")
    True
    """
    return WORDS.sub(_escaped, convert(source, display=display))


def _escaped(words: re.Match[str]) -> str:
    return re.sub("&(?!#x)", "&amp;", words[0]).replace("<", "&lt;")


def inline_formula(source: str) -> str:
    r"""Return the formula in MathML, a long one in pieces that end with the relations outside of all brackets.

    Browsers break lines between formulas, never within one, so that a long one would be cut off on a narrow screen.

    Examples
    --------
    >>> inline_formula("x = y").count("<math")
    1
    >>> inline_formula("G_{ij} = E[s_i = s_j] + E[s_i] + E[s_j] + x_i + x_j = 1").count("<math")
    3
    """
    whole = to_mathml(source, "inline")
    formula = ElementTree.fromstring(whole)
    row = formula.find(f"{{{NAMESPACE}}}mrow")
    if row is None or len("".join(formula.itertext())) <= LONG:
        return whole
    pieces, depth = [ElementTree.Element(row.tag)], 0
    for child in row:
        pieces[-1].append(child)
        symbol = child
        while symbol.tag.endswith(("}msub", "}msup", "}msubsup")):  # a bracket with an index is still a bracket
            symbol = symbol[0]
        text = symbol.text if symbol.tag.endswith("}mo") else None
        depth += (text in OPENING) - (text in CLOSING)
        if text in RELATIONS and depth == 0:
            child.set("form", "infix")  # at the end of a piece it would count as a suffix, which has no space around it
            pieces.append(ElementTree.Element(row.tag))
    written = []
    for piece in filter(len, pieces):
        part = ElementTree.Element(formula.tag, formula.attrib)
        part.append(piece)
        written.append(ElementTree.tostring(part, encoding="unicode"))
    return "<wbr>".join(written)


def _visit_inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(inline_formula(node.astext()))
    raise nodes.SkipNode


def _visit_block(translator: Any, node: nodes.math_block) -> None:
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    identifier = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    # A formula wider than the page scrolls by itself; what scrolls can be reached by the keyboard.
    translator.body.append(f'<div class="math" tabindex="0" role="math"{identifier}>{number}')
    translator.body.append(to_mathml(node.astext(), "block"))
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name ``mathml``."""
    app.add_html_math_renderer("mathml", inline_renderers=(_visit_inline, None), block_renderers=(_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
