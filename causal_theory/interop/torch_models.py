"""Modules of PyTorch."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.interop.differentiable import Batch, Differentiable, split
from causal_theory.interop.door import Numbers, not_floating
from causal_theory.interop.frameworks import load_torch

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

RANDOM = (
    *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "RReLU"),
    *("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"),
)
"""Parts that give other numbers in training than in evaluation."""


def _torch() -> Any:
    return load_torch("a module")


class TorchModel(Differentiable):
    """An ``nn.Module``, on the device and in the precision of its parameters.

    Parameters
    ----------
    module : nn.Module
        Not changed, neither its mode nor its gradients.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self.name = type(module).__name__
        self._parameters = dict(module.named_parameters())
        self._refuse_randomness()
        for name, one in self._parameters.items():
            if one.is_complex():
                raise InvalidArgumentError(f"parameters must be real, got {one.dtype} as {name!r} of {self.name}")
        several = {str(one.device) for one in self._parameters.values()}
        if len(several) > 1:
            raise InvalidArgumentError(f"model must be on one device, {self.name} is on {sorted(several)}")
        self._device = next(iter(self._parameters.values())).device if self._parameters else _torch().device("cpu")

    def _refuse_randomness(self) -> None:
        kinds = tuple(getattr(_torch().nn, name) for name in RANDOM)
        for name, part in self._module.named_modules():
            random = isinstance(part, kinds) and getattr(part, "p", 1.0) > 0.0
            # Attention and transformers of PyTorch keep the probability as a number.
            random |= isinstance(getattr(part, "dropout", None), float) and part.dropout > 0.0
            if random and part.training:
                raise InvalidArgumentError(
                    f"model must be in evaluation mode, {self.name} is in training mode and its part "
                    f"{name or 'itself'!r} ({type(part).__name__}) would change its answers; call model.eval()"
                )

    @override
    def __call__(self, tokens: Integers) -> Numbers:
        # With gradients switched off some layers compute something else at padded positions.
        with _one_path():
            given = self._given(tokens).detach()
        kinds = {given.dtype, *(one.dtype for one in self._parameters.values() if one.is_floating_point())}
        return Numbers(given.cpu().double().numpy(), max(float(_torch().finfo(kind).eps) for kind in kinds))

    def _given(self, tokens: Integers) -> Any:
        given = self._module(_torch().from_numpy(np.array(tokens)).to(self._device))
        if not isinstance(given, _torch().Tensor) or not given.is_floating_point():
            raise not_floating(self.name, given, "tensor")
        return given

    @override
    def in_double(self) -> "TorchModel | None":
        floating = [*self._module.parameters(), *self._module.buffers()]
        if all(one.dtype == _torch().float64 for one in floating if one.is_floating_point()):
            return None
        return TorchModel(copy.deepcopy(self._module).double())

    @property
    def _trained(self) -> dict[str, Any]:
        return {name: one for name, one in self._parameters.items() if one.requires_grad}

    @override
    def gradient(self, batch: Batch) -> Array:
        tokens, weights = batch
        trained = self._trained
        if not trained:
            raise InvalidArgumentError(f"model must have parameters that require a gradient, {self.name} has none")
        with _one_path():
            given = self._given(tokens)
            if not given.requires_grad:
                raise InvalidArgumentError(
                    f"model must be differentiable, what {self.name} gives has no gradient: does it call detach(), "
                    "or compute under torch.no_grad()?"
                )
            # A probability of zero has the logarithm -inf, which counts nothing where it has no weight.
            used = _torch().from_numpy(weights != 0.0).to(self._device)
            factors = _torch().from_numpy(weights).to(device=self._device, dtype=given.dtype)
            loss = -_torch().where(used, factors * given, _torch().zeros_like(given)).sum()
            found = _torch().autograd.grad(loss, list(trained.values()), allow_unused=True)
        parts = zip(found, trained.values(), strict=True)
        flat = [_torch().zeros_like(own).ravel() if one is None else one.ravel() for one, own in parts]
        return np.asarray(_torch().cat([one.cpu().double() for one in flat]).numpy())

    @property
    @override
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(one.shape) for one in self._trained.values()]

    @override
    def structured(self, value: Array, error: Array, method: Any) -> Any:
        parts = split(self.shapes, value, error)
        return {name: Estimate(one, off, method) for name, (one, off) in zip(self._trained, parts, strict=True)}


@contextmanager
def _one_path() -> Iterator[None]:
    """Let layers take the same path with and without gradients."""
    before = _torch().backends.mha.get_fastpath_enabled()
    _torch().backends.mha.set_fastpath_enabled(False)
    try:
        with _torch().enable_grad():
            yield
    finally:
        _torch().backends.mha.set_fastpath_enabled(before)
