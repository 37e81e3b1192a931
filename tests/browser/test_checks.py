"""The checks of pages see what they look for: each on a page with just that fault, and on one without."""

from html import escape
from urllib.parse import quote

import pytest

from tests.browser import checks
from tests.browser.conftest import do_without

GOOD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Good</title><style>
.box {{ overflow-x: auto; }} .outer {{ width: 3000px; }}</style>{head}</head><body><main><h1>Good</h1><p>Text.</p>
<div class="box" tabindex="0" role="region" aria-label="wide"><div class="outer">wide</div></div>
<math><mfrac><mi>a</mi><mi>b</mi></mfrac></math>{body}</main></body></html>"""
PIXEL = "data:image/svg+xml," + quote('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')


def too_wide(page):
    return checks.too_wide(page, boxes=".box")


CHECKS = (
    too_wide,
    checks.barriers,
    checks.pale_text,
    checks.broken_images,
    checks.flat_formulas,
    checks.unmarked_stops,
)


@pytest.fixture
def page_with(tmp_path, visit):
    def make(body="", *, head="", **options):
        path = tmp_path / "page.html"
        path.write_text(GOOD.format(head=head, body=body), encoding="utf-8")
        return visit(path, **options)

    return make


def test_nothing_is_found_on_a_good_page(page_with):
    found = page_with(f'<img src="{PIXEL}" alt="a dot" width="9" height="9">', width=390)
    assert {check.__name__: check(found.page) for check in CHECKS} == {check.__name__: [] for check in CHECKS}
    assert found.complaints == []
    assert found.requests == [found.address]


@pytest.mark.parametrize(
    ("check", "body", "word"),
    [
        (too_wide, '<table><tr><td style="min-width: 500px">x</td></tr></table>', "500"),
        (too_wide, "<p>" + "word" * 100 + "</p>", "the page is"),
        (too_wide, '<p style="position: relative; left: 380px">x</p>', "the page is"),
        (checks.barriers, f'<img src="{PIXEL}">', "image-alt"),
        (checks.barriers, '<p style="color: #999999">pale</p>', "color-contrast"),
        (checks.barriers, "<button></button>", "button-name"),
        (checks.pale_text, '<p style="color: #999999">pale</p>', "contrast of 2.84"),
        (
            checks.pale_text,
            '<div class="box"><p style="margin-left: 900px; color: #999999">pale</p></div>',
            "contrast of 2",
        ),
        (checks.pale_text, '<p style="background: linear-gradient(red, blue)">cannot be told</p>', "gradient"),
        (checks.broken_images, '<img src="data:image/png;base64,AAAA" alt="no image">', "no image"),
        (checks.broken_images, f'<img alt="flat" style="height: 0" src="{PIXEL}">', "flat"),
        (checks.flat_formulas, '<math style="display: none"><mi>hidden</mi></math>', "hidden"),
        (checks.flat_formulas, '<math><mfrac style="display: flex"><mi>p</mi><mi>q</mi></mfrac></math>', "mfrac"),
        (checks.unmarked_stops, '<button style="outline: none">silent</button>', "silent"),
    ],
)
def test_a_fault_is_found(page_with, check, body, word):
    assert any(word in one for one in check(page_with(body, width=390).page))


def test_boxes_that_are_not_meant_to_scroll_are_found(page_with):
    page = page_with('<p style="overflow: hidden; white-space: nowrap">' + "word " * 100 + "</p>", width=390).page
    wide, cut = checks.too_wide(page)
    assert wide.startswith('<div class="box"')
    assert cut.startswith('<p style="overflow: hidden')
    assert len(checks.too_wide(page, boxes=".box")) == 1
    assert checks.too_wide(page, boxes=".box, p") == []


def test_axe_passes_over_what_is_excluded(page_with):
    page = page_with('<nav aria-label="n"><button class="theirs"></button></nav><button class="ours"></button>').page
    (found,) = checks.barriers(page, without=["nav .theirs"])
    assert "ours" in found
    assert checks.barriers(page, ignored=["button-name"]) == []


@pytest.mark.parametrize(
    "said",
    ["console.error('said')", "console.warn('said')", "throw new Error('said')", "Promise.reject(new Error('said'))"],
)
def test_complaints_are_heard(page_with, said):
    found = page_with(f"<script>{said}</script>")
    found.page.evaluate("0")
    assert len(found.complaints) == 1
    assert "said" in found.complaints[0]


def test_remarks_are_not_complaints(page_with):
    found = page_with("<script>console.log('said'); console.info('said')</script>")
    assert found.complaints == []


@pytest.mark.parametrize(
    ("body", "head"),
    [
        ('<img src="https://example.invalid/picture.png" alt="a picture">', ""),
        ('<img src="picture.png" alt="a picture">', ""),
        ("", '<link rel="stylesheet" href="https://example.invalid/style.css">'),
        ("", "<style>@import url(https://example.invalid/style.css);</style>"),
        ("", "<style>body { background: url(https://example.invalid/picture.png); }</style>"),
        ("<script>fetch('https://example.invalid/data.json').catch(() => 0)</script>", ""),
        (f'<iframe srcdoc="{escape("<script src=https://example.invalid/x.js></script>")}" title="x"></iframe>', ""),
    ],
)
def test_requests_are_seen(page_with, body, head):
    found = page_with(body, head=head)
    found.page.wait_for_load_state()
    assert found.requests[0] == found.address
    assert len(set(found.requests)) > 1


def test_a_missing_browser_is_an_error_where_all_must_run(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        do_without("no browser")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no browser"):
        do_without("no browser")
