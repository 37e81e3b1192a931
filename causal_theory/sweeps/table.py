"""The results of a study as a table: one row for a unit, one column for a parameter or a result."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError, StoreError
from causal_theory.sweeps.export import write_csv, write_parquet
from causal_theory.sweeps.store import Store, StoredUnit
from causal_theory.sweeps.study import Scalar
from causal_theory.tables import Tabular, data_frame, load_pandas

if TYPE_CHECKING:
    import pandas

EXACT_INTEGERS = 2**53


@dataclass(frozen=True)
class FailedUnit:
    """A unit without a result.

    Attributes
    ----------
    settings : dict
        Of the unit.
    repeat : int
        Which of several units with these settings.
    error : str
        Traceback.
    """

    settings: dict[str, Scalar]
    repeat: int
    error: str


@dataclass(frozen=True, eq=False)
class SweepTable(Tabular, Shown):
    """The results of one study.

    Attributes
    ----------
    study : str
        Its name.
    parameters : tuple of str
        Names of the columns that hold settings, in the order of the signature; the column ``repeat`` follows.
    columns : dict
        Arrays with one entry or row for each unit. A result that is an array of the same shape everywhere has shape
        ``(rows, *shape)``; of different shapes, it is an array of objects. Where a unit lacks a result that others
        have, numbers are NaN and anything else is ``None``.
    failures : tuple of FailedUnit
        Units without a result, which have no row.
    versions : tuple of str
        Of the package, each with the first digits of the digest of the code; several when it was changed between rows.

    Examples
    --------
    >>> table = SweepTable("study", ("length",), {"length": np.array([8, 9]), "margin": np.array([0.5, 0.25])})
    >>> len(table), table["margin"].max()
    (2, np.float64(0.5))
    """

    study: str
    parameters: tuple[str, ...]
    columns: dict[str, NDArray[Any]]
    failures: tuple[FailedUnit, ...] = ()
    versions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column."""
        if name not in self.columns:
            raise InvalidArgumentError(f"column must be one of {', '.join(self.columns)}, got {name!r}")
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(self.columns)

    def __repr__(self) -> str:
        """Return one line with the size and the columns."""
        return f"SweepTable({self.study}: {len(self)} rows{self.notes}, columns {', '.join(self.columns)})"

    @property
    def notes(self) -> str:
        """Remarks for readers of the numbers: failed units, several versions of the code."""
        failed = f", {len(self.failures)} units failed" if self.failures else ""
        return failed + (f", {len(self.versions)} versions of the code" if len(self.versions) > 1 else "")

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a data frame, arrays as objects in single cells; needs the extra ``sweep``.

        Returns
        -------
        pandas.DataFrame
            One row for each unit, one column for each name.

        Raises
        ------
        ImportError
            If pandas is not installed; the message says how to.
        """
        pandas = load_pandas()

        def series(column: NDArray[Any]) -> Any:
            values = column if column.ndim == 1 else list(column)
            try:
                return pandas.Series(values)
            except UnicodeEncodeError:  # half of a surrogate pair, which the texts of pandas cannot hold
                return pandas.Series(values, dtype=object)

        return data_frame({name: series(column) for name, column in self.columns.items()})

    def export_csv(self, path: str | Path) -> None:
        """Write a CSV file with all columns but those that hold arrays, floats so that they read back exactly.

        Parameters
        ----------
        path : str or Path
            The file, replaced as a whole.

        Raises
        ------
        OutputError
            If it cannot be written; what was there before is kept.
        """
        write_csv(self.columns, Path(path))

    def export_parquet(self, path: str | Path) -> None:
        """Write a Parquet file with all columns, arrays as lists of lists; needs the extra ``sweep``.

        A column has one type. Where its values have none in common that holds all of them to the last digit, they are
        written as texts, as Python writes them: truth values beside numbers or NaN (``"True"``, ``"nan"``), numbers
        beside texts, integers beyond 64 bits, integers beyond 2^53 beside fractions. Arrays of different depth, or with
        such entries, become JSON texts. Missing results are NaN among numbers, as in the table, and else null.

        Parameters
        ----------
        path : str or Path
            The file, replaced as a whole.

        Raises
        ------
        OutputError
            If it cannot be written, or a column holds something else than a study returns; what was there before is
            kept.
        """
        write_parquet(self.columns, Path(path))


def read_store(path: str | Path, *, study: str | None = None, keys: Sequence[str] | None = None) -> SweepTable:
    """Return what a store holds of a study; a sweep may be writing to it.

    Parameters
    ----------
    path : str or Path
        The store.
    study : str, optional
        Name of the study; needed when the store holds several.
    keys : sequence of str, optional
        Keys of units to return, in this order, as ``SweepResult.keys`` has them. By default all, in the order of
        the settings, then of seed and repeat.

    Returns
    -------
    SweepTable
        One row for each unit that has a result.

    Raises
    ------
    StoreError
        If the file is no store.
    InvalidArgumentError
        If it holds another study, or several and none was named.

    Examples
    --------
    >>> import tempfile
    >>> from causal_theory.sweeps import sweep
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "edges.sqlite"
    ...     ran = sweep("edge_recovery", {"length": [8, 9]}, settings={"concentration": 1.0}, store=path, processes=0)
    ...     read_store(path)["edges"]
    array([6, 7])
    """
    with Store(path) as store:
        order = store.parameters()
        if not order:
            raise StoreError(f"store must hold results, got {str(path)!r} without any")
        names = ", ".join(order)
        if study is None:
            if len(order) > 1:
                raise InvalidArgumentError(f"study must be one of {names}, which the store holds, got none")
            (study,) = order
        name = study.replace("-", "_")
        if name not in order:
            raise InvalidArgumentError(f"study must be one of {names}, which the store holds, got {study!r}")
        units = store.units(name)
    if keys is not None:
        found = {unit.key: unit for unit in units}
        units = [found[key] for key in keys if key in found]
    return _tabulate(name, order[name], units)


def _tabulate(study: str, parameters: Sequence[str], units: Sequence[StoredUnit]) -> SweepTable:
    done = [unit for unit in units if unit.status == "done"]
    columns = {name: _column([unit.settings.get(name) for unit in done]) for name in parameters}
    columns["repeat"] = _column([unit.repeat for unit in done])
    if len({unit.entropy for unit in units}) > 1:
        columns["seed"] = _column([unit.entropy for unit in done])
    for name in dict.fromkeys(name for unit in done for name in unit.result):
        columns[name] = _column([unit.result.get(name) for unit in done])
    failures = tuple(FailedUnit(unit.settings, unit.repeat, unit.error) for unit in units if unit.status == "failed")
    versions = tuple(sorted({unit.version for unit in done}))
    return SweepTable(study, tuple(parameters), columns, failures, versions)


def _column(values: Sequence[Scalar | NDArray[Any] | None]) -> NDArray[Any]:
    """Return values as an array of the type that holds all of them as they are."""
    kinds = {type(value) for value in values}
    if kinds == {np.ndarray}:
        shapes = {(value.shape, value.dtype) for value in values if isinstance(value, np.ndarray)}
        if len(shapes) == 1:
            return np.stack(values)  # type: ignore[arg-type]
    if kinds == {bool}:
        return np.array(values, dtype=np.bool_)
    whole = [value for value in values if type(value) is int]
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in whole):
        return np.array(values, dtype=np.int64)
    numbers = kinds & {int, float} and kinds <= {int, float, type(None)}
    if numbers and all(abs(value) <= EXACT_INTEGERS for value in whole):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    column = np.empty(len(values), dtype=object)
    for k, value in enumerate(values):
        column[k] = value
    return column
