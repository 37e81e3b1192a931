"""Averages of a column over the rows that share the values of other columns, with their standard errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Groups:
    """One entry for each combination of values that occurs.

    Attributes
    ----------
    keys : tuple of ndarray, each of shape (n,)
        The values of the columns that were grouped by.
    means : ndarray, shape (n,)
        Mean over the rows of a group whose value is finite, NaN where there is none.
    errors : ndarray, shape (n,)
        Its standard error, NaN where one row alone is left.
    counts : ndarray of int64, shape (n,)
        Rows that were averaged.
    left_out : int
        Rows whose value is not finite.
    """

    keys: tuple[NDArray[np.generic], ...]
    means: Array
    errors: Array
    counts: NDArray[np.int64]
    left_out: int


def average_groups(columns: Sequence[NDArray[np.generic]], values: Array, *, share: bool) -> Groups:
    """Average values over rows that agree in all columns.

    Parameters
    ----------
    columns : sequence of ndarray, each of shape (R,)
        What to group by.
    values : ndarray, shape (R,)
        Numbers, NaN where there is none.
    share : bool
        Whether they are truth values, 0 and 1. For the error of their mean one row is then added to each side, so that
        it is never zero.

    Returns
    -------
    Groups
        In increasing order of the columns, the first one first.

    Examples
    --------
    >>> found = average_groups([np.array([8, 8, 9])], np.array([1.0, 0.0, 1.0]), share=True)
    >>> found.means, found.errors.round(3)
    (array([0.5, 1. ]), array([0.354, 0.471]))
    """
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in columns], axis=1)
    _, first, group = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    seen = np.isfinite(values)
    counts = np.bincount(group[seen], minlength=len(first))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.bincount(group[seen], values[seen], len(first)) / counts
        if share:
            guess = (means * counts + 1.0) / (counts + 2.0)
            errors = np.sqrt(guess * (1.0 - guess) / counts)
        else:
            squares = np.bincount(group[seen], (values[seen] - means[group[seen]]) ** 2, len(first))
            errors = np.sqrt(squares / (counts - 1) / counts)
            errors[counts < 2] = np.nan
    keys = tuple(column[first] for column in columns)
    return Groups(keys, means, errors, counts.astype(np.int64), int((~seen).sum()))
