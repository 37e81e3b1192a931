"""Say on the terminal which kernel is being compiled; one that is loaded from disk is not."""

from contextlib import suppress

from causal_theory.kernels.cache import KernelCache
from causal_theory.progress import ProgressBar

try:
    from numba.core.event import Listener, register
except ImportError:  # a later numba
    Listener, register = object, None


class _Announcer(Listener):
    """Draws a bar while a kernel is being compiled.

    numba calls it under its lock for compiling, and at the end also after an error or Ctrl-C.
    """

    def __init__(self):
        self._kernel = self._bar = None

    def on_start(self, event):
        """Show the kernel, unless another one is being compiled, of which it is a part."""
        kernel = event.data["dispatcher"]
        if self._kernel is None and isinstance(getattr(kernel, "_cache", None), KernelCache):
            self._kernel, self._bar = kernel, ProgressBar(f"compiling, once: {kernel._cache.title}", None)
            with suppress(OSError):  # the terminal has gone
                self._bar.__enter__()

    def on_end(self, event):
        """Clear the bar."""
        if self._kernel is event.data["dispatcher"]:
            bar, self._kernel, self._bar = self._bar, None, None
            with suppress(OSError):
                bar.__exit__(None, None, None)


def announce():
    """Say from now on what is being compiled."""
    if register is not None:
        register("numba:compile", _Announcer())
