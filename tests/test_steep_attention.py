"""Second attention matrices of any finite size: losses and gradients against sums in many digits over all sequences."""

from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    excess_loss,
    loss_floor,
    parent_attention_gradient,
    parent_attention_loss,
    population_gradient,
    population_loss,
    prediction_error,
)
from causal_theory.dynamics import Stage2, run_stage2
from causal_theory.errors import TooLargeError
from causal_theory.population import log_moments as log_moments_module
from causal_theory.population.several_parents.moments import prepare_transfers
from causal_theory.population.several_parents.sampled import _construction

from . import kernel_oracle, oracles
from .helpers import assert_close

KERNEL = np.array([[0.5, 0.25, 0.25], [0.125, 0.5, 0.375], [0.25, 0.5, 0.25]])


def weights_of(graph, tokens, A2):
    """The attention of the construction on one sequence: rational logits, exponentials in many digits."""
    size = len(A2[0])
    query = [tokens[i] for i in graph.target_parents]
    logits = []
    for parents in graph.parents:
        logit = Fraction(0)
        for h, q in enumerate(query):
            column = [Fraction(float(A2[h][a][q])) for a in range(size)]
            logit += column[tokens[parents[h]]] if h < len(parents) else sum(column) / size
        logits.append(logit)
    lags = [logit - max(logits) for logit in logits]
    # What lies 1e5 below is 1e-40000 of the largest: nothing beside any epsilon.
    weights = [mpmath.exp(mpmath.mpf(x.numerator) / x.denominator) if x > -(10**5) else mpmath.mpf(0) for x in lags]
    total = mpmath.fsum(weights)
    return query, [weight / total for weight in weights]


def exact_loss(task, A2, epsilon):
    """Loss and gradient of the construction, A2 of shape (k, S, S), summed over all sequences with 60 digits."""
    graph, size = task.graph, task.vocab_size
    kernels = (
        {m: task.prior.transitions[m] for m in graph.in_degrees}
        if not task.is_single_parent
        else {1: task.prior.transition}
    )
    roots = task.root_distribution(task.prior.transition) if task.is_single_parent else np.full(size, 1.0 / size)
    with mpmath.workdps(60):
        epsilon, loss = mpmath.mpf(epsilon), mpmath.mpf(0)
        slopes = np.full(A2.shape, mpmath.mpf(0), dtype=object)
        for tokens in product(range(size), repeat=graph.length):
            chance = mpmath.mpf(1)
            for i, parents in enumerate(graph.parents):
                uniform = i == graph.length - 1
                root = mpmath.mpf(1) / size if uniform else mpmath.mpf(float(roots[tokens[i]]))
                law = kernel_oracle.row(kernels, tokens, parents) if parents else None
                chance *= mpmath.mpf(float(law[tokens[i]])) if parents else root
            if chance == 0:
                continue
            query, weights = weights_of(graph, tokens, A2)
            target = [mpmath.mpf(float(p)) for p in kernel_oracle.row(kernels, tokens, graph.target_parents)]
            share = [mpmath.fsum(w for w, s in zip(weights, tokens, strict=True) if s == b) for b in range(size)]
            loss -= chance * mpmath.fsum(p * mpmath.log(f + epsilon) for p, f in zip(target, share, strict=True))
            pull = [p / (f + epsilon) for p, f in zip(target, share, strict=True)]
            mean = mpmath.fsum(p * f for p, f in zip(pull, share, strict=True))
            for weight, token, parents in zip(weights, tokens, graph.parents, strict=True):
                slope = -chance * weight * (pull[token] - mean)
                for h, q in enumerate(query):
                    if h < len(parents):
                        slopes[h, tokens[parents[h]], q] += slope
                    else:
                        slopes[h, :, q] += slope / size
        return loss, slopes


def assert_exact(task, A2, epsilon):
    """Loss and gradient lie within their errors of the truth, and the errors are small."""
    given = np.array(A2, dtype=np.float64)
    loss, slopes = exact_loss(task, given[np.newaxis] if given.ndim == 2 else given, epsilon)
    found = parent_attention_loss(task, A2, epsilon=epsilon)
    oracles.assert_within_error(found, loss)
    assert found.error < 1e-9
    gradient = parent_attention_gradient(task, A2, epsilon=epsilon)
    oracles.assert_within_error(gradient, slopes.reshape(given.shape).tolist())
    assert gradient.error.max() < 1e-11


def steep_matrix(rng, shape):
    """Scales from 0.1 to 1e300, with ties, near ties, entries of mixed size and offsets of columns."""
    scale = float(rng.choice([0.1, 1.0, 10.0, 100.0, 700.0, 1e3, 2e3, 1e5, 1e300]))
    A2 = scale * rng.normal(size=shape)
    kind = rng.integers(4)
    if kind == 1:
        A2 = np.round(A2 / scale) * scale
    elif kind == 2:
        A2 = np.round(A2 / scale) * scale + rng.normal(size=shape)
    elif kind == 3 and scale < 1e300:
        A2 = A2 * 10.0 ** rng.uniform(-6.0, 2.0, size=shape)
    if rng.random() < 0.3:
        A2 = A2 + 1e6 * rng.normal(size=(*shape[:-2], 1, shape[-1]))
    return A2


class TestExact:
    @pytest.mark.parametrize("seed", range(24))
    def test_forest(self, seed):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(2, 4))
        length = int(rng.integers(1, 5 if size == 3 else 6))
        parents = [int(rng.integers(-1, i)) for i in range(length)]
        root_law = str(rng.choice(["uniform", "stationary"]))
        task = InContextTask(
            CausalGraph.from_parents(parents), PointPrior(rng.dirichlet(np.ones(size), size)), root_law
        )
        epsilon = float(10.0 ** (rng.uniform(-300.0, 6.0) if seed % 3 == 0 else rng.uniform(-4.0, 0.0)))
        assert_exact(task, steep_matrix(rng, (size, size)), epsilon)

    @pytest.mark.parametrize("seed", range(16))
    def test_two_heads(self, seed):
        rng = np.random.default_rng(seed)
        size = 2 + seed % 2
        length = 7 - size
        entries = [tuple(rng.choice(i, min(i, rng.integers(0, 3)), replace=False).tolist()) for i in range(length)]
        graph = CausalGraph(entries, tuple(rng.choice(length, 2, replace=False).tolist()))
        kernels = {m: rng.dirichlet(np.ones(size), size=(size,) * m) for m in graph.in_degrees}
        epsilon = float(10.0 ** (rng.uniform(-300.0, 6.0) if seed % 3 == 0 else rng.uniform(-4.0, 0.0)))
        assert_exact(InContextTask(graph, PointPrior(kernels)), steep_matrix(rng, (2, size, size)), epsilon)

    @pytest.mark.parametrize("epsilon", [1e-300, 1e-12, 0.01, 1e6])
    @pytest.mark.parametrize(
        "A2",
        [
            [[1e308, -1e308, 0.0], [-1e308, 1e308, 0.0], [1e308, 1e308, 0.0]],  # sums and differences overflow
            [[1e300, 0.0, 5.0], [0.7, 0.0, 5.0], [0.5, -1e300, np.nextafter(5.0, 6.0)]],
            [[-1e6, 0.0, 1e6], [-1e6 - 2.0, 1e-300, 1e6 + 1.0], [-1e6 + 0.25, -700.0, 1e6]],
            [[0.0, -400.0, -800.0], [-800.0, 0.0, -400.0], [-400.0, -1200.0, 0.0]],
        ],
    )
    def test_chosen_matrices(self, A2, epsilon):
        assert_exact(InContextTask(CausalGraph.from_parents([-1, 0, 0, 1]), PointPrior(KERNEL)), A2, epsilon)

    def test_the_largest_entry_belongs_to_a_symbol_that_never_occurs(self):
        """The parents carry the other two: their difference, 0.2, survives beside 1e300."""
        kernel = [[0.0, 0.5, 0.5], [0.0, 0.3, 0.7], [0.0, 0.6, 0.4]]
        task = InContextTask(CausalGraph.from_parents([-1, 0, 1]), PointPrior(kernel))
        steep = np.array([[0.0, 1e300, 1e300], [0.0, 0.5, 0.5], [0.0, 0.7, 0.7]])
        assert_exact(task, steep, 0.01)

    def test_hard_attention(self):
        """The value of the enumeration, to which the loss has converged from a scale of 1000 on."""
        task = InContextTask(CausalGraph.chain(7), PointPrior(KERNEL))
        for scale in (1e3, 2e3, 1e5, 1e300):
            loss = parent_attention_loss(task, scale * np.eye(3), epsilon=0.01)
            assert abs(float(loss) - 2.16627110597335) < 1e-12
        excess = excess_loss(task, 2e3 * np.eye(3), epsilon=0.01)
        assert_close(excess.value, 2.16627110597335 - loss_floor(task).value, rtol=1e-11)

    def test_no_position_has_a_parent(self):
        task = InContextTask(CausalGraph.from_parents([-1, -1]), PointPrior(KERNEL))
        assert_exact(task, 1e5 * np.eye(3), 0.01)

    def test_orbit_average(self):
        prior = OrbitPrior(KERNEL)
        graph = CausalGraph.from_parents([-1, 0, 1])
        A2 = 1e4 * np.random.default_rng(3).normal(size=(3, 3))
        points = [exact_loss(InContextTask(graph, PointPrior(m)), A2[np.newaxis], 0.05)[0] for m in prior.relabelings()]
        oracles.assert_within_error(
            parent_attention_loss(InContextTask(graph, prior), A2, epsilon=0.05), sum(points) / 6
        )


class TestOffsets:
    @pytest.mark.parametrize("offset", [1e6, -3e9, 2.0**60])
    def test_a_constant_of_a_column_changes_nothing(self, offset):
        """Multiples of a power of two, so that the offset is added without rounding."""
        rng = np.random.default_rng(1)
        task = InContextTask(CausalGraph.from_parents([-1, 0, 1]), PointPrior(KERNEL))
        unit = 1.0 if abs(offset) < 2**50 else 2.0**8
        A2 = (
            unit * np.round(rng.normal(size=(3, 3)) * 2.0)
            if unit > 1.0
            else np.round(rng.normal(size=(3, 3)) * 64) / 64
        )
        moved = A2 + offset * np.array([1.0, 0.0, -1.0])
        for function in (parent_attention_loss, parent_attention_gradient):
            plain, shifted = (function(task, matrix, epsilon=0.01) for matrix in (A2, moved))
            assert (np.abs(plain.value - shifted.value) <= plain.error + shifted.error).all()
            assert_close(shifted.value, plain.value, rtol=0.0, atol=1e-13)

    def test_of_one_of_two_heads(self):
        rng = np.random.default_rng(2)
        kernel = rng.dirichlet(np.ones(3), size=(3, 3))
        task = InContextTask(CausalGraph.ngram(6, 2), PointPrior({2: kernel}))
        A2 = np.round(rng.normal(size=(2, 3, 3)) * 64) / 64
        moved = A2 + np.array([1e9, -3e9])[:, np.newaxis, np.newaxis]
        plain, shifted = (parent_attention_loss(task, matrix, epsilon=0.01) for matrix in (A2, moved))
        assert_close(shifted.value, plain.value, rtol=0.0, atol=1e-13)


class TestLongSequences:
    def test_two_engines_agree(self):
        """Messages along edges, and a pass along the frontier, at lengths that nobody enumerates."""
        from causal_theory.population.several_parents.construction import construction_slopes, row_windows

        task = InContextTask(CausalGraph.chain(60), PointPrior(KERNEL), "uniform")
        A2 = 300.0 * np.random.default_rng(5).normal(size=(3, 3))
        transfers = prepare_transfers(task, "test")
        windows = row_windows(A2[np.newaxis], transfers, 1e-3)
        found, errors = construction_slopes(transfers, windows, 1e-3, {1: KERNEL})
        loss, gradient = (f(task, A2, epsilon=1e-3) for f in (parent_attention_loss, parent_attention_gradient))
        assert abs(float(loss) - found[-1]) <= float(loss.error) + errors[-1] < 1e-9
        assert_close(found[:-1].reshape(3, 3), gradient.value, rtol=0.0, atol=1e-12)

    def test_columns_of_the_gradient_sum_to_zero(self):
        task = InContextTask(CausalGraph.random_forest(40, 0.3, 4), PointPrior(KERNEL))
        gradient = parent_attention_gradient(task, 5e3 * np.random.default_rng(6).normal(size=(3, 3)), epsilon=0.01)
        assert np.abs(gradient.value.sum(axis=0)).max() < 1e-13

    def test_a_range_that_takes_too_long_is_refused(self, monkeypatch):
        monkeypatch.setattr(log_moments_module, "MAX_SCALED_PASSES", 1000)
        task = InContextTask(CausalGraph.chain(5), PointPrior(KERNEL))
        with pytest.raises(TooLargeError, match="A2 and epsilon must need at most 1000 passes, got"):
            parent_attention_loss(task, 700.0 * np.eye(3), epsilon=1e-300)


class TestSampled:
    @pytest.mark.parametrize("seed", range(12))
    def test_each_sequence(self, seed):
        rng = np.random.default_rng(seed)
        entries = [tuple(rng.choice(i, min(i, rng.integers(0, 3)), replace=False).tolist()) for i in range(6)]
        graph = CausalGraph(entries, (5, 2))
        A2 = steep_matrix(rng, (2, 3, 3))
        tokens, targets = rng.integers(0, 3, size=(20, 6)), rng.dirichlet(np.ones(3), 20)
        losses, _ = _construction(graph, tokens, targets, A2, 0.01)
        for sequence, target, loss in zip(tokens.tolist(), targets, losses, strict=True):
            weights = [float(weight) for weight in weights_of(graph, sequence, A2)[1]]
            share = np.bincount(sequence, weights=weights, minlength=3)
            assert_close(loss, -(target * np.log(share + 0.01)).sum(), rtol=1e-12, atol=1e-14)

    def test_sums_that_overflow(self):
        task = InContextTask(CausalGraph.ngram(5, 2), PointPrior({2: np.full((2, 2, 2), 0.5)}))
        A2 = np.array([[[1e308, -1e308], [-1e308, 1e308]]] * 2)
        exact = parent_attention_loss(task, A2, epsilon=0.1)
        sampled = parent_attention_loss(task, A2, epsilon=0.1, method="monte_carlo", samples=4000, rng=0)
        assert abs(float(exact) - float(sampled)) < 5.0 * float(sampled.error)


class TestAnyFirstLayer:
    @pytest.mark.parametrize("seed", range(8))
    def test_enumeration(self, seed):
        """The bounds hold; where roundoff decides which key wins they say that nothing is known."""
        rng = np.random.default_rng(seed)
        first, second = (float(rng.choice([1.0, 300.0, 700.0, 1e3, 1e5, 1e300])) for _ in range(2))
        matrix, parents = rng.dirichlet(np.ones(2), 2), [-1, 0, 0]
        A1, A2 = np.tril(first * rng.normal(size=(4, 4))), second * rng.normal(size=(2, 2))
        task = InContextTask(CausalGraph.from_parents(parents), PointPrior(matrix), "uniform")
        with mpmath.workdps(400):
            pi, left, right = ([[mpmath.mpf(float(x)) for x in row] for row in m] for m in (matrix, A1, A2))
            truth = oracles.loss(parents, pi, [mpmath.mpf(0.5)] * 2, left, right, mpmath.mpf(0.01), mpmath)
        oracles.assert_within_error(population_loss(task, A1, A2, epsilon=0.01, method="enumerate"), truth)
        gradient = population_gradient(task, A1, A2, epsilon=0.01, method="enumerate")
        for part in (gradient.A1, gradient.A2):
            assert np.isfinite([part.value, part.error]).all()

    def test_entries_whose_differences_overflow(self):
        task = InContextTask(CausalGraph.chain(4), PointPrior([[0.3, 0.7], [0.6, 0.4]]))
        A1, A2 = 1000.0 * task.graph.adjacency, np.array([[1e308, -1e308], [-1e308, 1e308]])
        soft = ReducedTransformer(A1, 1e5 * np.eye(2), 0.1)
        tokens = task.sample(50, rng=0).tokens
        assert_close(ReducedTransformer(A1, A2, 0.1).forward(tokens), soft.forward(tokens), rtol=1e-9, atol=1e-9)
        for method in ("enumerate", "monte_carlo"):
            loss = population_loss(task, A1, A2, epsilon=0.1, method=method, samples=50, rng=0)
            assert np.isfinite([loss.value, loss.error]).all()
        assert 0.0 <= prediction_error(task, A1, A2, samples=50, rng=0).largest <= 1.0
        sampled = population_gradient(task, A1, A2, epsilon=0.1, method="monte_carlo", samples=50, rng=0)
        assert not np.isnan(sampled.A1.error).any()

    def test_sampled_losses_own_up_to_roundoff(self):
        """At 1e300 the weights of equal logits are a matter of their last bits."""
        task = InContextTask(CausalGraph.chain(4), PointPrior([[0.3, 0.7], [0.6, 0.4]]))
        loss = population_loss(task, np.zeros((4, 4)), 1e300 * np.eye(2), epsilon=0.1, method="monte_carlo", samples=50)
        assert float(loss.error) >= np.log(11.0)


class TestStage2:
    @pytest.mark.parametrize("rate", [1e6, 1e300, 1e308])
    def test_a_huge_learning_rate_diverges(self, rate):
        task = InContextTask(CausalGraph.chain(6), PointPrior(KERNEL))
        run = run_stage2(task, Stage2(steps=4, learning_rate=rate), epsilon=0.1)
        assert run.status == "diverged"
        assert run.diverged_at == len(run.losses) == 1
        assert np.isfinite(run.losses).all()


def test_errstate_changes_nothing():
    task = InContextTask(CausalGraph.chain(6), PointPrior(KERNEL))
    A1, A2 = 1e4 * task.graph.adjacency, 2e3 * np.random.default_rng(0).normal(size=(3, 3))
    trigram = InContextTask(CausalGraph.ngram(5, 2), PointPrior({2: np.full((3, 3, 3), 1 / 3)}))

    def numbers():
        for epsilon in (1e-300, 0.01, 1e6):
            yield parent_attention_loss(task, A2, epsilon=epsilon).value
            yield parent_attention_gradient(task, A2, epsilon=epsilon).value
        yield parent_attention_gradient(trigram, np.stack([A2, -A2]), epsilon=0.01).value
        yield parent_attention_loss(
            trigram, np.stack([A2, -A2]), epsilon=0.1, method="monte_carlo", samples=9, rng=0
        ).value
        yield population_loss(task, A1, A2, epsilon=0.1, method="enumerate").value
        yield population_gradient(task, A1, A2, epsilon=0.1, method="monte_carlo", samples=9, rng=0).A1.error

    quiet = list(numbers())
    with np.errstate(all="raise"):
        for expected, found in zip(quiet, numbers(), strict=True):
            np.testing.assert_array_equal(found, expected)
