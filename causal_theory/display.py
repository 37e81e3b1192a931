"""Let notebooks show objects: the modules that know how lie above all others, and are loaded when asked."""

__all__ = ["Drawn", "Shown", "show"]


def show(value: object) -> str:
    """Return what a notebook shows of an object, HTML."""
    from causal_theory.notebook import markup

    return markup(value)


class Shown:
    """Base of classes that notebooks show; :mod:`causal_theory.notebook` says how."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return show(self)


class Drawn(Shown):
    """Base of classes that have a drawing of their own besides."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        from causal_theory.notebook import drawing

        return drawing(self)
