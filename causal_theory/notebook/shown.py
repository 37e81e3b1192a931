"""Choose by its class what a notebook shows of an object."""

from collections.abc import Sequence
from functools import singledispatch

from causal_theory.floats import default_floats
from causal_theory.notebook.html import block, paragraph


@singledispatch
def parts_of(value: object) -> Sequence[str]:
    """Return the parts of the representation of an object, which are markup; one function for each class."""
    return [paragraph(repr(value))]


@default_floats
def markup(value: object) -> str:
    """Return the representation of an object in a notebook.

    Parameters
    ----------
    value : object
        An object of the package; of others the text is shown.

    Returns
    -------
    str
        HTML.
    """
    return block(*parts_of(value))
