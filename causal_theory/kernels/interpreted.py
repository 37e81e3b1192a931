"""Small problems before their kernel is compiled: interpreted, with the same numbers.

To compile a kernel takes seconds, to interpret it at twenty tokens a few hundredths of one. An
interpretable kernel computes the same bits either way: it has no freedom of "fast math", and calls nothing but `math`.
So whether it is interpreted depends on what is on disk, and the numbers do not.
"""

from types import FunctionType
from typing import Any

from numba.extending import is_jitted

MOST_OPERATIONS = 1_000_000
"""Multiplications that are interpreted for one kernel in one process, about a second, before it is compiled."""

compile_always = False
"""Set where kernels are compiled ahead."""

_done: dict[object, int] = {}


def run_kernel(kernel: Any, operations: int, *arguments: Any) -> Any:
    """Call an interpretable kernel: interpreted while it has no code and there has been little to do."""
    # Without numba's compiler a kernel is the function itself.
    if getattr(kernel, "overloads", True) or compile_always or kernel._cache.is_kept():
        return kernel(*arguments)
    done = _done.get(kernel, 0) + operations
    if done > MOST_OPERATIONS:
        return kernel(*arguments)
    _done[kernel] = done
    return _plain(kernel)(*arguments)


def _plain(kernel):
    """Return what Python would do: the function, calling the functions behind the helpers that it calls."""
    function = kernel.py_func
    names = {name: value for name, value in function.__globals__.items() if name in function.__code__.co_names}
    known = {name: _plain(value) if is_jitted(value) else value for name, value in names.items()}
    return FunctionType(function.__code__, {"__builtins__": function.__globals__["__builtins__"], **known})
