"""Fresh sequences for training, drawn in parallel; every sequence has a number and a stream of its own."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.chains import stationary_distributions
from causal_theory.errors import TaskError, TooLargeError, TransitionError
from causal_theory.kernels.sampler import sample_dirichlet, sample_matrices
from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior
from causal_theory.priors.drawn import DrawnPrior
from causal_theory.tasks import InContextTask
from causal_theory.validation import check_integer

__all__ = ["BatchSampler", "draw_keys"]

Array = NDArray[np.float64]
MAX_BYTES = 4 * 2**30
"""Largest batch: tokens, targets and losses together."""

MOST_MULTIPLICATIONS = 20


def draw_keys(rng: np.random.Generator) -> NDArray[np.uint64]:
    """Return two key words of a family of streams."""
    return rng.integers(2**64, size=2, dtype=np.uint64)


class BatchSampler:
    """Draws batches of a task into the same arrays again and again.

    Parameters
    ----------
    task : InContextTask
        A task in which every position and the target have at most one parent.
    batch_size : int
        Sequences to a batch.
    keys : ndarray of uint64, shape (2,)
        Key words; sequence number ``n`` is the same for every batch size and number of threads.

    Raises
    ------
    TaskError
        If a position has several parents, or the prior has an unknown type.
    TooLargeError
        If a batch would take more than 4 GiB.

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
        task.require_forest("training")
        if len(task.graph.target_parents) != 1:
            raise TaskError(f"training needs a target with one parent, got {task.graph.target_parents}")
        count = check_integer("batch_size", batch_size, 1)
        needed = 8 * count * (task.length + task.vocab_size + 2)
        if needed > MAX_BYTES:
            raise TooLargeError(
                f"batch_size must need at most {MAX_BYTES / 2**30:g} GiB for tokens and targets, got {batch_size} with "
                f"{needed / 2**30:.3g} GiB"
            )
        self._task = task
        self._keys = np.array(keys, dtype=np.uint64)
        self._parents = np.ascontiguousarray(task.graph.parent_array)
        self._target = int(task.graph.target_parents[0])
        self._tokens = np.zeros((count, task.length), dtype=np.int64)
        self._targets = np.zeros((count, task.vocab_size))
        self._flags = np.zeros(count, dtype=np.int64)
        self._fixed = _matrices(task)

    def draw(self, first: int) -> tuple[NDArray[np.int64], Array]:
        """Return tokens (n, T) and targets (n, S) of the sequences ``first ...``; the next call overwrites them."""
        if self._fixed is not None:
            matrices, laws, renamed = self._fixed
            sample_matrices(
                self._keys,
                first,
                self._parents,
                self._target,
                matrices,
                laws,
                renamed,
                self._tokens,
                self._targets,
            )
            return self._tokens, self._targets
        prior = self._task.prior
        assert isinstance(prior, DirichletPrior)
        sample_dirichlet(
            self._keys,
            first,
            self._parents,
            self._target,
            (prior.concentration, _integer_inverse(prior.concentration), prior.floor),
            self._task.root_law == "uniform",
            self._tokens,
            self._targets,
            self._flags,
        )
        if self._flags.any():
            raise TransitionError(
                'root_law must be "uniform" for matrices without a unique stationary law in floating point, got '
                f'"stationary" and such a matrix in sequence {first + int(np.argmax(self._flags))} of {prior!r}'
            )
        return self._tokens, self._targets


def _integer_inverse(concentration: float) -> int:
    """Return 1 / concentration when it is an integer from 2 to 20, for which gamma numbers are cheap; else 0."""
    inverse = round(1.0 / concentration)
    exact = 2 <= inverse <= MOST_MULTIPLICATIONS and 1.0 / inverse == concentration
    return inverse if exact else 0


def _matrices(task: InContextTask) -> tuple[Array, Array, bool] | None:
    """Return the matrices of a prior that has finitely many, their root laws, and whether symbols are renamed."""
    prior = task.prior
    if isinstance(prior, DirichletPrior):
        return None
    if isinstance(prior, PointPrior | OrbitPrior):
        matrices = prior.transition[np.newaxis]
    elif isinstance(prior, DrawnPrior):
        matrices = prior.matrices
    else:
        raise TaskError(f"prior must be a PointPrior, OrbitPrior or DirichletPrior, got {type(prior).__name__}")
    matrices = np.ascontiguousarray(matrices, dtype=np.float64)
    uniform = np.full(matrices.shape[:2], 1.0 / task.vocab_size)
    laws = uniform if task.root_law == "uniform" else stationary_distributions(matrices)
    return matrices, np.ascontiguousarray(laws), not isinstance(prior, PointPrior)
