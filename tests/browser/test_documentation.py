"""The built documentation as a reader meets it, on a phone and on a wide screen. ``make docs`` checks its links."""

import re

import pytest

from tests.browser import checks

pytestmark = [
    pytest.mark.slow,  # the build takes up to a minute
    pytest.mark.compiled,  # and draws figures
]

SCROLL = "div.math, pre, .pst-scrollable-table-container, .visually-hidden"
"""Boxes that are meant to scroll, and labels for screen readers."""

REFERENCE = "reference/generated/causal_theory.edge_scores"
OF_THE_THEME = [
    "nav.bd-docs-nav summary",  # opens a branch of the navigation, and is an icon without a name
]
IGNORED = [
    "empty-table-header",  # Markdown cannot leave the corner of a table out of its header; it bars nobody
]
REMARKS = re.compile("Got invalid theme mode")
"""What the theme writes on the console when no colour mode is preset, before it follows the system, as it should."""


def pages(folder):
    """Every page that somebody has written, the index, and of the generated reference one function and one class."""
    written = [path for path in folder.rglob("*.html") if not {"_static", "generated"} & set(path.parts)]
    return sorted(
        [*written, folder / f"{REFERENCE}.html", folder / "reference/generated/causal_theory.EdgeReport.html"]
    )


def test_there_are_pages_of_all_kinds(documentation):
    names = {path.relative_to(documentation).as_posix() for path in pages(documentation)}
    assert {"index.html", "genindex.html", "reference/index.html"} <= names
    for folder in ("tutorial", "how-to", "theory", "measured", "reference"):
        assert any(name.startswith(f"{folder}/") for name in names), folder
    texts = [path.read_text(encoding="utf-8") for path in pages(documentation)]
    assert sum("<math" in text for text in texts) > 10
    assert sum('<div class="math"' in text for text in texts) > 5


def test_fit_the_window_and_stand_by_themselves(visit, documentation):
    """No page scrolls sideways, complains or asks for anything outside; images and formulas are drawn."""
    jumps = "(all) => all.map((one) => one.scrollHeight - one.clientHeight).filter((jump) => jump).map(String)"
    faults = {}
    found = visit(documentation / "index.html")  # one window for all pages, as readers have it
    page = found.page
    for path in pages(documentation):
        found.complaints.clear()
        found.requests.clear()
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(path.as_uri())
        wrong = checks.broken_images(page) + checks.flat_formulas(page)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            wrong += checks.too_wide(page, boxes=SCROLL)
        # What scrolls sideways does not also move up and down.
        wrong += page.locator("div.math").evaluate_all(jumps)
        wrong += [said for said in found.complaints if not REMARKS.search(said)]
        wrong += [address for address in found.requests if not address.startswith(documentation.as_uri())]
        if wrong:
            faults[path.relative_to(documentation).as_posix()] = wrong
    assert faults == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["index", "tutorial/*", "how-to/*", "theory/*", "measured/*", "reference/*", REFERENCE]
)
def test_have_no_barriers(visit, documentation, name, scheme):
    """Of each kind the longest page."""
    path = max(documentation.glob(f"{name}.html"), key=lambda path: path.stat().st_size)
    found = visit(path, scheme=scheme)
    assert found.page.evaluate("document.documentElement.dataset.theme") == scheme
    assert checks.barriers(found.page, without=OF_THE_THEME, ignored=IGNORED) == []
