"""A task as a dataset of PyTorch."""

from typing import Any, Literal

import numpy as np

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.interop.frameworks import load_torch
from causal_theory.tasks import InContextTask
from causal_theory.training.sampler import BatchSampler, draw_keys
from causal_theory.validation import SeedLike, as_generator, check_choice, check_integer

LABELS = ("soft", "sampled")


class TaskDataset:
    """Fresh sequences of a task, batch by batch, for ``torch.utils.data.DataLoader(dataset, batch_size=None)``.

    An item is a whole batch, and the loader hands it on as it is. Which sequences it holds depends on the seed and on
    its number alone: they are the same for any number of workers. One epoch is the whole training: no sequence comes
    twice.

    Parameters
    ----------
    task : InContextTask
        Where sequences come from.
    batches : int
        Number of batches.
    batch_size : int, default 1024
        Sequences to a batch.
    labels : {"soft", "sampled"}
        Targets as laws (n, S), or as symbols (n,) drawn from them.
    dtype : torch.dtype, optional
        Of soft targets, a floating-point one; PyTorch's default, single precision, when None.
    rng : seed or numpy Generator, optional
        Source of randomness; fresh entropy when None.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    ImportError
        If PyTorch is not installed.

    Examples
    --------
    >>> from torch.utils.data import DataLoader
    >>> from causal_theory import CausalGraph, DirichletPrior
    >>> task = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 0.5))
    >>> dataset = TaskDataset(task, 100, batch_size=8, labels="sampled", rng=0)
    >>> tokens, targets = next(iter(DataLoader(dataset, batch_size=None)))
    >>> tuple(tokens.shape), tuple(targets.shape)
    ((8, 6), (8,))
    """

    @default_floats
    def __init__(
        self,
        task: InContextTask,
        batches: int,
        *,
        batch_size: int = 1024,
        labels: Literal["soft", "sampled"] = "soft",
        dtype: Any = None,
        rng: SeedLike = None,
    ) -> None:
        load_torch("TaskDataset")
        self._count = check_integer("batches", batches, 1)
        self._labels = check_choice("labels", labels, LABELS)
        self._dtype = _check_dtype(dtype)
        generator = as_generator(rng)
        self._size = check_integer("batch_size", batch_size, 1)
        self._sampler = BatchSampler(task, self._size, draw_keys(generator))
        self._key = generator.integers(2**64, size=2, dtype=np.uint64)

    def __len__(self) -> int:
        """Return the number of batches."""
        return self._count

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        """Return tokens and targets of a batch as tensors."""
        torch = load_torch("TaskDataset")
        place = check_integer("number", number, 0)
        if place >= self._count:  # by which loops over the dataset end
            raise IndexError(f"number must be below {self._count}, the number of batches, got {place}")
        tokens, targets = (one.copy() for one in self._sampler.draw(place * self._size))
        if self._labels == "soft":
            dtype = torch.get_default_dtype() if self._dtype is None else self._dtype
            return torch.from_numpy(tokens), torch.from_numpy(targets).to(dtype)
        stream = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, 0, place]))
        uniform = stream.random((len(targets), 1)) * targets.sum(axis=1, keepdims=True)
        symbols = (targets.cumsum(axis=1) <= uniform).sum(axis=1)
        return torch.from_numpy(tokens), torch.from_numpy(np.minimum(symbols, targets.shape[1] - 1))


def _check_dtype(dtype: Any) -> Any:
    """Return a type for probabilities: as integers they would all be zero."""
    torch = load_torch("TaskDataset")
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise InvalidArgumentError(f"dtype must be a floating-point torch.dtype, got {dtype!r}")
    return dtype
