"""The value of an expectation over a task, with its error and the method that found it."""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.display import Shown
from causal_theory.error_propagation import (
    SMALLEST_STEP,
    STANDARD_ERRORS,
    UNIT,
    Method,
    joined_method,
    product_error,
    quotient_error,
    sum_error,
)
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.validation import LARGEST_INTEGER, check_number, check_real
from causal_theory.wording import count, with_error

GRANTED: dict[Method, float] = {
    "exact": 1.0,
    "quadrature": 1.0,
    "monte_carlo": STANDARD_ERRORS,
    "mixed": STANDARD_ERRORS,
}
"""Error bars by which numbers have to differ unless something else is said."""

ERRORS: dict[Method, str] = {
    "exact": "bound",
    "quadrature": "quadrature error",
    "monte_carlo": "standard error",
    "mixed": "bound and standard error",
}
"""Names of the errors by method."""


_OPERATIONS: dict[np.ufunc, Callable[[Any, Any], Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
}


@dataclass(frozen=True, eq=False)
class Estimate(Shown):
    """A number or array with its error bar.

    Parameters
    ----------
    value : ndarray
        The expectation; an array of shape ``()`` for a scalar.
    error : ndarray
        Same shape as ``value``. A bound on roundoff for ``"exact"``, on that and an estimate of what is left out for
        ``"quadrature"``, one standard error for ``"monte_carlo"``, their sum for ``"mixed"``.
    method : {"exact", "quadrature", "monte_carlo", "mixed"}
        How ``value`` was obtained.
    of_scores : bool, default False
        Whether rows are query positions and columns key positions, (T, T). The row of the query and what lies above the
        diagonal then decide nothing, and the error that is shown leaves them out.

    Notes
    -----
    ``+ - * /`` with numbers, arrays and other estimates give estimates: bounds add up, with the roundoff of the
    operation; standard errors add in squares, to first order in products and quotients, which is right for independent
    samples: not for two estimates from the same draws, whose errors are related. ``estimate[index]`` is the estimate of
    some entries, a view of them, ``f"{estimate:.3f}"`` a scalar value without its error, `text` with it. Functions of
    NumPy, comparisons with arrays and ``array += estimate`` take ``value``; two estimates are equal when they are one.
    Numbers of other types, integers beyond 2**53 and fractions are rounded, and the error of an operation counts that.
    Series and data frames of pandas are taken as arrays, entry by entry, on either side; their names are left behind.

    Examples
    --------
    >>> import numpy as np
    >>> half = Estimate(np.array(0.5), np.array(1e-16), "exact")
    >>> float(half), half.method
    (0.5, 'exact')
    >>> np.asarray(half) + np.ones(2)
    array([1.5, 1.5])
    >>> drawn = Estimate(np.array([0.7, 0.9]), np.array([0.03, 0.04]), "monte_carlo")
    >>> drawn[1] - drawn[0], drawn[1] - half
    (Estimate(0.2 +- 5.0e-02 (standard error), monte_carlo), Estimate(0.4 +- 4.0e-02 (bound and standard error), mixed))
    >>> drawn.exceeds(half)
    array([ True,  True])
    """

    value: NDArray[np.float64]
    error: NDArray[np.float64]
    method: Method
    of_scores: bool = False

    __pandas_priority__: ClassVar[int] = 5000
    """Above those of the containers of pandas, which then leave ``series + estimate`` to the estimate."""

    @default_floats
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return ``value``, so that NumPy functions accept an estimate in place of an array."""
        return np.array(self.value, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Let arrays on the left of ``+ - * /`` keep the error; all other functions of NumPy take ``value``."""
        operation = _OPERATIONS.get(ufunc) if method == "__call__" and not options else None
        if operation is not None:
            one, other = inputs
            if not isinstance(one, Estimate):
                one = Estimate(*_numbers(one), other.method)
            return operation(one, other)
        values = (one.value if isinstance(one, Estimate) else one for one in inputs)
        return getattr(ufunc, method)(*values, **options)

    def __float__(self) -> float:
        """Return a scalar ``value`` as a float."""
        return float(self.value)

    def __repr__(self) -> str:
        """Return one line: scalars in full, arrays by shape and largest error."""
        if self.value.ndim == 0:
            number = f"{float(self.value):.12g} +- {float(self.error):.1e}"
            return f"Estimate({number} ({ERRORS[self.method]}), {self.method})"
        shape = "x".join(map(str, self.value.shape))
        errors = self._told_errors
        known = np.isfinite(errors)
        unknown = "" if known.all() else f", unknown for {count(int((~known).sum()), 'number')}"
        largest = float(errors[known].max(initial=0.0))
        return f"Estimate({shape} array, {ERRORS[self.method]} <= {largest:.1e}{unknown}, {self.method})"

    @property
    def largest_error(self) -> float:
        """The largest error of an entry, of scores of one that decides something; 0 of an empty array."""
        errors = self._told_errors
        return float(np.max(errors)) if errors.size else 0.0

    @property
    def _told_errors(self) -> NDArray[np.float64]:
        return np.tril(self.error[:-1]) if self.of_scores else self.error

    def _result(self, value: Any, error: NDArray[np.float64], method: Method) -> "Estimate":
        """Return what an operation makes of this estimate."""
        result = np.asarray(value)
        return Estimate(result, error, method, self.of_scores and result.shape == self.value.shape)

    def __format__(self, spec: str) -> str:
        """Return a scalar value in a format of numbers, without its error; without a format as ``str`` does."""
        if not spec:
            return str(self)
        if self.value.ndim:
            raise InvalidArgumentError(
                f"format {spec!r} must be for a single number, got an estimate of shape {self.value.shape}; "
                "take an entry: estimate[i, j]"
            )
        return format(float(self.value), spec)

    def __iter__(self) -> Iterator["Estimate"]:
        """Yield the estimates of the entries, or of the rows."""
        return (self[k] for k in range(len(self.value)))

    def __getitem__(self, index: Any) -> "Estimate":
        """Return the estimate of some entries."""
        return Estimate(np.asarray(self.value[index]), np.asarray(self.error[index]), self.method)

    def __neg__(self) -> "Estimate":
        """Return the estimate of the opposite number."""
        return self._result(-self.value, self.error, self.method)

    @default_floats
    def __add__(self, other: "Estimate | ArrayLike") -> "Estimate":
        """Return the sum."""
        b, b_error, method = self._operand(other)
        with np.errstate(over="ignore", invalid="ignore"):
            value = np.asarray(self.value + b)
            return self._result(value, sum_error(value, self.error, b_error, method), method)

    __radd__ = __add__

    def __sub__(self, other: "Estimate | ArrayLike") -> "Estimate":
        """Return the difference."""
        return self + -(other if isinstance(other, Estimate) else Estimate(*_numbers(other), self.method))

    def __rsub__(self, other: ArrayLike) -> "Estimate":
        """Return the difference."""
        return -self + other

    @default_floats
    def __mul__(self, other: "Estimate | ArrayLike") -> "Estimate":
        """Return the product."""
        b, b_error, method = self._operand(other)
        with np.errstate(over="ignore", invalid="ignore"):
            value, error = self.value * b, product_error(self.value, self.error, b, b_error, method)
        return self._result(value, error, method)

    __rmul__ = __mul__

    @default_floats
    def __truediv__(self, other: "Estimate | ArrayLike") -> "Estimate":
        """Return the quotient."""
        b, b_error, method = self._operand(other)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            value, error = self.value / b, quotient_error(self.value, self.error, b, b_error, method)
        return self._result(value, error, method)

    def __rtruediv__(self, other: ArrayLike) -> "Estimate":
        """Return the quotient."""
        return Estimate(*_numbers(other), self.method) / self

    def exceeds(self, other: "Estimate | ArrayLike", *, bars: float | None = None) -> Any:
        """Say where the value is larger than another one by more than the error of their difference.

        Parameters
        ----------
        other : Estimate or array_like
            What it is compared with.
        bars : float, optional
            Error bars by which they must differ: unless given one, and four where standard errors enter.

        Returns
        -------
        bool or ndarray of bool
            False also where it cannot be told.

        Raises
        ------
        InvalidArgumentError
            If ``other`` is not made of numbers, or ``bars`` is negative.

        Examples
        --------
        >>> import numpy as np
        >>> first, second = (Estimate(np.array(x), np.array(0.1), "monte_carlo") for x in (1.0, 0.5))
        >>> first.exceeds(second), first.exceeds(second, bars=3)
        (False, True)
        """
        difference = self - other
        granted = GRANTED[difference.method] if bars is None else check_number("bars", bars, or_zero=True)
        with np.errstate(invalid="ignore"):
            found = difference.value > granted * difference.error
        return found if found.ndim else bool(found)

    def _operand(self, other: "Estimate | ArrayLike") -> tuple[NDArray[np.float64], NDArray[np.float64], Method]:
        """Return the value and error of the other operand, and the method of the result."""
        if isinstance(other, Estimate):
            return other.value, other.error, joined_method(self.method, other.method)
        return *_numbers(other), self.method

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


def _numbers(other: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return numbers as an array, and how far the rounding to doubles has moved them."""
    if np.ma.is_masked(other):
        raise InvalidArgumentError("operand must be a number, an array or an Estimate, got a masked array")
    try:
        numbers = np.asarray(check_real("operand", other), dtype=np.float64)
        error = np.zeros_like(numbers)
        if type(other) is not float:
            given = np.asarray(other)
            if given.dtype.kind == "O":
                rounded = [_is_rounded(*pair) for pair in zip(given.flat, numbers.flat, strict=True)]
                error = np.where(np.array(rounded, dtype=bool).reshape(numbers.shape), UNIT * np.abs(numbers), 0.0)
            elif given.dtype.kind in "iu":
                error = np.where(np.abs(numbers) > LARGEST_INTEGER, UNIT * np.abs(numbers), 0.0)
            elif given.dtype.itemsize > numbers.dtype.itemsize:
                error = np.where(given == numbers, 0.0, UNIT * np.abs(numbers) + SMALLEST_STEP)
        return numbers, error
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"operand must be a number, an array or an Estimate, got {other!r}") from error


def _is_rounded(given: Any, number: float) -> bool:
    """Whether a number of another type is not the double; where that cannot be told it counts as rounded."""
    try:
        return not bool(given == float(number))
    except (TypeError, ValueError):
        return True


def _largest(part: Estimate) -> float:
    return float(np.abs(part.value).max(initial=0.0))
