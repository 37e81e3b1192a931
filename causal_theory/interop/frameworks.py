"""Tell what belongs to a framework without importing it: a model of it cannot be there before it is loaded."""

import sys
from typing import Any


def is_torch(model: Any) -> bool:
    """Tell whether a model is an ``nn.Module`` of PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)
