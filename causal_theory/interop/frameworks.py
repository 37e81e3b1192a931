"""Tell what belongs to a framework without importing it, and import it with a message where it is missing."""

import sys
from importlib import import_module
from typing import Any

from causal_theory.wording import needed


def is_torch(model: Any) -> bool:
    """Tell whether a model is an ``nn.Module`` of PyTorch: it cannot be there before PyTorch is loaded."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def load_torch(what: str) -> Any:
    """Return the module ``torch``, which something needs.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    """
    return _load("torch", needed(what, "PyTorch", "torch"))


def load_jax(what: str) -> Any:
    """Return the module ``jax``, which something needs.

    Raises
    ------
    ImportError
        If JAX is not installed.
    """
    return _load("jax", needed(what, "JAX", "autodiff"))


def _load(name: str, message: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(message) from error
