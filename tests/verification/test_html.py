"""The report as one page: drawn from the file alone, whole, readable without sight and without network."""

import html
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from causal_theory.claims import find_claims, read_record
from causal_theory.claims.files import FILE_NAME
from causal_theory.claims.report import rich_text, write_report
from causal_theory.cli import app
from tests.verification import made_up
from tests.verification.made_up import PART, write_claim

VOID = {"meta", "img", "link", "br", "input", "hr"}
CLAIMS = Path(__file__).parents[2] / "verification" / "claims"


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
def page(tmp_path):
    def make(*bodies, **declared):
        for number, body in enumerate(bodies, 1):
            write_claim(tmp_path / "claims", number, body, **declared)
        arguments = ["--claims", str(tmp_path / "claims"), "--out", str(tmp_path / "out")]
        CliRunner().invoke(app, ["verify", *arguments])
        return Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))

    return make


def test_says_what_was_found(page):
    found = page(made_up.HOLDS, made_up.FAILS)
    assert "1 of 2 claims hold and have a negative control that fails" in found.words
    assert "Do the claims hold?" in found.words
    for text in ("<= 2", "case a < b", "a note", "a_b", "0.1235", "It must fail in: one is less than two."):
        assert text in found.words
    claims = [attributes["id"] for attributes in found.all("details")]
    assert claims == ["claim_1", "claim_2"]
    assert {"#claim_1", "#claim_2"} <= {attributes["href"] for attributes in found.all("a")}
    assert f"Does not pass: part {PART!r} fails" in found.words


def test_a_claim_that_holds_and_does_not_pass_is_told_at_a_glance(page):
    """What its control does not break stands beside the verdict, in the list and where the claim is opened."""
    assert page(made_up.HOLDS_ALWAYS).words.count("holds, does not pass") == 2
    assert "does not pass" not in page(made_up.HOLDS).words


def test_is_drawn_from_the_file_alone(page, tmp_path):
    page(made_up.HOLDS + "check.within('grouped', [1.0, 2.0], high=3.0, by='g')")
    record = read_record(tmp_path / "out" / FILE_NAME)
    (tmp_path / "again").mkdir()
    again = write_report(tmp_path / "again", record)
    assert again.read_bytes() == (tmp_path / "out" / "report.html").read_bytes()


def test_says_where_it_stops(page):
    """Parts outside the assumptions are listed at the top, by claim; without any, the page says so."""
    found = page(made_up.OUTSIDE, outside=("beyond",))
    assert (
        "Where it stops Also measured outside the assumptions, where nothing fails: beyond, 7 (claim 1)." in found.words
    )
    assert "Nothing outside the assumptions" in page(made_up.HOLDS).words


def test_what_fails_outside_comes_worst_first(page):
    """With how much of it fails, and the worst; claims that do not pass come before all."""
    body = "check.within('half', [1.0, 3.0], high=2.0)\ncheck.within('whole', 5.0, high=2.0)\n" + made_up.HOLDS
    found = page(body, made_up.FAILS, outside=("half", "whole")).words
    texts = (
        f"does not pass part {PART!r} fails",
        "1 of 1 fail in the part “whole”, the worst: 5. claim 1",
        "1 of 2 fail in the part “half”, the worst: 3 (entry 1). claim 1",
    )
    places = [found.index(text) for text in texts]
    assert places == sorted(places)


def test_says_how_to_repeat_it(page):
    assert (
        "hold and have a negative control that fails, as it must. This command repeats the run"
        in page(made_up.HOLDS).words
    )


def test_a_control_that_fails_is_wanted(page):
    """In the list, in its verdict and in the part that it must break; one that holds is not."""
    found = page(made_up.HOLDS).words
    assert found.count(f"fails, as it must: {PART}") == 1
    assert f"It must fail in: {PART}. Verdict: fails, as it must" in found
    assert f"{PART}fails, as it must<= 2" in found
    found = page(made_up.HOLDS_ALWAYS).words
    assert f"It must fail in: {PART}. Verdict: holds, and must fail" in found
    assert f"{PART}holds, and must fail<= 2" in found
    assert "fails, as it must" not in found.partition("All claims")[2]


def test_a_part_that_the_control_need_not_break_is_not_wanted(page):
    assert "another partfailsequal" in page(made_up.CONTROL_BREAKS_MORE).words


def test_assumptions_that_are_not_met_are_named(page):
    """Beside their number, with the priors that break them."""
    body = made_up.HOLDS + (
        "from causal_theory import PointPrior\n"
        "check.assumptions('sticky', [PointPrior([[0.9, 0.1], [0.1, 0.9]])])\n"
        "check.assumptions('mild', [PointPrior([[0.5, 0.5], [0.4, 0.6]])])\n"
    )
    found = page(body, assumptions=("non_degeneracy", "constant_mean")).words
    assert "2 of 4; not met: 4 constant mean on sticky (0 of 1); 4 constant mean on mild (0 of 1)" in found
    assert "yes" in page(body, assumptions=("non_degeneracy",)).words
    assert "needs none" in page(body).words


def test_stands_by_itself(page):
    """No address is fetched: images are part of the page, styles and the script too."""
    found = page(made_up.HOLDS)
    for tag, attributes in found.elements:
        for name in ("src", "href", "data", "action", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/svg+xml;base64,")), (tag, name, value)
    assert not found.all("link")
    assert found.all("style")
    assert len(found.all("img")) == 1


def test_is_readable_without_sight(page):
    found = page(made_up.HOLDS)
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


def test_what_cannot_be_drawn_does_not_lose_the_page(page):
    """Neither infinities nor numbers without a place on a logarithmic axis, nor empty figures."""
    body = """
inf, nan = float("inf"), float("nan")
check.figure("Some", {"a": ((1.0, 2.0, 3.0), (1.0, nan, -1.0))}, x="x", y="y", description="some points")
check.figure("None", {"a": ((1.0, 2.0), (inf, 0.0)), "b": ((), ())}, x="x", y="y", description="no points")
check.matrices("Gaps", {"a": ((1.0, inf), (nan, 2.0)), "b": ((nan, nan), (nan, nan))}, description="with gaps")
check.row("table", nan=nan, inf=-inf)
"""
    found = page(made_up.HOLDS + body)
    assert len(found.all("img")) == 4
    assert "-inf" in found.words


def test_long_tables_are_cut(page, tmp_path):
    """The page says so, and the record has all rows."""
    found = page(made_up.HOLDS + "for k in range(1005): check.row('long', k=k + 10_000)")
    assert "long, the first 1000 of 1005 rows" in found.words
    assert "10999" in found.words
    assert "11004" not in found.words
    assert len(read_record(tmp_path / "out" / FILE_NAME).claims[0].run.tables[1].rows) == 1005


def test_errors_are_shown(page):
    found = page(made_up.BREAKS)
    assert found.words.count("an error stopped it: ZeroDivisionError: made to break") == 3
    assert "0 of 1 claims" in found.words


def test_text_is_not_taken_for_markup():
    assert rich_text("<script>alert(1)</script> & **<b>** `<i>`") == (
        "&lt;script&gt;alert(1)&lt;/script&gt; &amp; <strong>&lt;b&gt;</strong> <code>&lt;i&gt;</code>"
    )


@pytest.mark.parametrize("claim", find_claims(CLAIMS), ids=lambda claim: claim.name)
def test_formulas_of_all_claims_are_typeset(claim):
    """Every formula becomes MathML in full: no dollar sign and no command is left over."""
    for text in (claim.statement, claim.source, claim.control):
        found = rich_text(text)
        assert found.count("<math") == text.count("$") / 2
        assert "$" not in found
        assert not re.search(r"\\[a-zA-Z]+", found)
        Page(f"<p>{found}</p>")


def test_snippets_run(tmp_path, capsys):
    """Those of the page run the claim with its profile and seed, to the same result, whatever its folder is called."""
    folder = tmp_path / "my 'claims' ü"
    write_claim(folder, 1)
    CliRunner().invoke(app, ["verify", "--claims", str(folder), "--out", str(tmp_path / "out")])
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    command = html.unescape(re.search(r'id="claim_1-command"><code>causal-theory (.*?)</code>', text, re.S)[1])
    found = CliRunner().invoke(app, [*shlex.split(command), "--out", str(tmp_path / "again")])
    assert found.exit_code == 0, found.output
    code = html.unescape(re.search(r'id="claim_1-python"><code>(.*?)</code>', text, re.S)[1])
    exec(code, {})
    assert capsys.readouterr().out.strip() == "holds 1"
