r"""The standard transformer: learned embeddings that are added, value matrices, and a network after each attention.

Token ``s_i`` and position ``i`` enter as ``x_i = E[s_i] + P[i]`` of width ``d = S + T``. A layer attends with the heads
``h`` and passes what it read through a network with one hidden layer of ``d`` rectified units::

    r_i = sum_h sum_j a^h_ij V^h^T x_j,    a^h_i = softmax_j<=i(x_i^T A^h x_j)
    N(r) = M2^T relu(M1^T r + sqrt(d) b1) + sqrt(d) b2

    x_i -> x_i + N(r_i)                    residual="joint", as in the published experiment
    x_i -> u_i + N(u_i),  u_i = x_i + r_i  residual="each"

The prediction is ``softmax(W^T x_last)`` at the last position. PyTorch computes and differentiates
(:mod:`causal_theory.models._standard_torch`); it is loaded by the first model.
"""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.models import _standard_torch as network
from causal_theory.models._standard_torch import StandardLayer, StandardParts, require_torch
from causal_theory.models.base import TrainableModel
from causal_theory.models.views import MatrixView
from causal_theory.validation import SeedLike, as_generator, check_choice, check_integer, check_matrix, check_positive

Array = NDArray[np.float64]
Precision = Literal["float64", "float32"]
Residual = Literal["joint", "each"]
MAX_PARAMETERS = 50_000_000


class StandardTransformer(TrainableModel):
    r"""The standard transformer with any number of layers, and of heads per layer; needs the extra ``torch``.

    .. math::

       x_i = E_{s_i} + P_i, \qquad
       r_i = \sum_h \sum_{j \le i} \operatorname{softmax}_j(x_i^\top A^h x_j) \, (V^h)^\top x_j, \qquad
       N(r) = M_2^\top \max(M_1^\top r + \sqrt d \, b_1, 0) + \sqrt d \, b_2

    maps :math:`x_i` to :math:`x_i + N(r_i)`, or to :math:`u_i + N(u_i)` with :math:`u_i = x_i + r_i`, in every layer.
    The prediction is :math:`\operatorname{softmax}(W^\top x_{T-1})`, the loss of a sequence :math:`-y^\top \log f` in
    nats. The width is :math:`d = S + T`.

    At the start :math:`E, P, M_1` have independent Gaussian entries of variance :math:`1/d`, :math:`V^h` of variance
    :math:`1/(H d)`; all else is zero: every prediction is uniform.

    Parameters
    ----------
    length : int
        T, the number of tokens.
    vocab_size : int
        S, the number of symbols.
    heads : sequence of int
        Number of heads H of each layer.
    residual : {"joint", "each"}
        One residual connection around attention and network together, as in the published experiment, or one around
        each.
    scale : float
        Standard deviation of Gaussian attention matrices; 0 starts them at zero.
    precision : {"float64", "float32"}
        Numbers that PyTorch computes with; parameters, losses and gradients are float64 outside in any case. With
        float32 the gradient is wrong by about 4e-7 of its largest entry, in half the time.
    rng : int or Generator, optional
        Source of randomness for what starts at random.

    Attributes
    ----------
    token_embedding : ndarray, shape (S, d)
        E.
    position_embedding : ndarray, shape (T, d)
        P.
    layers : tuple of StandardLayer
        For each layer a named tuple: ``attention`` and ``values``, A and V of each head, shape (H, d, d), and the
        network, ``first`` (d, d), ``first_bias`` (d,), ``second`` (d, d), ``second_bias`` (d,).
    output : ndarray, shape (d, S)
        W.

    Raises
    ------
    InvalidArgumentError
        If a number or a name is out of range, or there is no layer.
    ImportError
        If PyTorch is not installed.

    Notes
    -----
    The same call gives the same bits in every process with the same number of threads of PyTorch
    (``OMP_NUM_THREADS``), on the same machine and under the same release; otherwise sums are rounded in another order,
    2e-16 apart, and a long training run ends at other parameters.

    References
    ----------
    E. Nichani, A. Damian, J. D. Lee, "How Transformers Learn Causal Structure with Gradient Descent", ICML 2024,
    figure 8.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory.models import StandardTransformer
    >>> model = StandardTransformer(4, 2, rng=0)  # doctest: +SKIP
    >>> model  # doctest: +SKIP
    StandardTransformer(length=4, vocab_size=2, heads=(1, 1), residual='joint', precision='float64', 360 parameters)
    >>> model.layers[0].attention.shape, model.output.shape  # doctest: +SKIP
    ((1, 6, 6), (6, 2))
    >>> model.forward(np.array([[0, 1, 1, 0]]))  # doctest: +SKIP
    array([[0.5, 0.5]])
    """

    @default_floats
    def __init__(
        self,
        length: int,
        vocab_size: int,
        heads: Sequence[int] = (1, 1),
        *,
        residual: Residual = "joint",
        scale: float = 0.0,
        precision: Precision = "float64",
        rng: SeedLike = None,
    ) -> None:
        self._length = check_integer("length", length, 2)
        self._size = check_integer("vocab_size", vocab_size, 2)
        if isinstance(heads, str) or not isinstance(heads, Sequence | np.ndarray) or len(heads) == 0:
            raise InvalidArgumentError(f"heads must be one positive integer for each layer, got {heads!r}")
        self._heads = tuple(check_integer("heads", count, 1) for count in heads)
        self._residual = check_choice("residual", residual, get_args(Residual))
        self._precision = check_choice("precision", precision, get_args(Precision))
        deviation = 0.0 if scale == 0.0 else check_positive("scale", scale)
        self._starts = self._find_starts()
        require_torch()
        self._adopt(self._start(deviation, as_generator(rng)))

    def _find_starts(self) -> list[int]:
        """Return where the embeddings, each layer and the output matrix start, and the number of parameters."""
        width = self._length + self._size
        sizes = [width**2, *(2 * (count + 1) * width**2 + 2 * width for count in self._heads), width * self._size]
        total = sum(sizes)
        if total > MAX_PARAMETERS:
            raise InvalidArgumentError(
                f"length + vocab_size and heads must give at most {MAX_PARAMETERS} parameters, got {width} and "
                f"{self._heads} with {total}"
            )
        return [0, *np.cumsum(sizes).tolist()]

    def _start(self, scale: float, rng: np.random.Generator) -> Array:
        """Return the parameters before training, as published."""
        flat = np.zeros(self._starts[-1])
        parts = self._parts_of(flat)
        width = self._length + self._size

        def draw(matrix: Array, deviation: float) -> None:
            matrix[...] = deviation * rng.standard_normal(matrix.shape)

        draw(parts.tokens, width**-0.5)
        draw(parts.positions, width**-0.5)
        for layer in parts.layers:
            if scale:
                draw(layer.attention, scale)
            draw(layer.values, (len(layer.values) * width) ** -0.5)
            draw(layer.first, width**-0.5)
        return flat

    def _adopt(self, flat: Array) -> None:
        flat.setflags(write=False)
        self._flat = flat

    def _parts_of(self, flat: Any) -> StandardParts:
        """Return views of a flat vector, of NumPy or of PyTorch."""
        width = self._length + self._size
        starts = self._starts
        layers = []
        for count, start in zip(self._heads, starts[1:], strict=False):
            square = (width, width)
            shapes = ((count, *square), (count, *square), square, (width,), square, (width,))
            ends = [start, *(start + np.cumsum([math.prod(shape) for shape in shapes])).tolist()]
            layers.append(
                StandardLayer._make(flat[ends[k] : ends[k + 1]].reshape(shape) for k, shape in enumerate(shapes))
            )
        return StandardParts(
            tokens=flat[: self._size * width].reshape(self._size, width),
            positions=flat[self._size * width : starts[1]].reshape(self._length, width),
            layers=tuple(layers),
            output=flat[starts[-2] :].reshape(width, self._size),
        )

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
    def residual(self) -> str:
        """``"joint"`` or ``"each"``."""
        return self._residual

    @property
    def precision(self) -> str:
        """``"float64"`` or ``"float32"``."""
        return self._precision

    @property
    @override
    def parameters(self) -> Array:
        return self._flat

    @property
    @override
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        parts = self._parts_of(self._flat)
        named = {"token_embedding": parts.tokens, "position_embedding": parts.positions}
        for k, layer in enumerate(parts.layers):
            named |= {f"layer{k + 1}_{name}": part for name, part in layer._asdict().items()}
        return {name: part.shape for name, part in (named | {"output": parts.output}).items()}

    @property
    @override
    @default_floats
    def groups(self) -> Mapping[str, slice]:
        names = ("embedding", *(f"layer{k + 1}" for k in range(len(self._heads))), "output")
        return {name: slice(self._starts[k], self._starts[k + 1]) for k, name in enumerate(names)}

    @property
    def token_embedding(self) -> Array:
        """E, a view of shape (S, d)."""
        return self.matrices()["token_embedding"]

    @property
    def position_embedding(self) -> Array:
        """P, a view of shape (T, d)."""
        return self.matrices()["position_embedding"]

    @property
    def layers(self) -> tuple[StandardLayer, ...]:
        """Matrices and biases of each layer, views."""
        return self._parts_of(self._flat).layers

    @property
    def output(self) -> Array:
        """The output matrix W, a view of shape (d, S)."""
        return self.matrices()["output"]

    @property
    @override
    def libraries(self) -> tuple[str, ...]:
        return ("torch",)

    @override
    def views(self) -> Sequence[MatrixView]:
        return ()  # too many for a figure: it shows the attention

    @override
    def tables(self) -> Mapping[str, Array]:
        return {}

    @override
    @default_floats
    def with_parameters(self, parameters: ArrayLike) -> "StandardTransformer":
        flat = check_matrix("parameters", np.atleast_2d(parameters), (1, len(self._flat)))[0].copy()
        other = copy(self)
        other._adopt(flat)
        return other

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "kind": "standard",
            "length": self._length,
            "vocab_size": self._size,
            "heads": list(self._heads),
            "residual": self._residual,
            "precision": self._precision,
        }

    @override
    @default_floats
    def forward(self, tokens: ArrayLike) -> Array:
        batch = self.check_tokens(tokens)
        torch = require_torch()
        parts = self._parts_of(self._tensor(self._flat))
        predictions = np.empty((len(batch), self._size))
        with torch.no_grad():
            for block in network.blocks(len(batch)):
                predictions[block] = torch.softmax(network.logits(parts, batch[block], self._residual), dim=1).numpy()
        return predictions

    @override
    @default_floats
    def first_attention(self, tokens: ArrayLike) -> Array:
        batch = self.check_tokens(tokens)
        parts = self._parts_of(self._tensor(self._flat))
        total = np.zeros((self._heads[0], self._length, self._length))
        with require_torch().no_grad():
            for block in network.blocks(len(batch)):
                for h, attention in enumerate(network.first_attention(parts, batch[block])):
                    total[h] += attention.sum(dim=0).numpy()
        return total / len(batch)

    @override
    @default_floats
    def batch_losses(self, tokens: NDArray[np.int64], targets: Array) -> Array:
        parts = self._parts_of(self._tensor(self._flat))
        losses = np.empty(len(tokens))
        with require_torch().no_grad():
            for block in network.blocks(len(tokens)):
                losses[block] = network.losses(parts, tokens[block], targets[block], self._residual).numpy()
        return losses

    @override
    @default_floats
    def gradient_at(self, parameters: Array, tokens: NDArray[np.int64], targets: Array) -> tuple[Array, Array]:
        torch = require_torch()
        flat = self._tensor(parameters).requires_grad_()
        losses = np.empty(len(tokens))
        gradient = np.zeros(len(parameters))
        with torch.enable_grad():
            for block in network.blocks(len(tokens)):
                found = network.losses(self._parts_of(flat), tokens[block], targets[block], self._residual)
                gradient += torch.autograd.grad(found.sum(), flat)[0].numpy()
                losses[block] = found.detach().numpy()
        gradient /= len(tokens)
        return losses, gradient

    def _tensor(self, values: NDArray[Any]) -> Any:
        """Return a copy in the precision of the model."""
        torch = require_torch()
        return torch.tensor(values, dtype=getattr(torch, self._precision))
