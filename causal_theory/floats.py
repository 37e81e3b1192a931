"""Public calls give the same numbers under every floating-point setting of the caller."""

from collections.abc import Callable
from functools import update_wrapper
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

__all__ = ["default_floats"]

P = ParamSpec("P")
R = TypeVar("R")


def default_floats(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function under NumPy's own settings of floating-point errors, whatever the caller has set.

    Products of probabilities underflow to zero as a matter of course. With ``np.seterr(under="raise")`` in the
    caller, or ``all="raise"``, each would be an exception; here they are not, and other events are told as they are
    without any setting. The state of the caller is back when the call ends.

    Parameters
    ----------
    function : callable
        A public function or method; no generator, whose body runs after the call.

    Returns
    -------
    callable
        With the same name, signature and docstring.

    Examples
    --------
    >>> @default_floats
    ... def square(x):
    ...     return np.float64(x) ** 2
    >>> with np.errstate(all="raise"):
    ...     square(1e-200)
    np.float64(0.0)
    """
    errstate = np.errstate

    def call(*args: Any, **kwargs: Any) -> Any:
        with errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
            return function(*args, **kwargs)

    # doctest takes a function for one of the module only if its globals are those of the module.
    home = getattr(function, "__globals__", call.__globals__)
    inner = FunctionType(call.__code__, home, call.__name__, None, call.__closure__)
    return cast("Callable[P, R]", update_wrapper(inner, function))
