"""Hold the gradient of the loss of a batch, by the name of each matrix."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BatchGradient:
    """The gradient of the mean loss of a batch by the parameters of a model, in nats per unit of each parameter.

    Derivatives by a matrix of `TrainableModel.matrices` are ``gradient[name]``, and an attribute of that name.
    Iterating yields them in the order of the matrices.

    Attributes
    ----------
    parameters : ndarray, shape (P,)
        All derivatives, in the order of ``TrainableModel.parameters``.
    matrices : dict of str to ndarray
        The same by the name of each matrix, in its shape.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import ReducedTransformer
    >>> model = ReducedTransformer(np.zeros((3, 3)), np.zeros((2, 2)), 0.1)
    >>> slopes = model.gradient(np.array([[0, 1, 1]]), np.array([[0.5, 0.5]]))
    >>> slopes.A2.shape, list(slopes.matrices), len(slopes.parameters)
    ((2, 2), ['A1', 'A2'], 13)
    """

    parameters: Array
    matrices: dict[str, Array]

    def __getitem__(self, name: str) -> Array:
        """Return the derivatives by the matrix of a name."""
        return self.matrices[name]

    def __getattr__(self, name: str) -> Array:
        """Return the derivatives by the matrix of a name."""
        known = vars(self).get("matrices", {})  # nothing while an instance is copied or unpickled
        if name not in known:
            raise AttributeError(f"gradient must be asked for one of {', '.join(known)}, got {name!r}")
        found: Array = known[name]
        return found

    def __iter__(self) -> Iterator[Array]:
        """Yield the derivatives by each matrix."""
        return iter(self.matrices.values())

    def __repr__(self) -> str:
        """Return one line with the largest derivative by each matrix."""
        largest = (f"max |d{name}| = {np.abs(part).max(initial=0.0):.3g}" for name, part in self.matrices.items())
        return f"BatchGradient({', '.join(largest)})"
