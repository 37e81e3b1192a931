"""Load what a package offers when it is first asked for, so that importing the package takes no time."""

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

_gate = threading.Condition()
_loading: Counter[int] = Counter()
"""How much each thread is loading; they do not wait for one another, which Python's own locks see to."""


def attributes(package: str, homes: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package that loads its modules and names when they are first asked for.

    Parameters
    ----------
    package : str
        The package.
    homes : mapping, optional
        Names that it offers besides its modules, and the full name of the module that each is taken from.

    Returns
    -------
    callable
        What Python calls for a name that the package does not have yet.

    Examples
    --------
    >>> attributes("xml", {"Element": "xml.etree.ElementTree"})("Element").__name__
    'Element'
    """
    homes = homes or {}

    def find(name: str) -> Any:
        full = f"{package}.{name}"
        if name not in homes and (name.startswith("__") or find_spec(full) is None):
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        with _gate:
            _loading[threading.get_ident()] += 1
        try:
            found = getattr(import_module(homes[name]), name) if name in homes else import_module(full)
        finally:
            with _gate:
                _loading[threading.get_ident()] -= 1
                _gate.notify_all()
        setattr(sys.modules[package], name, found)
        return found

    return find


def _wait_for_others() -> None:
    """Wait until no other thread is loading: what it loads would stay locked in a forked process."""
    _gate.acquire()
    while any(count for thread, count in _loading.items() if thread != threading.get_ident()):
        _gate.wait()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_for_others, after_in_parent=_gate.release, after_in_child=_gate.release)
