"""``report.html`` as a reader meets it: by mouse, by keyboard, on a phone, in the dark, on paper, without a network."""

import re

import pytest

from causal_theory.claims import read_record
from causal_theory.claims.text import show
from tests.browser import checks
from tests.browser.claims import CLAIMS, COMMIT

pytestmark = pytest.mark.compiled  # the report is that of real claims

NAMES = [claim.name for claim in CLAIMS]
BROKEN = "claim_104"
IDENTITY = "S times the limit score of an edge is its information"
ORDER = "the relative error of the first-order formula is of order 1 in beta0"
HELD_TIMERS = "window.later = []; window.setTimeout = (callback) => { window.later.push(callback); };"
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
NO_PERMISSION = "navigator.clipboard.writeText = () => Promise.reject(new DOMException('', 'NotAllowedError'));"


def open_all(page):
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def opened(page):
    return page.locator("details.claim[open]").evaluate_all("(found) => found.map((one) => one.id)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_says_nothing_and_asks_for_nothing(visit, report, scheme):
    found = visit(report, scheme=scheme)
    open_all(found.page)
    assert checks.broken_images(found.page) == []
    found.page.wait_for_load_state("networkidle")
    assert found.complaints == []
    assert found.requests == [found.address]
    assert found.page.locator("img").count() > 5


class TestHead:
    """What a reader sees in the first minute."""

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [390, 800, 1280])
    def test_can_be_read_everywhere(self, visit, report, width, scheme):
        found = visit(report, width=width, scheme=scheme)
        assert checks.too_wide(found.page, boxes=".scroll, main pre, .unseen") == []
        assert checks.barriers(found.page) == []
        assert checks.pale_text(found.page) == []
        assert checks.broken_images(found.page) == []
        assert found.complaints == []

    def test_holds_the_theory_and_how_to_repeat_the_run(self, visit, report):
        head = visit(report).page.locator("header")
        assert head.locator("h1").inner_text().startswith("A theory & its claims <about>")
        words = head.inner_text()
        for text in ("Somebody (“A paper”, 2024) says", "All of it was checked.", f"4 of {len(CLAIMS)} claims", COMMIT):
            assert text in words
        command = "causal-theory verify --claims claims --profile tiny --seed 0"
        assert head.locator("pre").inner_text().startswith(command)

    def test_holds_three_numbers_of_the_record(self, visit, report):
        record = read_record(report.parent / "verification.json")
        tallies = {part.name: part.total for claim in record.claims if claim.run for part in claim.run.parts}
        edges, order = tallies[IDENTITY], tallies[ORDER]
        shown = [
            show(edges.largest_excess),
            f"{order.smallest:.1f} to {order.largest:.1f}",
            "1 of 1",
        ]
        numbers = visit(report).page.locator("header .numbers li")
        assert numbers.locator("strong").all_inner_texts() == shown
        assert f"on {edges.count:,} edges" in numbers.first.inner_text()

    def test_shows_its_figures_side_by_side_and_below_one_another(self, visit, report):
        def places(width):
            images = visit(report, width=width).page.locator("header .hero img")
            assert images.evaluate_all("(all) => all.map((one) => one.alt.split('.')[0])") == [
                "A graph",
                "Another",
                "Error of the first-order gradient of A1",
            ]
            return [image.bounding_box() for image in images.all()]

        wide, narrow = places(1280), places(390)
        assert len({box["y"] for box in wide}) == 1
        assert len({box["x"] for box in narrow}) == 1
        assert min(box["height"] for box in (*wide, *narrow)) > 100

    def test_lists_what_fails_and_where_it_stops(self, visit, report):
        """Claims that do not pass first; every entry leads to its claim."""
        page = visit(report).page
        entries = page.locator("header .limits li")
        numbers = entries.locator("strong").all_inner_texts()
        assert numbers == ["does not pass"] * 3 + ["7 nats"]
        assert "part 'one is less than two' fails" in entries.first.inner_text()
        assert "ZeroDivisionError: made to break" in entries.nth(1).inner_text()
        entries.first.get_by_role("link").click()
        page.wait_for_function("claim_103.open")


def test_claims_open_by_click(visit, report):
    page = visit(report).page
    assert opened(page) == []
    for name in NAMES:
        content = page.locator(f"#{name} > div")
        assert not content.is_visible()
        page.locator(f"#{name} > summary").click()
        assert content.is_visible()
    assert opened(page) == NAMES
    page.locator(f"#{NAMES[0]} > summary").click()
    assert opened(page) == NAMES[1:]


def test_claims_open_by_keyboard(visit, report):
    """From the top of the page with Tab; Enter and the space bar in turn."""
    page = visit(report).page
    reached = []
    for _ in range(300):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "document.activeElement?.matches('summary') ? document.activeElement.parentElement.id : ''"
        )
        if name:
            page.keyboard.press("Space" if len(reached) % 2 else "Enter")
            reached.append(name)
        if name == NAMES[-1]:
            break
    assert reached == NAMES
    assert opened(page) == NAMES


def test_focus_is_visible(visit, report):
    page = visit(report).page
    open_all(page)
    assert checks.unmarked_stops(page) == []


def test_links_open_their_claim(visit, report):
    """Also for a second time, and from an address with the claim's name."""
    page = visit(report).page
    name = NAMES[-1]
    link = page.locator(f'.summary a[href="#{name}"]')
    for press in (link.click, lambda: link.press("Enter")):
        press()
        page.wait_for_function(f"{name}.open")
        assert opened(page) == [name]
        assert page.locator(f"#{name} > summary").bounding_box()["y"] < 800
        page.evaluate(f"{name}.open = false; scrollTo(0, 0)")
    page.goto("about:blank")
    page.goto(f"{report.as_uri()}#{NAMES[1]}")
    assert opened(page) == [NAMES[1]]


def opened_box(page, claim):
    """Open a claim and check what every one shows."""
    box = page.locator(f"#{claim.name}")
    box.locator("> summary").click()
    headings = box.locator("h3").all_inner_texts()
    assert headings == [*([] if claim.name == BROKEN else ["Evidence"]), "Negative control", "Reproduce"]
    statement = box.get_by_role("region", name=f"Statement of claim {claim.number}", exact=True)
    assert statement.is_visible()
    assert statement.locator("math").count() == claim.statement.count("$") / 2
    assert claim.name in box.locator("pre").nth(-2).inner_text()
    return box


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if claim.name == BROKEN], ids=[BROKEN])
def test_a_broken_claim_shows_its_error(visit, report, claim):
    box = opened_box(visit(report).page, claim)
    assert "ZeroDivisionError: made to break" in box.locator("pre").first.inner_text()


WHOLE = [claim for claim in CLAIMS if claim.name != BROKEN]


@pytest.mark.parametrize("claim", WHOLE, ids=[claim.name for claim in WHOLE])
def test_a_claim_shows_all_it_has(visit, report, claim):
    box = opened_box(visit(report).page, claim)
    verdicts = [text for text in box.locator("p").all_inner_texts() if text.startswith("Verdict: ")]
    assert verdicts[0].removeprefix("Verdict: ") in {"holds", "fails", "outside its assumptions"}
    assert len(verdicts) == 2
    assert f"It must fail in: {'; '.join(claim.breaks)}." in box.inner_text()
    for table in box.locator("table").all():
        assert table.is_visible()
        assert table.locator("tbody tr").count() > 0
    if claim.name not in {"claim_103", "claim_105"}:  # which only fail, or measure
        assert box.locator("figure").first.is_visible()
        for image in box.get_by_role("img").all():
            assert len(image.get_attribute("alt")) > 10
            assert image.bounding_box()["height"] > 100


class TestCopy:
    def buttons(self, page):
        page.locator(f"#{NAMES[0]} > summary").click()
        found = page.locator(f"#{NAMES[0]}").get_by_role("button")
        assert found.evaluate_all("(all) => all.map((one) => one.textContent.split(/\\s+/).join(' '))") == [
            "copy Command line of claim 1",
            "copy Python of claim 1",
        ]
        return found.all()

    def let_time_pass(self, button):
        """What a button says is taken back after a while, which comes when a test is ready for it."""
        button.page.evaluate("later.splice(0).forEach((callback) => callback())")
        assert button.page.locator("[role=status]").text_content() == ""
        assert button.inner_text().startswith("copy")

    def test_to_the_clipboard(self, visit, report):
        found = visit(report, beforehand=HELD_TIMERS)
        found.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        for button, kind in zip(self.buttons(found.page), ("command", "python"), strict=True):
            button.click()
            found.page.wait_for_function("document.querySelector('[role=status]').textContent === 'copied'")
            copied = found.page.evaluate("navigator.clipboard.readText()")
            assert copied == found.page.locator(f"#{NAMES[0]}-{kind}").text_content()
            assert NAMES[0] in copied
            assert button.inner_text().startswith("copied")
            self.let_time_pass(button)
        assert found.complaints == []

    @pytest.mark.parametrize("refusal", [NO_CLIPBOARD, NO_PERMISSION], ids=["absent", "refused"])
    def test_selects_where_there_is_no_clipboard(self, visit, report, refusal):
        found = visit(report, beforehand=HELD_TIMERS + refusal)
        for button, kind in zip(self.buttons(found.page), ("command", "python"), strict=True):
            button.click()
            found.page.wait_for_function("document.querySelector('[role=status]').textContent === 'selected'")
            assert button.inner_text().startswith("selected")
            selected = found.page.evaluate("getSelection().toString()")
            assert selected.strip() == found.page.locator(f"#{NAMES[0]}-{kind}").text_content().strip()
            self.let_time_pass(button)
        assert found.complaints == []


def test_without_scripts(visit, report):
    """Claims open, and there is no button that would do nothing."""
    page = visit(report, scripts=False).page
    page.locator(f"#{NAMES[0]} > summary").click()
    assert page.locator(f"#{NAMES[0]} > div").is_visible()
    assert page.locator("button").count() == 2 * len(CLAIMS)
    assert not any(button.is_visible() for button in page.locator("button").all())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_fits_the_window(visit, report, width, scheme):
    page = visit(report, width=width, scheme=scheme).page
    open_all(page)
    assert checks.too_wide(page, boxes=".scroll, pre, .unseen") == []


def test_scroll_boxes_do_not_move_up_and_down(visit, report):
    page = visit(report, width=390).page
    open_all(page)
    heights = page.locator(".scroll").evaluate_all("(all) => all.map((one) => [one.scrollHeight, one.clientHeight])")
    assert heights
    assert [pair for pair in heights if pair[0] != pair[1]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_has_no_barriers(visit, report, scheme):
    page = visit(report, width=390, scheme=scheme).page
    open_all(page)
    assert checks.barriers(page) == []
    assert checks.pale_text(page) == []


def test_dark_is_dark(visit, report):
    """The two tests above do see two schemes."""
    paper = {
        scheme: visit(report, scheme=scheme).page.evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert paper["light"] == "rgb(255, 255, 255)"
    assert max(map(int, re.findall(r"\d+", paper["dark"]))) < 50


def test_formulas_are_typeset(visit, report):
    page = visit(report).page
    open_all(page)
    assert page.locator("math").count() > 10
    assert page.locator("mfrac").count() > 5
    assert checks.flat_formulas(page) == []


class TestPrint:
    """Paper shows every claim in dark ink, whatever is open on the screen, and cuts nothing off."""

    WIDTH = 718  # A4 without its margins, 0.4 inches each, at 96 pixels to the inch

    @pytest.mark.parametrize("scripts", [True, False])
    def test_closed_claims_are_printed(self, visit, report, scripts):
        page = visit(report, width=self.WIDTH, scripts=scripts).page
        contents = page.locator("details.claim > div")
        on_screen = [content.is_visible() for content in contents.all()]
        page.emulate_media(media="print")
        heights = contents.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height)")
        assert not any(on_screen)
        assert len(heights) == len(CLAIMS)
        assert min(heights) > 300

    def test_as_many_sheets_as_with_open_claims(self, visit, report):
        page = visit(report).page
        sheets = [len(re.findall(rb"/Type */Page\b(?!s)", page.pdf(format="A4")))]
        assert opened(page) == []
        open_all(page)
        sheets.append(len(re.findall(rb"/Type */Page\b(?!s)", page.pdf(format="A4"))))
        assert sheets[0] == sheets[1] > len(CLAIMS) / 2

    def test_nothing_is_cut_off(self, visit, report):
        page = visit(report, width=self.WIDTH).page
        page.emulate_media(media="print")
        open_all(page)
        assert checks.too_wide(page) == []

    def test_ink_is_dark(self, visit, report):
        page = visit(report, scheme="dark").page
        page.emulate_media(media="print", color_scheme="dark")
        open_all(page)
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 29, 33)"
        assert checks.pale_text(page) == []
