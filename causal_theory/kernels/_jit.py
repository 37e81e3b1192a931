"""The one place where compilation is configured.

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

The cache of a kernel is stamped with its own file only. A kernel that calls one of another file would go on running
the old code after an edit there, so caches older than the newest kernel are thrown away.
"""

import os
from contextlib import suppress
from pathlib import Path

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

from numba import get_num_threads, njit, prange


def _discard_stale_caches(folder: Path) -> None:
    """Remove the indices of all caches that are older than a source file; numba then compiles again."""
    newest = max(source.stat().st_mtime for source in folder.glob("*.py"))
    for index in (folder / "__pycache__").glob("*.nbi"):
        with suppress(OSError):  # another process was faster, or the folder cannot be written
            if index.stat().st_mtime < newest:
                index.unlink()


with suppress(OSError):
    _discard_stale_caches(Path(__file__).parent)

_FLOATING_POINT = {"contract", "reassoc"}

jit = njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLOATING_POINT)
"""Compile a sequential kernel."""

jit_strict = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
"""Compile a kernel whose sums must keep their order, because it compensates roundoff."""

jit_inline = njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLOATING_POINT, inline="always")
"""Compile a small helper that is pasted into its callers."""

jit_parallel = njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLOATING_POINT, parallel=True)
"""Compile a kernel whose ``prange`` loops run on all threads."""

__all__ = ["get_num_threads", "jit", "jit_inline", "jit_parallel", "jit_strict", "prange"]
