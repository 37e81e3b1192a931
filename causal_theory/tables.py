"""Hand out what a result lists as a table: a data frame of pandas, LaTeX."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from causal_theory.wording import needed

if TYPE_CHECKING:
    import pandas


class Tabular:
    """Base of results that are a table: one that lists its columns can be handed out in these forms."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def columns(self) -> Mapping[str, Any]:
            """The columns of the table."""

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the table as a data frame.

        Returns
        -------
        pandas.DataFrame
            One row for each entry of the columns.

        Raises
        ------
        ImportError
            If pandas is not installed; the message says how to.
        """
        return data_frame(self.columns)

    def to_latex(self, *, caption: str | None = None, label: str | None = None) -> str:
        """Return the table in LaTeX, for the package ``booktabs``.

        Parameters
        ----------
        caption, label : str, optional
            With one of them the table floats.

        Returns
        -------
        str
            An environment ``tabular``. Numbers have six significant digits; what is undefined is left empty.

        Raises
        ------
        ImportError
            If pandas or jinja2 is not installed; the message says how to.
        """
        return latex(self.to_pandas(), caption, label)


def load_pandas() -> Any:
    """Return the module ``pandas``.

    Raises
    ------
    ImportError
        If it is not installed; the message says how to.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(needed("a data frame", "pandas", "sweep")) from error
    return pandas


def data_frame(columns: Mapping[str, Any]) -> "pandas.DataFrame":
    """Return columns as a data frame.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    frame: pandas.DataFrame = load_pandas().DataFrame(dict(columns))
    return frame


def latex(frame: "pandas.DataFrame", caption: str | None = None, label: str | None = None) -> str:
    """Return a data frame in LaTeX.

    Raises
    ------
    ImportError
        If jinja2 is not installed.
    """
    try:
        style = frame.style
    except (ImportError, AttributeError) as error:  # by version of pandas
        raise ImportError(needed("a table in LaTeX", "jinja2", "verify")) from error
    style = (
        style.format(_cell, na_rep="", escape="latex").format_index(escape="latex", axis="columns").hide(axis="index")
    )
    text: str = style.to_latex(hrules=True, caption=caption, label=label)
    return text


def _cell(value: object) -> str:
    """Return a number to six digits, anything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
