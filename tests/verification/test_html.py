"""The report as one page: whole, by itself, readable without sight and without network."""

import json
import re
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from tests.verification import made_up
from verification import cli, figures
from verification.html import rich_text
from verification.registry import discover

VOID = {"meta", "img", "link", "br", "input", "hr"}


class Page(HTMLParser):
    """Collects elements, and checks that every one is closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"style", "script"}:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self):
        return " ".join("".join(self.text).split())


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_draw_families", lambda target, seed: [])

    def make(claims):
        monkeypatch.setattr(cli, "discover", lambda: tuple(claims))
        CliRunner().invoke(cli.app, ["--out", str(tmp_path / "out")])
        return Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))

    return make


def test_says_what_was_found(page):
    found = page([made_up.claim(1), made_up.claim(2, run=made_up.fails)])
    assert "1 of 2 claims hold and have a negative control that fails" in found.words
    for text in ("one | two < three", "about one", "a note", "a_b", "0.1235", "witness", "made up"):
        assert text in found.words
    claims = [attributes["id"] for attributes in found.all("details")]
    assert claims == ["claim_1", "claim_2"]
    links = {attributes["href"] for attributes in found.all("a")}
    assert {"#claim_1", "#claim_2"} <= links
    assert "Does not pass: the claim's verdict is 'fails'" in found.words


def test_says_where_it_stops(page):
    """Parts outside the assumptions are listed at the top, by claim; without any, the page says so."""
    found = page([made_up.claim(1), made_up.claim(2, run=made_up.holds_in_part, declared_outside=("beyond",))])
    assert "Where it stops Claim 2, beyond: something" in found.words
    assert "Nothing outside the assumptions" in page([made_up.claim(1)]).words


def test_stands_by_itself(page):
    """No address is fetched: images are part of the page, styles and the script too."""
    found = page([made_up.claim(1)])
    for tag, attributes in found.elements:
        for name in ("src", "href", "data", "action", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/svg+xml;base64,")), (tag, name, value)
    assert not found.all("link")
    assert found.all("style")
    assert len(found.all("img")) == 1


def test_is_readable_without_sight(page):
    found = page([made_up.claim(1)])
    assert found.all("html")[0]["lang"] == "en"
    assert found.all("title")
    assert all(len(attributes["alt"]) > 5 for attributes in found.all("img"))
    assert all(attributes.get("scope") == "col" for attributes in found.all("th"))
    assert len(found.all("caption")) == len(found.all("table"))
    identifiers = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    for attributes in found.all("button"):
        assert attributes["data-copy"] in identifiers
    # What scrolls can be reached by the keyboard.
    for attributes in [*found.all("pre"), *(a for a in found.all("div") if a.get("class") == "scroll")]:
        assert attributes["tabindex"] == "0"
    regions = [attributes["aria-label"] for attributes in found.all("div") if attributes.get("role") == "region"]
    assert len(set(regions)) == len(regions)


def test_errors_are_shown(page):
    found = page([made_up.claim(1, run=made_up.breaks)])
    assert "ZeroDivisionError: made to break" in found.words
    assert "0 of 1 claims" in found.words


def test_text_is_not_taken_for_markup():
    assert rich_text("<script>alert(1)</script> & **<b>** `<i>`") == (
        "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <strong>&lt;b&gt;</strong> <code>&lt;i&gt;</code>"
    )


@pytest.mark.parametrize("claim", discover(), ids=lambda claim: claim.name)
def test_formulas_of_all_claims_are_typeset(claim):
    """Every formula becomes MathML in full: no dollar sign and no command is left over."""
    for text in (claim.statement, claim.source, claim.control_statement):
        found = rich_text(text)
        assert found.count("<math") == text.count("$") / 2
        assert "$" not in found
        assert not re.search(r"\\[a-zA-Z]+", found)
        Page(f"<p>{found}</p>")


def test_snippets_run(page, tmp_path, capsys):
    """The Python of the page runs the claim with its profile and seed, to the same result."""
    page([claim for claim in discover() if claim.name == "edge_score_is_chi2"])
    record = json.loads((tmp_path / "out" / "verification.json").read_text(encoding="utf-8"))
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    code = re.search(r'id="edge_score_is_chi2-python"><code>(.*?)</code>', text, re.S)[1]
    exec(code.replace("&#34;", '"').replace("&gt;", ">").replace("&lt;", "<").replace("&#39;", "'"), {})
    evidence = record["claims"][0]["evidence"]
    assert capsys.readouterr().out.strip() == f"{evidence['verdict']} {evidence['measured']['text']}"
