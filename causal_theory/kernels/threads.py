"""Set the number of threads of parallel kernels, for callers that share the processors out."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba
from numba import config, set_num_threads

from causal_theory.kernels.turns import launched_layer

__all__ = ["get_num_threads", "thread_limit"]


def get_num_threads() -> int:
    """Return how many threads a kernel called from this thread may use.

    numba's function of this name starts them, after which a forked process cannot use its own.

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    return config.NUMBA_NUM_THREADS if launched_layer() is None else numba.get_num_threads()


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
