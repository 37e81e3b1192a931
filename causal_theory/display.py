"""Let notebooks show objects: the modules that know how lie above all others, and are loaded when asked."""

from typing import Any


def show(value: object) -> str:
    """Return what a notebook shows of an object, HTML."""
    from causal_theory.notebook import markup

    return markup(value)


def draw(graph: Any) -> str:
    """Return what a notebook draws of a graph, SVG."""
    from causal_theory.notebook import drawing

    return drawing(graph)


class Shown:
    """Base of classes that notebooks show; :mod:`causal_theory.notebook` says how."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return show(self)
