"""The one place where compilation is configured.

Every kernel is compiled lazily on first use and cached on disk between processes. Two floating-point
liberties are granted, both harmless here: multiply and add may fuse (``contract``), and a sum may be split
over vector lanes (``reassoc``). Neither depends on the number of threads, and NaN and infinity keep their
meaning. Nothing else of "fast math" is allowed.

Idle threads sleep instead of spinning. Spinning saves a quarter of a millisecond per parallel call on an idle
machine; on a busy one, where two threads may share a core, it was measured to cost a hundred. ``OMP_WAIT_POLICY`` in
the environment takes precedence.

The cache of a kernel is stamped with its own file only. A kernel that calls one of another file would go on running
the old code after an edit there, so caches older than the newest kernel are thrown away.
"""

import os
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from numba import njit, prange


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

jit_inline = njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLOATING_POINT, inline="always")
"""Compile a small helper that is pasted into its callers."""

jit_parallel = njit(cache=True, nogil=True, error_model="numpy", fastmath=_FLOATING_POINT, parallel=True)
"""Compile a kernel whose ``prange`` loops run on all threads."""

__all__ = ["jit", "jit_inline", "jit_parallel", "prange"]
