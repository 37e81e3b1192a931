"""Bounds on the excess of a loss over the entropy floor as sequences grow."""

import numpy as np
from numpy.typing import ArrayLike

from verification.ensembles import Array

BAND = (-1.25, -0.8)
"""Accepted exponents of the excess against T over the two longest sequences."""

PRICED = (0.8, 1.25)
"""Accepted ratios of the excess at the longest sequence to the price of counting, and to the counts rule itself."""


def slopes(lengths: ArrayLike, excess: Array) -> Array:
    """Return the slope of the log of the excess against that of a length, from each length to the next."""
    return np.asarray(np.diff(np.log(excess)) / np.diff(np.log(lengths)))
