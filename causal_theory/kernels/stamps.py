"""Digests of everything that the machine code of a kernel depends on.

It is taken from what is loaded: the bytecode of the kernel and of every kernel that it calls, the constants that they
refer to, and the options of the compiler. Times and sizes of files say nothing about that, and neither do the files
themselves, which may have been edited since they were imported. Comments and line numbers do not count.
"""

import builtins
import hashlib
import sys
from types import CodeType, EllipsisType, ModuleType

import numba
import numpy as np
from numba import config

_SETTINGS = (
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "USING_SVML",
    "DISABLE_INTEL_SVML",
    "LLVM_REFPRUNE_PASS",
    "LLVM_REFPRUNE_FLAGS",
    "PARFOR_MAX_TUPLE_SIZE",
)
"""Settings of numba that change the code it makes; processor and features are part of the target."""


PIPELINE = 4
"""Of `one_pass`: another number when the same source becomes other code."""


def _digest(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()


def name_of(kernel):
    """Return the full name of a kernel."""
    return f"{kernel.py_func.__module__}.{kernel.py_func.__qualname__}"


def environment_digest(target):
    """Digest the machine and the versions that code is made for: ``target`` is what the code generator says of them."""
    llvmlite = getattr(sys.modules.get("llvmlite"), "__version__", None)
    abi = sys.implementation.cache_tag, getattr(sys, "abiflags", "")
    versions = *abi, numba.__version__, llvmlite, np.__version__, PIPELINE
    return _digest((target, versions, [str(getattr(config, name, None)) for name in _SETTINGS]))


def signature_digest(signature):
    """Digest the types of the arguments."""
    arguments = getattr(signature, "args", signature)
    return _digest([_described_type(argument) for argument in arguments])


def _described_type(kind):
    # The name of a type tells all about it, but for the fields of a named tuple.
    return str(kind), getattr(kind, "fields", ()), [_described_type(part) for part in getattr(kind, "types", ())]


def source_digest(kernel):
    """Digest a kernel and all kernels that it calls."""
    found, waiting = {}, [kernel]
    while waiting:
        current = waiting.pop()
        if name_of(current) not in found:
            found[name_of(current)] = _described_kernel(current, waiting)
    return _digest((name_of(kernel), sorted(found.items())))


def _described_kernel(kernel, called):
    """Describe a kernel itself, and append those that it calls to ``called``."""
    function = kernel.py_func
    options = sorted((name, _described(value, called)) for name, value in kernel.targetoptions.items())
    cells = [_described(cell.cell_contents, called) for cell in function.__closure__ or ()]
    scope = vars(builtins) | function.__globals__
    names = sorted(_names(function.__code__) & scope.keys())
    constants = [(name, _described(scope[name], called)) for name in names]
    defaults = _described(function.__defaults__, called)
    return repr((_described(function.__code__, called), defaults, cells, constants, options))


def _names(code):
    """Return the names that code and the functions inside it may look up outside."""
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def _described(value, called):
    if hasattr(value, "targetoptions"):
        called.append(value)
        return "kernel", name_of(value)
    if isinstance(value, CodeType):
        variables = value.co_argcount, value.co_varnames, value.co_names, value.co_freevars, value.co_cellvars
        constants = [_described(constant, called) for constant in value.co_consts]
        return "code", value.co_code.hex(), value.co_exceptiontable.hex(), variables, constants
    if isinstance(value, bool | int | float | complex | str | bytes | EllipsisType | None):
        return type(value).__name__, repr(value)
    if isinstance(value, tuple | list):
        return type(value).__name__, [_described(part, called) for part in value]
    if isinstance(value, set | frozenset):
        return "set", sorted(repr(_described(part, called)) for part in value)
    if isinstance(value, np.generic | np.ndarray):
        return "array", value.dtype.str, value.shape, value.tobytes().hex()
    owner = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if owner is not None and hasattr(value, "__name__") and owner.partition(".")[0] != __package__.partition(".")[0]:
        return "foreign", owner, value.__name__
    raise TypeError(f"a kernel refers to {value!r}: what its code depends on must be numbers, text or kernels")
