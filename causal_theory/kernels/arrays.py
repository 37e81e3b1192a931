"""Give kernels their input in one type.

An array that can be written and one that cannot are two types for numba, and every kernel would be compiled for both.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def read_only(array: "NDArray[Scalar]") -> "NDArray[Scalar]":
    """Return a contiguous view that cannot be written, or a contiguous copy."""
    view: NDArray[Any] = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
