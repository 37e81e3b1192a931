"""The one place where compilation is configured.

Every kernel is compiled lazily on first use and cached on disk between processes. Two floating-point
liberties are granted, both harmless here: multiply and add may fuse (``contract``), and a sum may be split
over vector lanes (``reassoc``). Neither depends on the number of threads, and NaN and infinity keep their
meaning. Nothing else of "fast math" is allowed.

Idle threads sleep instead of spinning. Spinning saves a quarter of a millisecond per parallel call on an idle
machine; on a busy one, where two threads may share a core, it was measured to cost a hundred. ``OMP_WAIT_POLICY`` in
the environment takes precedence.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from numba import njit, prange

_FLOATING_POINT = {"contract", "reassoc"}

jit = njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLOATING_POINT)
"""Compile a sequential kernel."""

jit_inline = njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLOATING_POINT, inline="always")
"""Compile a small helper that is pasted into its callers."""

jit_parallel = njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLOATING_POINT, parallel=True)
"""Compile a kernel whose ``prange`` loops run on all threads."""

__all__ = ["jit", "jit_inline", "jit_parallel", "prange"]
