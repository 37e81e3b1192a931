"""Fresh sequences for training, drawn in parallel; every sequence has a number and a stream of its own."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.chains import stationary_distributions
from causal_theory.errors import TaskError, TooLargeError, TransitionError
from causal_theory.kernels.sampler import sample_dirichlet, sample_dirichlet_rows, sample_matrices, sample_rows
from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior
from causal_theory.priors.drawn import DrawnPrior
from causal_theory.tasks import InContextTask
from causal_theory.validation import check_integer

__all__ = ["BatchSampler", "draw_keys"]

Array = NDArray[np.float64]
Keys = NDArray[np.uint64]
MAX_BYTES = 4 * 2**30
"""Largest batch: tokens, targets and losses together."""

MOST_MULTIPLICATIONS = 20

MOST_ROWS = 2**62
"""Rows of all kernels of a task: they are numbered by integers."""


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
        If the prior has no kernel for a number of parents in the graph, or has an unknown type.
    TooLargeError
        If a batch would take more than 4 GiB, or the kernels have more rows than can be numbered.

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
        task.prior.require_kernels(task.graph.in_degrees)
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
        self._source = _OneParent(task) if task.is_single_parent else _SeveralParents(task)

    def draw(self, first: int) -> tuple[NDArray[np.int64], Array]:
        """Return tokens (n, T) and targets (n, S) of the sequences ``first ...``; the next call overwrites them."""
        self._source.draw(self._keys, first, self._tokens, self._targets)
        return self._tokens, self._targets


class _OneParent:
    """Sequences in which every position and the target have at most one parent: one matrix makes all of them."""

    def __init__(self, task: InContextTask) -> None:
        self._task = task
        self._parents = np.ascontiguousarray(task.graph.parent_array)
        self._target = int(task.graph.target_parents[0])
        self._fixed = _matrices(task)

    def draw(self, keys: Keys, first: int, tokens: NDArray[np.int64], targets: Array) -> None:
        """Fill tokens and targets with the sequences ``first ...``."""
        if self._fixed is not None:
            sample_matrices(keys, first, self._parents, self._target, *self._fixed, tokens, targets)
            return
        prior = self._task.prior
        assert isinstance(prior, DirichletPrior)
        flags = np.zeros(len(tokens), dtype=np.int64)
        uniform_roots = self._task.root_law == "uniform"
        law = _dirichlet_law(prior)
        sample_dirichlet(keys, first, self._parents, self._target, law, uniform_roots, tokens, targets, flags)
        if flags.any():
            raise TransitionError(
                'root_law must be "uniform" for matrices without a unique stationary law in floating point, got '
                f'"stationary" and such a matrix in sequence {first + int(np.argmax(flags))} of {prior!r}'
            )


class _SeveralParents:
    """Sequences on any graph; the roots are uniform, and there is a kernel for each number of parents."""

    def __init__(self, task: InContextTask) -> None:
        prior, size = task.prior, task.vocab_size
        if not isinstance(prior, DirichletPrior | PointPrior | OrbitPrior):
            raise TaskError(f"prior must be a PointPrior, OrbitPrior or DirichletPrior, got {type(prior).__name__}")
        first_rows, rows = {}, 0
        for degree in task.graph.in_degrees:
            first_rows[degree] = rows
            rows += size**degree
        if rows > MOST_ROWS:
            raise TooLargeError(
                f"graph must have kernels of at most {MOST_ROWS} rows in all, got up to {task.graph.in_degrees[-1]} "
                f"parents with {size} symbols"
            )
        entries = (*task.graph.parents, task.graph.target_parents)
        self._prior = prior
        self._graph = (
            np.cumsum([0, *map(len, entries)], dtype=np.int64),
            np.array([parent for entry in entries for parent in entry], dtype=np.int64),
            np.array([first_rows.get(len(entry), 0) for entry in entries], dtype=np.int64),
        )
        self._rows = np.zeros((0, size))
        if not isinstance(prior, DirichletPrior):
            self._rows = np.concatenate([prior.kernels[degree].reshape(-1, size) for degree in first_rows])

    def draw(self, keys: Keys, first: int, tokens: NDArray[np.int64], targets: Array) -> None:
        """Fill tokens and targets with the sequences ``first ...``."""
        prior = self._prior
        if isinstance(prior, DirichletPrior):
            sample_dirichlet_rows(keys, first, *self._graph, _dirichlet_law(prior), tokens, targets)
            return
        sample_rows(keys, first, *self._graph, self._rows, isinstance(prior, OrbitPrior), tokens, targets)


def _dirichlet_law(prior: DirichletPrior) -> tuple[float, int, float]:
    return prior.concentration, _integer_inverse(prior.concentration), prior.floor


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
