"""Distances of predictions from the true law of the next token, sequence by sequence."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.display import Shown
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.models import ReducedTransformer, check_attention_matrix
from causal_theory.population.monte_carlo import sample_batches
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_integer, check_matrix, check_probability

Array = NDArray[np.float64]
DEFAULT_SAMPLES = 20_000


@dataclass(frozen=True, eq=False)
class PredictionError(Shown):
    r"""The law of :math:`\max_b |f_b - \pi_{qb}|` over sequences, from independent samples.

    Attributes
    ----------
    mean : Estimate
        Its expectation with one standard error.
    mean_interval : tuple of float
        Confidence interval of the expectation, by Student's t: exact for a normal law, an approximation for others.
        A sample of equal errors says nothing of their spread; then the interval allows for the share ``unseen`` of
        sequences with any other error from 0 to 1, which holds for every law.
    quantile : float
        Sample quantile at ``level``.
    quantile_interval : tuple of float
        Confidence interval of the quantile from order statistics: it holds for every law, each end with half the doubt.
        Where no order statistic is far enough out, the lower end is 0 and the upper end is infinite. That is finite
        from the number of samples on with ``level**samples <= (1 - confidence) / 2``.
    largest : float
        The largest error seen.
    level, confidence : float
        As asked for.
    samples : int
        Number of sequences.
    """

    mean: Estimate
    mean_interval: tuple[float, float]
    quantile: float
    quantile_interval: tuple[float, float]
    largest: float
    level: float
    confidence: float
    samples: int

    def __repr__(self) -> str:
        """Return one line: mean, quantile and largest error."""
        return (
            f"PredictionError(mean {self.mean.text('+-')}, {self.level:g} quantile {self.quantile:.4g}, "
            f"largest {self.largest:.4g} of {self.samples} sequences)"
        )

    @property
    @default_floats
    def unseen(self) -> float:
        """With the stated confidence at most this share of sequences has an error beyond ``largest``."""
        return float(-np.expm1(np.log1p(-self.confidence) / self.samples))


@default_floats
def prediction_error(
    task: InContextTask,
    A1: ArrayLike,
    A2: ArrayLike,
    *,
    samples: int = DEFAULT_SAMPLES,
    level: float = 0.95,
    confidence: float = 0.95,
    rng: SeedLike = None,
) -> PredictionError:
    r"""Return the worst-case error of the attended frequencies, :math:`\max_b |f_b - \pi_{qb}|`, over sequences.

    Parameters
    ----------
    task : InContextTask
        The task to test on, not necessarily the one that the matrices were trained on.
    A1 : array_like, shape (T, T)
        First attention matrix.
    A2 : array_like, shape (S, S)
        Second attention matrix.
    samples : int
        Number of independent sequences, at least 2.
    level, confidence : float
        Which quantile is reported besides the mean, and the confidence of both intervals, between 0 and 1.
    rng : int or Generator, optional
        Source of randomness.

    Returns
    -------
    PredictionError
        Mean, quantile and largest error over the samples, with confidence intervals. With the default level and
        confidence, the interval of the quantile has a finite upper end from 72 samples on.

    Raises
    ------
    InvalidArgumentError
        If a matrix has the wrong shape, or a number lies outside its range.
    TaskError
        If the graph is not a forest with an independent query.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, prediction_error
    >>> task = InContextTask(CausalGraph.chain(200), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> A1 = 100.0 * task.graph.adjacency  # attends to the parents
    >>> found = prediction_error(task, A1, 20.0 * np.eye(2), rng=0)
    >>> bool(found.mean.value < 0.05 < found.quantile < found.largest)
    True
    """
    task.require_query("prediction_error")
    first = check_attention_matrix("A1", A1, task.length)
    second = check_matrix("A2", A2, (task.vocab_size, task.vocab_size))
    count = check_integer("samples", samples, 2)
    level = check_probability("level", level, strict=True)
    confidence = check_probability("confidence", confidence, strict=True)
    # The constant inside the logarithm does not enter the predictions.
    model = ReducedTransformer(first, second, 1.0)
    errors = np.concatenate(
        [np.abs(model.forward(batch.tokens) - batch.targets).max(axis=1) for batch in sample_batches(task, count, rng)]
    )
    errors.sort()
    return _summarise(errors, level, confidence)


def _summarise(errors: Array, level: float, confidence: float) -> PredictionError:
    from scipy.special import stdtrit

    count = len(errors)
    mean, error = float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(count))
    tail = 0.5 * (1.0 - confidence)
    found = PredictionError(
        mean=Estimate(np.array(mean), np.array(error), "monte_carlo"),
        mean_interval=(mean, mean),
        quantile=float(np.quantile(errors, level, method="inverted_cdf")),
        quantile_interval=_quantile_interval(errors, level, tail),
        largest=float(errors[-1]),
        level=level,
        confidence=confidence,
        samples=count,
    )
    if errors[0] == errors[-1]:
        reach = (found.unseen * mean, found.unseen * (1.0 - mean))
    else:
        reach = 2 * (float(-stdtrit(count - 1, tail)) * error,)
    return replace(found, mean_interval=(mean - reach[0], mean + reach[1]))


def _quantile_interval(errors: Array, level: float, tail: float) -> tuple[float, float]:
    """Return the order statistics (errors are sorted) that miss the quantile with a chance of at most ``tail`` each.

    The number of samples up to the quantile is binomial with a chance of at least ``level``, that of samples below it
    with at most ``level``, whatever the law.
    """
    from scipy.special import bdtr, bdtrc

    count = len(errors)
    ranks = np.arange(1, count + 1)
    # The sample of rank r exceeds the quantile only if fewer than r lie up to it, and is less only if r lie below it.
    low = int((bdtr(ranks - 1, count, level) <= tail).sum())
    high = int((bdtrc(ranks - 1, count, level) > tail).sum())
    return (float(errors[low - 1]) if low > 0 else 0.0, float(errors[high]) if high < count else float("inf"))
