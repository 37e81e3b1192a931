"""Public calls give the same numbers under every floating-point setting of the caller, and say what is mistaken."""

from collections.abc import Callable
from functools import update_wrapper
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from causal_theory.mistakes import mistake

P = ParamSpec("P")
R = TypeVar("R")


def default_floats(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function so that no floating-point setting of the caller turns numbers into exceptions.

    Products of probabilities underflow to zero as a matter of course. With ``np.seterr(under="raise")`` in the
    caller, or ``all="raise"``, each would be an exception; here they are not, and overflow, division by zero and
    invalid operations warn, as they do by default, unless they are ignored. The state of the caller is back when the
    call ends. What :mod:`causal_theory.mistakes` recognises in the arguments of a call that failed is said instead of
    Python's own error.

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
    errstate, geterr, explain = np.errstate, np.geterr, mistake

    def call(*args: Any, **kwargs: Any) -> Any:
        # What is ignored stays so: one public function may call another where it expects an overflow.
        found = geterr()
        calm: dict[str, Any] = {event: "ignore" if said == "ignore" else "warn" for event, said in found.items()}
        calm["under"] = "ignore"
        try:
            if found == calm:  # as in every function that another one of these calls
                return function(*args, **kwargs)
            with errstate(**calm):
                return function(*args, **kwargs)
        except (TypeError, AttributeError) as error:
            told = explain(function, args, kwargs)
            if told is None:
                raise
            raise told from error

    # doctest takes a function for one of the module only if its globals are those of the module.
    home = getattr(function, "__globals__", call.__globals__)
    inner = FunctionType(call.__code__, home, call.__name__, None, call.__closure__)
    return cast("Callable[P, R]", update_wrapper(inner, function))
