"""The disentangled transformer: attention only, with a residual stream that keeps every layer's output apart.

Token ``s_i`` and position ``i`` enter as one-hot vectors, ``x_i = [e_{s_i}, e_i]``. A layer with heads ``h`` maps::

    x_i -> [x_i, sum_j a^1_ij x_j, ..., sum_j a^H_ij x_j],      a^h_i = softmax_j<=i(x_i^T A^h x_j)

so that its width grows by the factor ``1 + H``. The prediction is ``softmax(W^T x_last)`` at the last position.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from causal_theory import kernels
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.models.base import TrainableModel
from causal_theory.models.reduced import causal_softmax
from causal_theory.models.views import MatrixView, layer_view
from causal_theory.validation import SeedLike, as_generator, check_integer, check_matrix, check_memory, check_positive

Array = NDArray[np.float64]
MAX_PARAMETERS = 50_000_000


class DisentangledTransformer(TrainableModel):
    r"""The disentangled transformer with any number of layers, and of heads per layer.

    Parameters
    ----------
    length : int
        T, the number of tokens.
    vocab_size : int
        S, the number of symbols.
    heads : sequence of int
        Number of heads of each layer.
    scale : float
        Standard deviation of Gaussian attention matrices; 0 starts at zero. The output matrix starts at zero.
    rng : int or Generator, optional
        Source of randomness for the matrices.

    Attributes
    ----------
    layers : tuple of ndarray
        For each layer its matrices, shape (H, d, d) with d the width at its input: ``(S + T) prod (1 + H)`` over the
        layers before.
    output : ndarray
        W, shape (d, S) with d the width at the end.

    Raises
    ------
    InvalidArgumentError
        If a number is out of range, or there is no layer.

    References
    ----------
    E. Nichani, A. Damian, J. D. Lee, "How Transformers Learn Causal Structure with Gradient Descent", ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> model = DisentangledTransformer(4, 2, heads=(1, 1))
    >>> [matrices.shape for matrices in model.layers], model.output.shape
    ([(1, 6, 6), (1, 12, 12)], (24, 2))
    >>> model.forward(np.array([[0, 1, 1, 0]]))  # zero parameters predict nothing
    array([[0.5, 0.5]])
    """

    @default_floats
    def __init__(
        self,
        length: int,
        vocab_size: int,
        heads: Sequence[int] = (1, 1),
        *,
        scale: float = 0.0,
        rng: SeedLike = None,
    ) -> None:
        self._length = check_integer("length", length, 2)
        self._size = check_integer("vocab_size", vocab_size, 2)
        if isinstance(heads, str) or not isinstance(heads, Sequence | np.ndarray) or len(heads) == 0:
            raise InvalidArgumentError(f"heads must be one positive integer for each layer, got {heads!r}")
        self._heads = tuple(check_integer("heads", count, 1) for count in heads)
        self._counts = np.array(self._heads, dtype=np.int64)
        width = self._length + self._size
        total = self._count_parameters(width)
        check_memory(f"{total} parameters for length + vocab_size = {width} and heads {self._heads}", 8 * total)
        flat = np.zeros(total)
        if scale != 0.0:
            matrices = flat[: self._starts[-1]]
            matrices[:] = check_positive("scale", scale) * as_generator(rng).standard_normal(len(matrices))
        self._adopt(flat)

    def _count_parameters(self, width: int) -> int:
        sides, total = width, 0
        for count in self._heads:
            total += count * sides**2
            sides *= 1 + count
        total += sides * self._size
        if total > MAX_PARAMETERS:
            raise InvalidArgumentError(
                f"heads must give at most {MAX_PARAMETERS} parameters, got {self._heads} with {total}"
            )
        self._starts, self._blocks = kernels.disentangled.layer_offsets(self._counts, width)
        return total

    def _adopt(self, flat: Array) -> None:
        flat.setflags(write=False)
        self._flat = flat
        self._columns: Array | None = None

    @property
    @override
    def length(self) -> int:
        return self._length

    @property
    @override
    def vocab_size(self) -> int:
        return self._size

    @property
    def heads(self) -> tuple[int, ...]:
        """Number of heads of each layer."""
        return self._heads

    @property
    @override
    def parameters(self) -> Array:
        return self._flat

    @property
    @override
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        width = self._length + self._size
        *sides, last = (self._blocks * width).tolist()
        layers = {f"layer{k + 1}": (heads, sides[k], sides[k]) for k, heads in enumerate(self._heads)}
        return layers | {"output": (last, self._size)}

    @property
    @default_floats
    def layers(self) -> tuple[Array, ...]:
        """Attention matrices of each layer, views of shape (H, d, d)."""
        *layers, _ = self.matrices().values()
        return tuple(layers)

    @property
    def output(self) -> Array:
        """The output matrix W, a view of shape (d, S)."""
        return self._flat[self._starts[-1] :].reshape(-1, self._size)

    @property
    @default_floats
    def position_attention(self) -> Array:
        """Causal softmax of the position-position block of each head of the first layer, shape (H, T, T)."""
        blocks = self.layers[0][:, self._size :, self._size :]
        return np.array([causal_softmax(block) for block in blocks])

    @override
    @default_floats
    def with_parameters(self, parameters: ArrayLike) -> "DisentangledTransformer":
        flat = check_matrix("parameters", np.atleast_2d(parameters), (1, len(self._flat)))[0].copy()
        other = copy(self)
        other._adopt(flat)
        return other

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "kind": "disentangled",
            "length": self._length,
            "vocab_size": self._size,
            "heads": list(self._heads),
        }

    @override
    def views(self) -> Sequence[MatrixView]:
        found = []
        for k, layer in enumerate(self.layers):
            for h, matrix in enumerate(layer):
                title = f"matrix of layer {k + 1}" + (f", head {h + 1}" if len(layer) > 1 else "")
                found.append(layer_view(title, matrix, self._length, self._size))
        return found

    @override
    def tables(self) -> Mapping[str, Array]:
        caption = "Layer 1, head {}: causal softmax of the position-position block"
        return {caption.format(h + 1): head for h, head in enumerate(self.position_attention)}

    @override
    @default_floats
    def forward(self, tokens: ArrayLike) -> Array:
        batch = self.check_tokens(tokens)
        return self._run(batch, np.zeros((len(batch), self._size)), predictions=True)[1]

    @override
    @default_floats
    def first_attention(self, tokens: ArrayLike) -> Array:
        batch = self.check_tokens(tokens)
        if len(self._heads) == 1:  # which attends from the last position only
            raise InvalidArgumentError(f"heads must have at least two layers for an inner attention, got {self._heads}")
        attended = self._run(batch, np.zeros((len(batch), self._size)), attention=True)[2]
        return attended[: self._heads[0]] / len(batch)

    @override
    def batch_losses(self, tokens: NDArray[np.int64], targets: Array) -> Array:
        return self._run(tokens, targets)[0]

    @override
    def losses_and_attention(self, tokens: NDArray[np.int64], targets: Array) -> tuple[Array, Array]:
        parts = ("batch_losses", "first_attention")
        if any(getattr(type(self), name) is not getattr(DisentangledTransformer, name) for name in parts):
            return super().losses_and_attention(tokens, targets)  # a subclass computes one of them in its own way
        losses, _, attended = self._run(tokens, targets, attention=True)
        return losses, attended[: self._heads[0]] / len(tokens)

    @override
    def gradient_at(self, parameters: Array, tokens: NDArray[np.int64], targets: Array) -> tuple[Array, Array]:
        columns = kernels.disentangled.transpose_layers(parameters, self._counts, self._length + self._size)
        losses, _, _, gradient = kernels.disentangled.run_batch(
            tokens, targets, parameters, columns, self._counts, gradient=True
        )
        gradient /= len(tokens)
        return losses, gradient

    def _run(
        self,
        tokens: NDArray[np.int64],
        targets: Array,
        *,
        predictions: bool = False,
        attention: bool = False,
    ) -> tuple[Array, Array, Array]:
        if self._columns is None:
            self._columns = kernels.disentangled.transpose_layers(self._flat, self._counts, self._length + self._size)
        losses, predicted, attended, _ = kernels.disentangled.run_batch(
            tokens, targets, self._flat, self._columns, self._counts, predictions=predictions, attention=attention
        )
        return losses, predicted, attended
