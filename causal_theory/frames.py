"""Take matrices out of data frames and tables whose rows and columns have names, which must agree."""

from collections.abc import Sequence
from typing import Any

from causal_theory.errors import TransitionError

SHOWN = 5
"""Names that a message lists."""


def unlabelled(name: str, value: Any) -> Any:
    """Return the numbers of a data frame of pandas or polars; what is none is returned as it is.

    Names are compared and not kept. A first column of texts holds the names of the rows; an index that only counts
    holds none.

    Raises
    ------
    TransitionError
        If rows and columns have different names, or the same in another order.
    """
    if not (hasattr(value, "columns") and hasattr(value, "to_numpy")):
        return value
    columns, rows = list(value.columns), getattr(value, "index", None)
    numbers = value.to_numpy()
    if numbers.ndim == 2 and numbers.dtype.kind == "O" and len(numbers) and _are_texts(numbers[:, 0]):
        rows, columns, numbers = numbers[:, 0], columns[1:], numbers[:, 1:]
    if rows is not None and numbers.shape == (len(columns), len(columns)):
        check_names(name, list(rows), columns)
    return numbers


def check_names(name: str, rows: Sequence[object], columns: Sequence[object]) -> None:
    """Refuse names of rows and columns that differ; those that only count say nothing beside others.

    Raises
    ------
    TransitionError
        If they differ, stand in another order, or one stands twice; the message says what to do.

    Examples
    --------
    >>> check_names("transition", ["a", "b"], ["b", "a"])
    Traceback (most recent call last):
    causal_theory.errors.TransitionError: transition must have rows and columns in one order, got rows a, b and ...
    """
    one, other = ([str(label).strip() for label in labels] for labels in (rows, columns))
    for what, labels in (("rows", one), ("columns", other)):
        if len(set(labels)) < len(labels):
            raise TransitionError(f"{name} must have {what} of different names, got {_listed(labels)}")
    if one == other:
        return
    if set(one) == set(other):
        raise TransitionError(
            f"{name} must have rows and columns in one order, got rows {_listed(one)} and columns {_listed(other)}; "
            "frame.loc[frame.columns] of pandas puts the rows into that of the columns"
        )
    if not (is_counting(one) or is_counting(other)):
        raise TransitionError(
            f"{name} must have rows and columns of the same names, got rows {_listed(one)} and columns "
            f"{_listed(other)}; without names the numbers are taken in their order"
        )


def is_counting(labels: Sequence[str]) -> bool:
    """Whether names are the numbers from 0 or from 1 on, also those that polars gives to columns without any."""
    bare = [label.removeprefix("column_") for label in labels]
    return any(bare == [str(k) for k in range(first, first + len(bare))] for first in (0, 1))


def _are_texts(entries: Sequence[object]) -> bool:
    return all(isinstance(entry, str) for entry in entries)


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:SHOWN]) + (", ..." if len(labels) > SHOWN else "")
