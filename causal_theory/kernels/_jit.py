"""Configure compilation, here and nowhere else.

Every kernel is compiled lazily on first use and cached on disk between processes. Two floating-point
liberties are granted, both harmless here: multiply and add may fuse (``contract``), and a sum may be split
over vector lanes (``reassoc``). NaN and infinity keep their meaning. Nothing else of "fast math" is allowed.

A loop that adds up and also stores must not be left that freedom: the compiler then makes two versions of it, one over
vector lanes for arrays that lie far apart in memory and one for all others, and short arrays lie elsewhere in each
thread. Sums would differ in the last bit from thread to thread. Such loops are split in two, or compiled with
``jit_strict``; a test looks for them.

Idle threads spin for some ten microseconds before they sleep. A thread that sleeps at once is woken too late for the
next call of a training loop, and often on the core of its waker: 6 ms a step instead of 3.5. One that spins for long
holds a core that another process needs: on a busy machine calls were measured to take ten times as long.
``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY`` in the environment take precedence.

What is compiled is kept in files of our own (`cache`), and kernels with threads run when and where they can (`turns`).
"""

import os

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

from functools import partial

from numba import config, njit, prange

from causal_theory.kernels.cache import keep_on_disk
from causal_theory.kernels.threads import get_num_threads
from causal_theory.kernels.turns import taking_turns

_FLOATING_POINT = {"contract", "reassoc"}


def _compiled(function, **options):
    """Compile a function on first use; ``NUMBA_DISABLE_JIT=1`` leaves it as it is."""
    kernel = njit(nogil=True, error_model="numpy", **options)(function)
    return kernel if config.DISABLE_JIT else keep_on_disk(kernel)


jit = partial(_compiled, fastmath=_FLOATING_POINT)
"""Compile a sequential kernel."""

jit_strict = partial(_compiled, fastmath={"contract"})
"""Compile a kernel whose sums must keep their order, because it compensates roundoff."""

jit_inline = partial(_compiled, fastmath=_FLOATING_POINT, inline="always")
"""Compile a small helper that is pasted into its callers."""


def jit_parallel(function):
    """Compile a kernel whose ``prange`` loops run on all threads. It is for callers in Python, not for kernels."""
    kernel = _compiled(function, fastmath=_FLOATING_POINT, parallel=True)
    return kernel if config.DISABLE_JIT else taking_turns(kernel)


__all__ = ["get_num_threads", "jit", "jit_inline", "jit_parallel", "jit_strict", "prange"]
