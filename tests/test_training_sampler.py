"""Random streams and the sampler of training: laws against exact ones, streams that depend on the seed alone."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import gamma

from causal_theory import CausalGraph, DirichletPrior, InContextTask, OrbitPrior, PointPrior, pairwise_joint
from causal_theory.errors import TaskError, TooLargeError
from causal_theory.kernels import streams
from causal_theory.kernels.threads import thread_limit
from causal_theory.priors.batches import _integer_inverse
from causal_theory.priors.drawn import DrawnPrior
from causal_theory.training.sampler import BatchSampler

from .helpers import from_python

pytestmark = pytest.mark.compiled

NAMES = ("below", "inverse_gamma_shape", "log_gamma", "next_word", "normal", "open_stream", "uniform")
below, inverse_gamma_shape, log_gamma, next_word, normal, open_stream, uniform = (
    from_python(getattr(streams, name)) for name in NAMES
)

KEYS = np.array([123, 456], dtype=np.uint64)
MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]


def stream(number=0, keys=KEYS):
    state = np.empty(4, dtype=np.uint64)
    open_stream(keys, number, state)
    return state


class TestStreams:
    def test_words_are_those_of_the_published_generator(self):
        """A few steps of xoshiro256++, in Python integers."""
        state = stream()
        own = [int(word) for word in state]
        mask = 2**64 - 1

        def rotated(word, shift):
            return ((word << shift) | (word >> (64 - shift))) & mask

        for _ in range(20):
            expected = (rotated((own[0] + own[3]) & mask, 23) + own[0]) & mask
            shifted = (own[1] << 17) & mask
            own[2] ^= own[0]
            own[3] ^= own[1]
            own[1] ^= own[2]
            own[0] ^= own[3]
            own[2] ^= shifted
            own[3] = rotated(own[3], 45)
            assert int(next_word(state)) == expected

    def test_streams_differ(self):
        """Neighbours and other keys share no word, and are uncorrelated."""
        words = {tuple(stream(n).tolist()) for n in range(1000)}
        words |= {tuple(stream(n, np.array([124, 456], dtype=np.uint64)).tolist()) for n in range(1000)}
        words |= {tuple(stream(n, np.array([123, 457], dtype=np.uint64)).tolist()) for n in range(1000)}
        assert len(words) == 3000
        first = np.array([uniform(stream(n)) for n in range(4000)])
        assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 5.0 / np.sqrt(4000)
        assert stats.kstest(first, "uniform").pvalue > 1e-4

    def test_uniform_normal_and_integers(self):
        state = stream(1)
        assert stats.kstest([uniform(state) for _ in range(5000)], "uniform").pvalue > 1e-4
        assert stats.kstest([normal(state) for _ in range(5000)], "norm").pvalue > 1e-4
        counts = np.bincount([below(state, 7) for _ in range(7000)], minlength=7)
        assert stats.chisquare(counts).pvalue > 1e-4

    @pytest.mark.parametrize("shape", [0.01, 0.1, 0.3, 1.0, 1.7, 20.0])
    def test_log_gamma(self, shape):
        """The probability integral transform of the logarithms; small shapes have most of their mass below 1e-300."""
        state = stream(2)
        logs = np.array([log_gamma(state, shape) for _ in range(5000)])
        assert np.isfinite(logs).all()
        if shape < 0.05:
            # P(G < x) = x^a / Gamma(a + 1) for small x: its a-th power is uniform.
            small = logs < -20.0
            assert stats.kstest(np.exp(shape * (logs[small] + 20.0)), "uniform").pvalue > 1e-4
            expected = np.exp(-20.0 * shape) / gamma(shape + 1.0)
            assert abs(small.mean() - expected) < 5.0 * np.sqrt(expected * (1.0 - expected) / 5000)
        else:
            assert stats.kstest(np.exp(logs), stats.gamma(shape).cdf).pvalue > 1e-4

    @pytest.mark.parametrize("inverse", [2, 3, 10, 20])
    def test_gamma_of_inverse_shape(self, inverse):
        state = stream(3)
        values = [inverse_gamma_shape(state, inverse) for _ in range(5000)]
        assert stats.kstest(values, stats.gamma(1.0 / inverse).cdf).pvalue > 1e-4

    def test_integer_inverses(self):
        assert [_integer_inverse(c) for c in (0.1, 0.5, 0.05, 0.2)] == [10, 2, 20, 5]
        assert [_integer_inverse(c) for c in (1.0, 0.3, 0.01, 2.0, 0.1000001)] == [0, 0, 0, 0, 0]


def joint_deviation(task, count, keys=KEYS):
    """Largest distance, in standard errors, of sampled from exact pair laws and of targets from their mean."""
    tokens, targets = BatchSampler(task, count, keys).draw(0)
    size = task.vocab_size
    exact = pairwise_joint(task, draws=20_000, rng=1)
    hot = np.eye(size)[tokens]
    found = np.einsum("nia,njb->ijab", hot, hot) / count
    error = np.sqrt(exact.value * (1.0 - exact.value) / count + exact.error**2) + 1e-9
    return float(np.abs((found - exact.value) / error).max()), targets, tokens


PRIORS = [
    PointPrior(MATRIX),
    OrbitPrior(MATRIX),
    DirichletPrior(3, 0.1),
    DirichletPrior(3, 0.37),
    DirichletPrior(3, 2.0, floor=0.2),
    DrawnPrior(DirichletPrior(3, 0.5), 4, rng=0),
]


class TestSampler:
    @pytest.mark.parametrize("prior", PRIORS, ids=repr)
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    def test_pairs_have_the_exact_law(self, prior, root_law):
        graph = CausalGraph.from_parents([-1, 0, 1, -1, 3, 0])
        task = InContextTask(graph, prior, root_law)
        deviation, targets, _ = joint_deviation(task, 60_000)
        assert deviation < 5.5  # 7^2 3^2 correlated entries
        assert np.abs(targets.sum(axis=1) - 1.0).max() < 1e-12
        assert (targets >= (prior.floor / 3 if isinstance(prior, DirichletPrior) else 0.0)).all()

    def test_targets_are_the_rows_that_made_the_tokens(self):
        """Under a chain every token after an equal one is drawn from the target: the counts agree on average."""
        task = InContextTask(CausalGraph.chain(9), DirichletPrior(3, 0.5))
        tokens, targets = BatchSampler(task, 80_000, KEYS).draw(0)
        same = tokens[:, 3] == tokens[:, -1]
        gaps = np.eye(3)[tokens[same, 4]] - targets[same]
        assert np.abs(gaps.mean(axis=0) / (gaps.std(axis=0) / np.sqrt(same.sum()))).max() < 5.0

    def test_orbits_rename_the_symbols(self):
        task = InContextTask(CausalGraph.chain(4), OrbitPrior(MATRIX))
        _, targets = BatchSampler(task, 600, KEYS).draw(0)
        rows = {tuple(row) for row in targets.tolist()}
        expected = {tuple(matrix[a].tolist()) for matrix in OrbitPrior(MATRIX).relabelings() for a in range(3)}
        assert rows == expected

    def test_two_symbols_with_an_unequal_target(self):
        """The target depends on another position than the last one."""
        graph = CausalGraph([(), (0,), (1,), ()], (1,))
        task = InContextTask(graph, PointPrior([[0.9, 0.1], [0.2, 0.8]]))
        tokens, targets = BatchSampler(task, 100, KEYS).draw(0)
        np.testing.assert_array_equal(targets, np.array([[0.9, 0.1], [0.2, 0.8]])[tokens[:, 1]])

    @pytest.mark.parametrize("prior", [DirichletPrior(3, 0.1), OrbitPrior(MATRIX)], ids=repr)
    def test_the_seed_decides_and_threads_do_not(self, prior):
        task = InContextTask(CausalGraph.chain(12), prior)
        results = []
        for threads in (1, None):
            with thread_limit(threads):
                tokens, targets = BatchSampler(task, 1000, KEYS).draw(5000)
                results.append((tokens.copy(), targets.copy()))
        for one, two in zip(*results, strict=True):
            np.testing.assert_array_equal(one, two)
        other, _ = BatchSampler(task, 1000, KEYS).draw(6000)
        assert (other != results[0][0]).any()

    def test_bad_input(self):
        with pytest.raises(TaskError, match="prior must have a transition tensor for every number of parents"):
            BatchSampler(InContextTask(CausalGraph.from_parents([-1, -1, (0, 1)]), PointPrior(MATRIX)), 4, KEYS)
        with pytest.raises(TooLargeError, match="batch_size must need at most 4 GiB"):
            BatchSampler(InContextTask(CausalGraph.chain(20), PointPrior(MATRIX)), 10**9, KEYS)
