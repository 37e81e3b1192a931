"""Displays of notebooks in a browser: every object on one page, light and dark, on a screen and on a phone."""

import pytest

from tests.browser import checks
from tests.test_notebook import OBJECTS

COLOURS = {"light": "background: #fff; color: #111", "dark": "background: #111; color: #ddd"}


@pytest.fixture
def page(tmp_path, visit):
    def make(scheme, width):
        shown = "".join(f"<h2>Object {k}</h2>{one._repr_html_()}" for k, one in enumerate(OBJECTS.values()))
        path = tmp_path / "notebook.html"
        path.write_text(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Notebook</title></head>'
            f'<body style="{COLOURS[scheme]}"><main><h1>Notebook</h1>{shown}</main></body></html>',
            encoding="utf-8",
        )
        found = visit(path, scheme=scheme, width=width)
        found.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        return found

    return make


@pytest.mark.parametrize("scheme", COLOURS)
def test_can_be_read(page, scheme):
    """Digits in the nodes of a graph are too short or too close to a line for axe, but have the colour of the text."""
    found = page(scheme, 1280)
    assert checks.barriers(found.page) == []
    assert checks.unmarked_stops(found.page) == []
    assert [one for one in checks.pale_text(found.page) if "<text " not in one] == []
    assert found.complaints == []
    assert found.requests == [found.address]


def test_fits_a_phone(page):
    page = page("light", 390).page
    wide = checks.too_wide(page)
    assert [one for one in wide if "overflow-x:auto" not in one] == []
    # The boxes are seen: without them the long graph reaches far beyond the window.
    page.add_style_tag(content="* { overflow: visible !important; }")
    assert len(checks.too_wide(page)) > len(wide)
