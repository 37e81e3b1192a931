"""Fresh sequences for training, drawn in parallel; every sequence has a number and a stream of its own."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import TooLargeError
from causal_theory.tasks import InContextTask
from causal_theory.validation import check_integer

Array = NDArray[np.float64]
MAX_BYTES = 4 * 2**30
"""Largest batch: tokens, targets and losses together."""


def draw_keys(rng: np.random.Generator) -> NDArray[np.uint64]:
    """Return two key words of a family of streams."""
    return rng.integers(2**64, size=2, dtype=np.uint64)


class BatchSampler:
    """Draws batches of a task into the same arrays again and again.

    Parameters
    ----------
    task : InContextTask
        Where sequences come from.
    batch_size : int
        Sequences to a batch.
    keys : ndarray of uint64, shape (2,)
        Key words; sequence number ``n`` is the same for every batch size and number of threads.

    Raises
    ------
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If a batch would take more than 4 GiB, or the transition tensors have more rows than can be numbered.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, DirichletPrior
    >>> task = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 0.5))
    >>> keys = draw_keys(np.random.default_rng(0))
    >>> one = BatchSampler(task, 8, keys).draw(0)[0].copy()
    >>> two = BatchSampler(task, 4, keys).draw(4)[0]
    >>> np.array_equal(one[4:], two)
    True
    """

    def __init__(self, task: InContextTask, batch_size: int, keys: NDArray[np.uint64]) -> None:
        task.prior.require_transitions(task.graph.in_degrees)
        count = check_integer("batch_size", batch_size, 1)
        needed = 8 * count * (task.length + task.vocab_size + 2)
        if needed > MAX_BYTES:
            raise TooLargeError(
                f"batch_size must need at most {MAX_BYTES / 2**30:g} GiB for tokens and targets, got {batch_size} with "
                f"{needed / 2**30:.3g} GiB"
            )
        self._keys = np.array(keys, dtype=np.uint64)
        self._tokens = np.zeros((count, task.length), dtype=np.int64)
        self._targets = np.zeros((count, task.vocab_size))
        self._source = task.prior.batches(task.graph, str(task.root_law))

    def draw(self, first: int) -> tuple[NDArray[np.int64], Array]:
        """Return tokens (n, T) and targets (n, S) of the sequences ``first ...``; the next call overwrites them."""
        self._source.draw(self._keys, first, self._tokens, self._targets)
        return self._tokens, self._targets
