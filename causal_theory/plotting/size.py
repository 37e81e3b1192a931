"""Sizes of figures, in inches, and of what is in them, in points."""

from contextvars import ContextVar
from typing import Any

from causal_theory.errors import InvalidArgumentError
from causal_theory.validation import check_real
from causal_theory.wording import needed

WIDTHS = {"column": 3.3, "page": 6.9}
"""Inches of one column and of two, in most journals and proceedings."""

NARROWEST, WIDEST = 1.0, 40.0
"""Inches between which a figure can be drawn."""

FONT = 10.0
"""Points of the font beside which sizes are given."""

CHARACTER, LETTER, LINE = 0.62, 0.58, 1.5
"""Width of a digit, mean width of a letter, and height of a line, in units of the size of the font."""

LOWEST = 2.0
"""Inches of height that a figure takes beside that font."""

style_width: ContextVar[float | None] = ContextVar("style_width", default=None)
"""Width of new figures in inches that the style asks for, None for their natural one."""


def require_matplotlib() -> None:
    """Raise an error that names the extra when matplotlib is missing."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError(needed("a figure", "matplotlib", "plot")) from error
    del mpl


def check_width(width: float | str, argument: str = "width") -> float:
    """Return a width in inches.

    Raises
    ------
    InvalidArgumentError
        If it is neither a name nor a number that a figure can have.

    Examples
    --------
    >>> check_width("column"), check_width("5.5"), check_width(4)
    (3.3, 5.5, 4.0)
    """
    names = ", ".join(map(repr, WIDTHS))
    wanted = f"{argument} must be {names}, or inches from {NARROWEST:g} to {WIDEST:g}, got {width!r}"
    if isinstance(width, str):
        if width in WIDTHS:
            return WIDTHS[width]
        try:
            width = float(width)
        except ValueError as error:
            raise InvalidArgumentError(wanted) from error
    inches = check_real(argument, width)
    if inches.ndim or not NARROWEST <= inches <= WIDEST:  # NaN too
        raise InvalidArgumentError(wanted)
    return float(inches)


def fitted(size: tuple[float, float]) -> tuple[float, float]:
    """Return a size in inches, brought to the width of the style with its proportions kept, but never too flat."""
    width = style_width.get()
    return size if width is None else (width, max(size[1] * width / size[0], min(size[1], scaled(LOWEST))))


def scaled(size: float) -> float:
    """Return what is right beside the font in use, of a size that is right beside one of 10 points."""
    from matplotlib import rcParams

    return size * float(rcParams["font.size"]) / FONT


def font_points(setting: str) -> float:
    """Return the size of the font that a setting such as ``axes.labelsize`` stands for."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    settings: Any = rcParams
    return float(FontProperties(size=settings[setting]).get_size_in_points())
