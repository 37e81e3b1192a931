"""Checks of a page, each of which returns a list of faults; ``test_checks.py`` makes it find some.

The page's own scripts are never asked: each check measures what the browser has laid out.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page


class Visit:
    """A page, what it said on the console, and what it asked for.

    Attributes
    ----------
    page : playwright.sync_api.Page
        The page.
    address : str
        Where it is.
    complaints : list of str
        Errors and warnings on the console, and exceptions that no script caught.
    requests : list of str
        Addresses of all requests, the page's own first.
    """

    def __init__(self, page: "Page", address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning", "assert"}:
            self.complaints.append(f"{message.type}: {message.text}")


def too_wide(page: "Page", *, boxes: str = ":not(*)") -> list[str]:
    """Elements wider than their room: those that reach beyond the window, and boxes that scroll sideways or cut text.

    ``boxes`` selects the boxes that are meant to scroll; what they hold may have any width.
    """
    return page.evaluate(
        """(boxes) => {
            const root = document.documentElement;
            const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && one.clientWidth > 1;
            const clips = (one) => getComputedStyle(one).overflowX !== "visible";
            const shortens = (one) => getComputedStyle(one).textOverflow === "ellipsis";
            const all = [...document.body.querySelectorAll("*")].filter((one) => !one.parentElement.closest(boxes));
            const inBox = (one) => {
                for (let box = one.parentElement; box && box !== document.body; box = box.parentElement)
                    if (clips(box)) return true;
                return false;
            };
            const found = all
                .filter((one) => shown(one) && clips(one) && !one.matches(boxes) && !shortens(one))
                .filter((one) => one.scrollWidth > one.clientWidth + 1)
                .map((one) => `${one.outerHTML.slice(0, 120)} holds ${one.scrollWidth} in ${one.clientWidth}`);
            found.push(...all
                .map((one) => [one, one.getClientRects().length ? one.getBoundingClientRect().right : 0])
                .filter(([one, end]) => end > root.clientWidth + 1 && !inBox(one))
                .map(([one, end]) => `${one.outerHTML.slice(0, 120)} ends at ${end}`));
            const { scrollWidth, clientWidth } = document.scrollingElement;
            if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} wide in a window of ${clientWidth}`);
            return found;
        }""",
        boxes,
    )


def barriers(page: "Page", *, without: Sequence[str] = (), ignored: Sequence[str] = ()) -> list[str]:
    """Findings of axe, outside of the elements that ``without`` selects and by all but the ``ignored`` rules."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": False} for rule in ignored}}
    context = {"exclude": [[selector] for selector in without]} if without else None
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


def pale_text(page: "Page") -> list[str]:
    """Text with too little contrast, or whose contrast axe cannot tell.

    It cannot where a scroll box hides the text, so that all boxes are unfolded for it. Single symbols, such as the
    minus sign, are no text to it; they are left out and have the colour of the letters around them.
    """
    from axe_playwright_python.sync_playwright import Axe

    unfolded = "* { overflow: visible !important; } body { width: max-content !important; max-width: none !important; }"
    page.add_style_tag(content=unfolded)
    options = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations", "incomplete"]}
    found = Axe().run(page, options=options).response
    return [
        f"{kind}: {node['html'][:200]}: {node['any'][0]['message']}"
        for kind in ("violations", "incomplete")
        for rule in found[kind]
        for node in rule["nodes"]
        if node["any"][0]["data"].get("messageKey") != "nonBmp"
    ]


def broken_images(page: "Page") -> list[str]:
    """Images that the browser could not draw, or draws without a size."""
    return page.evaluate(
        """async () => {
            const images = [...document.images];
            for (const image of images) image.loading = "eager";
            await Promise.all(images.map((image) => image.decode().catch(() => null)));
            return images
                .filter((image) => !image.naturalWidth || image.getBoundingClientRect().height < 2)
                .map((image) => image.outerHTML.slice(0, 120));
        }"""
    )


def flat_formulas(page: "Page") -> list[str]:
    """Formulas that take no room, or that the browser does not typeset: a fraction no higher than a letter."""
    return page.evaluate(
        """() => {
            const height = (element) => element.getBoundingClientRect().height;
            const flat = [...document.querySelectorAll("math")]
                .filter((one) => one.getBoundingClientRect().width < 1 || height(one) < 1);
            const fractions = [...document.querySelectorAll("mfrac")]
                .filter((one) => height(one) <= 1.2 * Math.max(...[...one.children].map(height)));
            return [...flat, ...fractions].map((one) => one.outerHTML.slice(0, 200));
        }"""
    )


def unmarked_stops(page: "Page", most: int = 500) -> list[str]:
    """Elements that show no sign of it when the keyboard reaches them, from the top of the page to its end."""
    found = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
                const one = document.activeElement;
                if (!one || one === document.body) return null;
                const style = getComputedStyle(one);
                const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
                return [marked, one.outerHTML.slice(0, 120)];
            }"""
        )
        if stop is None:
            return found
        if not stop[0]:
            found.append(stop[1])
    return [*found, f"the end of the page is not reached in {most} steps"]
