"""Load what a package offers when it is first asked for, so that importing the package takes no time."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

# One thread at a time: of two that load modules of one package Python may let one see the other's half. A module of
# this package must not ask for such a name while it is loaded itself, or two threads might wait for each other.
_loading = threading.RLock()


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
        with _loading:
            found = getattr(import_module(homes[name]), name) if name in homes else import_module(full)
        setattr(sys.modules[package], name, found)
        return found

    return find


if hasattr(os, "register_at_fork"):
    # What another thread has half loaded would stay locked in the new process.
    os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)
