"""Configure compilation, here and nowhere else.

A kernel is what Python calls: compiled lazily on first use and kept on disk between processes (`cache`). A helper is
what kernels call; it is compiled with them (`one_pass`). Two floating-point liberties are granted, both harmless here:
multiply and add may fuse (``contract``), and a sum may be split over vector lanes (``reassoc``). NaN and infinity keep
their meaning. Nothing else of "fast math" is allowed.

A loop that adds up and also stores must not be left that freedom: the compiler then makes two versions of it, one over
vector lanes for arrays that lie far apart in memory and one for all others, and short arrays lie elsewhere in each
thread. Sums would differ in the last bit from thread to thread. Such loops are split in two, or compiled with
``strict_helper``; a test looks for them.

All kernels are sequential: work is shared out by `threads`. numba's own parallel loops are not used. They multiply the
code, and with numba 0.68.1 a process that compiles one computes other last bits than those that load it.
"""

import os
import threading
from functools import partial

from numba import config, njit

try:
    from numba.core.compiler_lock import global_compiler_lock as _compiling
except ImportError:  # a later numba
    _compiling = threading.RLock()

from causal_theory.kernels.announce import announce
from causal_theory.kernels.cache import keep_on_disk
from causal_theory.kernels.one_pass import compiled_helper

_FLOATING_POINT = {"contract", "reassoc"}
_OPTIONS = {"nogil": True, "error_model": "numpy"}


def _kernel(function, fastmath):
    if config.DISABLE_JIT:
        return function
    return keep_on_disk(njit(fastmath=fastmath, no_cfunc_wrapper=True, **_OPTIONS)(function))


kernel = partial(_kernel, fastmath=_FLOATING_POINT)
"""Compile a function that Python calls, on its first use; ``NUMBA_DISABLE_JIT=1`` leaves it as it is."""

interpretable_kernel = partial(_kernel, fastmath=False)
"""Compile a kernel that computes what Python would, to the last bit: small problems need not wait (`interpreted`)."""


def _helper(function, **options):
    return function if config.DISABLE_JIT else compiled_helper(function, **_OPTIONS, **options)


helper = partial(_helper, fastmath=_FLOATING_POINT)
"""Compile a function that only kernels call."""

hot_helper = partial(_helper, fastmath=_FLOATING_POINT, hot=True)
"""Compile a helper whose loops come out faster when they are optimised before they are part of a kernel."""

strict_helper = partial(_helper, fastmath={"contract"})
"""Compile a helper whose sums must keep their order, because it compensates roundoff."""

interpretable_helper = partial(_helper, fastmath=False)
"""Compile a helper of such kernels."""

pasted_helper = partial(_helper, fastmath=_FLOATING_POINT, inline="always")
"""Compile a small helper that is pasted into its callers."""

announce()

if hasattr(os, "register_at_fork"):
    # A kernel that another thread compiles would leave its lock locked in the new process.
    os.register_at_fork(
        before=_compiling.acquire, after_in_parent=_compiling.release, after_in_child=_compiling.release
    )
