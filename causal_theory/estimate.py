"""The value of an expectation over a task, with its error and the method that found it."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown
from causal_theory.floats import default_floats
from causal_theory.wording import with_error

Method = Literal["exact", "quadrature", "monte_carlo"]
"""How a number was obtained.

``"exact"``: a finite sum evaluated in floating point, error = a roundoff bound.
``"quadrature"``: an integral over the prior was discretised, error = its estimated truncation plus roundoff.
``"monte_carlo"``: independent draws, error = one standard error.
"""


@dataclass(frozen=True, eq=False)
class Estimate(Shown):
    """A number or array with its error bar.

    Parameters
    ----------
    value : ndarray
        The expectation; an array of shape ``()`` for a scalar.
    error : ndarray
        Same shape as ``value``. A bound on roundoff and quadrature error for ``"exact"`` and
        ``"quadrature"``, one standard error for ``"monte_carlo"``.
    method : {"exact", "quadrature", "monte_carlo"}
        How ``value`` was obtained.

    Examples
    --------
    >>> import numpy as np
    >>> half = Estimate(np.array(0.5), np.array(1e-16), "exact")
    >>> float(half), half.method
    (0.5, 'exact')
    >>> np.asarray(half) + np.ones(2)
    array([1.5, 1.5])
    """

    value: NDArray[np.float64]
    error: NDArray[np.float64]
    method: Method

    @default_floats
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return ``value``, so that NumPy functions accept an estimate in place of an array."""
        return np.array(self.value, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        """Return a scalar ``value`` as a float."""
        return float(self.value)

    def __repr__(self) -> str:
        """Return one line: scalars in full, arrays by shape and largest error."""
        if self.value.ndim == 0:
            return f"Estimate({float(self.value):.12g} +- {float(self.error):.1e}, {self.method})"
        shape = "x".join(map(str, self.value.shape))
        return f"Estimate({shape} array, error <= {self.largest_error:.1e}, {self.method})"

    @property
    def largest_error(self) -> float:
        """The largest error of an entry; 0 of an empty array."""
        return float(np.max(self.error)) if self.error.size else 0.0

    def text(self, sign: str = "±") -> str:
        """Return a scalar to the digits that its error leaves, with the error.

        Parameters
        ----------
        sign : str
            What stands between the two.

        Returns
        -------
        str
            For example ``"0.50 ± 0.02"``.
        """
        return with_error(float(self.value), float(self.error)).replace("±", sign)


@dataclass(frozen=True, eq=False)
class Gradient(Shown):
    """The gradient of the population loss of the reduced transformer, and the loss itself.

    Attributes
    ----------
    A1 : Estimate
        Derivative by the position-position matrix, shape (T, T), zero above the diagonal.
    A2 : Estimate
        Derivative by the symbol-symbol matrix, shape (S, S).
    loss : Estimate
        The loss at the same parameters, in nats, from the same pass over the sequences.
    """

    A1: Estimate
    A2: Estimate
    loss: Estimate

    def __repr__(self) -> str:
        """Return one line: the loss, and the largest entry of each derivative."""
        largest = (f"max |d{name}| = {_largest(part):.3g}" for name, part in (("A1", self.A1), ("A2", self.A2)))
        return f"Gradient(loss {self.loss.text('+-')}, {', '.join(largest)}, {self.loss.method})"


def _largest(part: Estimate) -> float:
    return float(np.abs(part.value).max(initial=0.0))
