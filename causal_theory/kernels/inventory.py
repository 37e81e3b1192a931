"""All kernels of the package, and which of them have no code on disk yet."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import causal_theory.kernels
from causal_theory.kernels.cache import KernelCache


@cache
def _caches() -> "tuple[KernelCache, ...]":
    found = {}
    for module in iter_modules(causal_theory.kernels.__path__):
        for value in vars(import_module(f"{causal_theory.kernels.__name__}.{module.name}")).values():
            if isinstance(getattr(value, "_cache", None), KernelCache):
                found[value._cache.title] = value._cache
    return tuple(found.values())


def missing_kernels() -> list[str]:
    """Return the titles of the kernels of which no code for this machine and these sources is on disk."""
    return [cache.title for cache in _caches() if not cache.is_kept()]


def why_not_kept() -> str | None:
    """Say why no folder can be written to, or None."""
    return next((cache.no_folder for cache in _caches() if cache.no_folder is not None), None)
