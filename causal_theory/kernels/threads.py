"""How many threads the parallel kernels use, for callers that share the processors out."""

from collections.abc import Iterator
from contextlib import contextmanager

from numba import config, get_num_threads, set_num_threads

__all__ = ["thread_limit"]


@contextmanager
def thread_limit(threads: int | None) -> Iterator[None]:
    """Let the calling thread use at most so many threads for a kernel, and what it used before afterwards.

    ``None`` changes nothing. No number that a kernel returns depends on it.

    Examples
    --------
    >>> with thread_limit(1):
    ...     get_num_threads()
    1
    """
    if threads is None:
        yield
        return
    before = get_num_threads()
    # More than numba started with is an error; fewer is what a machine with fewer processors has.
    set_num_threads(min(threads, config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        set_num_threads(before)
