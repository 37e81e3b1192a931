"""Expand what a file says about the values of a parameter: a list, or a range."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from causal_theory.errors import InvalidArgumentError
from causal_theory.sweeps.grid import MOST_UNITS
from causal_theory.sweeps.study import Parameter
from causal_theory.validation import check_choice, check_integer, check_positive

RANGE = ("from", "to", "count", "scale")
SCALES = ("linear", "log")
DIGITS = 12
"""Of the values of a range that are no integers."""


def expand_values(parameter: Parameter, given: object) -> list[Any]:
    """Return the values of a parameter, in their order.

    Floats inside a range are rounded to 12 digits; integers that occur twice are kept once.

    Parameters
    ----------
    parameter : Parameter
        Of a study.
    given : list or dict
        Values, or ``{"from": ..., "to": ..., "count": ..., "scale": "linear" or "log"}``.

    Raises
    ------
    InvalidArgumentError
        If it is neither, or a value does not fit.

    Examples
    --------
    >>> expand_values(Parameter("length", int, None), {"from": 4, "to": 16, "count": 3, "scale": "log"})
    [4, 8, 16]
    """
    if isinstance(given, dict):
        return _range(parameter, given)
    if not isinstance(given, list) or not given:
        raise InvalidArgumentError(
            f"{parameter.name} must have a list of values, at least one, or a table "
            f"{{from = ..., to = ..., count = ..., scale = ...}}, got {given!r}"
        )
    return [parameter.convert(value) for value in given]


def _range(parameter: Parameter, given: Mapping[str, object]) -> list[Any]:
    name = parameter.name
    if parameter.kind not in (int, float):
        raise InvalidArgumentError(f"{name} must have a list of values, since they are no numbers, got {dict(given)!r}")
    unknown = [key for key in given if key not in RANGE]
    if unknown:
        raise InvalidArgumentError(f"keys of {name} must be among {', '.join(RANGE)}, got {unknown[0]!r}")
    missing = [key for key in RANGE[:3] if key not in given]
    if missing:
        raise InvalidArgumentError(f"{name} must have {', '.join(missing)}, got {dict(given)!r}")
    scale = check_choice(f"scale of {name}", given.get("scale", SCALES[0]), SCALES)
    count = check_integer(f"count of {name}", given["count"], 2)
    if count > MOST_UNITS:
        raise InvalidArgumentError(f"count of {name} must be at most {MOST_UNITS}, got {count}")
    low, high = parameter.convert(given["from"]), parameter.convert(given["to"])
    if not low < high:  # type: ignore[operator]
        raise InvalidArgumentError(f"from of {name} must be less than to, {high}, got {low}")
    if scale == "log":
        check_positive(f"from of {name}", low)
    # Ends are as written. Others are rounded, because units are named by their values, and the last digits of a
    # logarithm are not the same on every machine.
    spaced = (np.geomspace if scale == "log" else np.linspace)(float(low), float(high), count).tolist()
    inner = [round(value) if parameter.kind is int else float(f"{value:.{DIGITS}g}") for value in spaced[1:-1]]
    return list(dict.fromkeys([low, *inner, high]))
