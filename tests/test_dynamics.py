"""Algorithm 1 with exact gradients: trajectories against a plain loop, each other, and what the theory says."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    first_order_gradient,
)
from causal_theory.dynamics import (
    Stage1,
    Stage2,
    best_multiple,
    learning_curve,
    minimum,
    run_stage1,
    run_stage2,
    train_population,
)
from causal_theory.dynamics.minimum import Point, smallest_on
from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.models import causal_softmax
from causal_theory.population.engines import choose_engine
from causal_theory.population.levels import along_levels
from causal_theory.population.parent_attention import parent_attention_loss

from .helpers import assert_close

# Trace 1: its orbit has mean 11^T/S.
MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]


@pytest.fixture
def task():
    return InContextTask(CausalGraph.from_parents([-1, 0, 0, -1, 3, 2]), OrbitPrior(MATRIX))


class TestStage1:
    def test_equals_a_plain_loop(self, task):
        settings = Stage1(steps=30, learning_rate=5e4, records=31)
        run = run_stage1(task, settings, epsilon=0.05)
        scores = edge_scores(task, epsilon=0.05)
        A1 = np.zeros((7, 7))
        parents = task.graph.parent_array
        for k, step in enumerate(run.steps):
            assert step == k
            attention = causal_softmax(A1)
            for i in range(7):
                if parents[i] >= 0:
                    assert_close(run.attention_on_parents[k, i], attention[i, parents[i]], rtol=1e-10)
                    assert np.isnan(run.root_deviation[k, i])
                else:
                    deviation = np.abs(attention[i, : i + 1] - 1.0 / (i + 1)).max()
                    assert_close(run.root_deviation[k, i], deviation, rtol=1e-10, atol=1e-15)
            reached, A1 = A1, A1 - settings.learning_rate * first_order_gradient(scores, A1, settings.beta0)
        assert_close(run.A1, reached, rtol=1e-10, atol=1e-12)

    def test_first_order_distance_falls_linearly_in_beta0(self, task):
        """At equal time the exact and the first-order trajectory differ by a multiple of beta0."""
        gaps = []
        betas = (0.1, 0.01, 0.001)
        for beta0 in betas:
            settings = {"steps": 20, "learning_rate": 30.0 / beta0, "beta0": beta0, "records": 5}
            exact = run_stage1(task, Stage1(method="exact", **settings), epsilon=0.05)
            first = run_stage1(task, Stage1(**settings), epsilon=0.05)
            assert exact.steps[-1] == first.steps[-1]
            gaps.append(np.abs(exact.A1 - first.A1).max())
        order = np.polyfit(np.log(betas), np.log(gaps), 1)[0]
        assert 0.9 < order < 1.1

    def test_flow_is_the_limit_of_small_steps(self, task):
        gaps = []
        for steps in (20, 40, 80):
            settings = {"steps": steps, "learning_rate": 6e4 / steps, "records": 3}
            flow = run_stage1(task, Stage1(method="flow", **settings), epsilon=0.05)
            discrete = run_stage1(task, Stage1(**settings), epsilon=0.05)
            gaps.append(np.abs(flow.A1 - discrete.A1).max())
        # Euler's method is of order one.
        assert 1.7 < gaps[0] / gaps[1] < 2.3
        assert 1.7 < gaps[1] / gaps[2] < 2.3

    @pytest.mark.parametrize("family", [CausalGraph.chain, CausalGraph.pairs, CausalGraph.binary_tree])
    def test_finds_the_parents(self, family):
        task = InContextTask(family(30), OrbitPrior(MATRIX))
        run = run_stage1(task, Stage1(steps=20_000, learning_rate=1e4), epsilon=0.01)
        assert run.status == "converged"
        assert run.slowest_child == run.steps[-1]
        assert np.nanmin(run.attention_on_parents[-1]) >= 1.0 - 1.0 / 30

    def test_large_trace_attends_to_itself(self):
        """Negative control: outside the assumption of a constant mean the diagonal wins."""
        task = InContextTask(CausalGraph.chain(15), PointPrior(0.8 * np.eye(3) + 0.2 / 3))
        run = run_stage1(task, Stage1(steps=20_000, learning_rate=1e4), epsilon=0.01)
        assert run.status == "stopped"
        attention = causal_softmax(run.A1)
        assert (attention[range(1, 14), range(1, 14)] > 0.9).all()

    def test_window(self, task):
        run = run_stage1(task, Stage1(steps=50_000, learning_rate=1e4, leave=0.05), epsilon=0.01)
        assert run.status == "converged"
        assert run.fastest_root > 0
        assert run.window == run.fastest_root - run.slowest_child

    def test_records_are_multiples_of_a_power_of_two_and_the_last_step(self, task):
        run = run_stage1(task, Stage1(steps=1000, learning_rate=1.0, records=20), epsilon=0.1)
        assert run.steps.tolist() == [*range(0, 1000, 32), 1000]
        assert run.attention_on_parents.shape == run.root_deviation.shape == (33, 7)

    @pytest.mark.parametrize("records", [2, 7, 200])
    def test_records_do_not_change_the_run(self, task, records):
        settings = {"steps": 20_000, "learning_rate": 1e4}
        one, other = (run_stage1(task, Stage1(records=k, **settings), epsilon=0.05) for k in (50, records))
        assert one.status == other.status == "converged"
        np.testing.assert_array_equal(one.A1, other.A1)
        assert (one.slowest_child, one.fastest_root) == (other.slowest_child, other.fastest_root)
        assert other.steps[-1] == other.slowest_child
        assert len(other.steps) <= 2 * records + 2

    def test_exact_method_stops_at_the_goal(self, task):
        settings = {"steps": 2000, "learning_rate": 1e5, "beta0": 1e-3, "records": 4}
        exact, first = (run_stage1(task, Stage1(method=m, **settings), epsilon=0.05) for m in ("exact", "first_order"))
        assert exact.status == first.status == "converged"
        assert exact.steps[-1] == exact.slowest_child
        assert abs(exact.slowest_child - first.slowest_child) <= 0.01 * first.slowest_child + 1

    @pytest.mark.parametrize("method", ["first_order", "exact"])
    def test_divergence_keeps_the_trajectory(self, task, method):
        """Logits that leave the range of floating point stop the run before that step."""
        settings = Stage1(steps=50, learning_rate=1.7e308, beta0=60.0, method=method)
        run = run_stage1(task, settings, epsilon=1e-12)
        assert run.status == "diverged"
        assert 1 <= run.diverged_at < 50
        assert run.steps[-1] < run.diverged_at
        assert np.isfinite(run.A1).all()
        assert np.isfinite(run.attention_on_parents[:, task.graph.parent_array >= 0]).all()

    def test_graph_without_edges_converges_at_once(self):
        task = InContextTask(CausalGraph.from_parents([-1, -1, -1]), OrbitPrior(MATRIX))
        run = run_stage1(task, Stage1(steps=10), epsilon=0.1)
        assert run.status == "converged"
        assert run.slowest_child == 0


class TestStage2:
    def test_stays_in_the_span_and_descends(self):
        task = InContextTask(CausalGraph.chain(20), OrbitPrior(MATRIX))
        run = run_stage2(task, Stage2(steps=30, learning_rate=2.0), epsilon=0.05, beta0=0.01)
        assert (np.diff(run.losses) < 0.0).all()
        for matrix in run.trajectory:
            assert np.ptp(np.diagonal(matrix)) < 1e-10
            assert np.ptp(matrix[~np.eye(3, dtype=bool)]) < 1e-10
        diagonal = run.trajectory[:, 0, 0] - run.trajectory[:, 0, 1]
        assert (np.diff(diagonal) > 0.0).all()

    def test_one_parameter_is_the_full_path_under_an_orbit_prior(self):
        task = InContextTask(CausalGraph.binary_tree(16), OrbitPrior(MATRIX))
        full, one = (run_stage2(task, Stage2(steps=10, path=path), epsilon=0.05) for path in ("full", "one_parameter"))
        assert_close(one.losses, full.losses, rtol=1e-12)

    def test_divergence_keeps_the_trajectory(self):
        task = InContextTask(CausalGraph.chain(8), OrbitPrior(MATRIX))
        run = run_stage2(task, Stage2(steps=50, learning_rate=1e6), epsilon=0.05)
        assert run.status == "diverged"
        assert 1 <= len(run.losses) == run.diverged_at < 51
        assert np.isfinite(run.losses).all()


def test_both_stages():
    task = InContextTask(CausalGraph.chain(12), OrbitPrior(MATRIX))
    run = train_population(task, epsilon=0.05, stage1=Stage1(steps=5000, learning_rate=1e4), stage2=Stage2(steps=5))
    assert run.stage1.status == "converged"
    assert run.stage2.losses[-1] < run.stage2.losses[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: Stage1(steps=0), "steps must be an integer of at least 1, got 0"),
        (lambda: Stage1(learning_rate=-1.0), r"learning_rate must be a finite number greater than 0, got -1\.0"),
        (lambda: Stage1(beta0=0.0), "beta0 must be a finite number greater than 0"),
        (lambda: Stage1(method="newton"), "method must be one of 'first_order', 'flow', 'exact', got 'newton'"),
        (lambda: Stage2(steps=2.5), "steps must be an integer of at least 1, got 2.5"),
        (lambda: Stage2(path="some"), "path must be one of"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(InvalidArgumentError, match=message):
        settings()


def test_bad_task():
    task = InContextTask(CausalGraph.from_parents([-1, -1, (0, 1)]), PointPrior([[0.5, 0.5], [0.4, 0.6]]))
    with pytest.raises(TaskError, match="at most one parent"):
        train_population(task, epsilon=0.1)
    chain = InContextTask(CausalGraph.chain(4), OrbitPrior(MATRIX))
    with pytest.raises(InvalidArgumentError, match="epsilon must be"):
        train_population(chain, epsilon=0.0)


class TestSmallest:
    """The search itself, on differences of logarithms of sums of exponentials, against a fine grid."""

    @pytest.mark.parametrize("seed", range(20))
    @pytest.mark.parametrize("reach", [1.0, 2.0])
    def test_finds_the_best_valley(self, seed, reach):
        rng = np.random.default_rng(seed)
        logs = rng.uniform(-25.0, 5.0, size=(2, 6, 4))
        heights = reach * rng.choice([0.0, 1 / 3, 0.6, 1.0], size=(2, 6, 4))
        factors = np.stack([rng.dirichlet(np.ones(6)), -rng.dirichlet(np.ones(6))])
        below = reach - heights
        bounds = np.maximum(below**4, 0.5 * (reach * below) ** 2)
        asked = []

        def evaluate(at):
            asked.append(at)
            powers = logs + at * heights
            weights = np.exp(powers - powers.max(axis=2, keepdims=True))
            weights /= weights.sum(axis=2, keepdims=True)
            shares = (weights * heights).sum(axis=2)
            loss = (factors * np.logaddexp.reduce(powers, axis=2)).sum()
            fourth = (abs(factors) * (weights * bounds).sum(axis=2)).sum()
            return Point(at, float(loss), float((factors * shares).sum()), float(fourth))

        found = smallest_on(evaluate, 40.0, reach)
        search = len(asked)
        grid = [evaluate(at).loss for at in np.linspace(0.0, 40.0, 4001)]
        assert found.loss <= min(grid) + 2e-7
        assert 0.0 <= found.at <= 40.0
        assert search < 500

    def test_cumulants_of_laws_on_the_unit_interval(self):
        """The bounds on which the search relies, for random laws on a few points and for two-point laws."""
        rng = np.random.default_rng(0)
        points = np.concatenate([rng.random((4000, 5)), np.repeat([[0.0, 1.0, 1.0, 1.0, 1.0]], 4000, axis=0)])
        chances = rng.dirichlet(np.full(5, 0.3), 8000)
        mean = (chances * points).sum(axis=1, keepdims=True)
        second, fourth = ((chances * (points - mean) ** m).sum(axis=1) for m in (2, 4))
        fourth_cumulant = fourth - 3.0 * second**2
        distance = 1.0 - points
        lowest, highest = ((chances * distance**m).sum(axis=1) for m in (2, 4))
        assert -0.125 <= fourth_cumulant.min() < -0.124
        assert fourth_cumulant.max() <= 1 / 12
        assert_close(minimum.FOURTH, 1 / 8 + 1 / 12, rtol=1e-15)
        assert (-0.5 * lowest - 1e-15 <= fourth_cumulant).all()
        assert (fourth_cumulant <= highest + 1e-15).all()

    @settings(max_examples=200)
    @given(st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6), st.floats(0.05, 1.0))
    def test_second_derivative_of_the_cubic(self, coefficients, width):
        """It is right to the width squared over twelve of the fourth derivative: polynomials of degree five."""
        p = np.polynomial.Polynomial(coefficients)
        inside = np.linspace(0.0, width, 101)
        fourth = np.abs(p.deriv(4)(inside)).max() * (1.0 + 1e-9)
        ends = [Point(at, float(p(at)), float(p.deriv()(at)), float(fourth)) for at in (0.0, width)]
        interval = minimum._Interval(*ends, reach=1e3)
        curvature = p.deriv(2)(inside)
        _, c, d = interval.cubic
        of_cubic = (2.0 * c + 6.0 * d * inside / width) / width**2
        assert (np.abs(curvature - of_cubic) <= fourth * width**2 / 12.0 + 1e-9 / width**2).all()
        if interval.is_convex:
            assert curvature.min() > -1e-9 / width**2


@pytest.mark.parametrize("rare", [1e-3, 0.1, 0.5])
def test_bound_on_fourth_cumulants_of_laws_on_the_levels(rare):
    """A law on two levels: for a rare one the bound is hardly more than the cumulant."""
    levels, shares = np.array([[0.5, 3.0]]), np.array([[rare, 1.0 - rare]])
    nothing = SimpleNamespace(value=0.0, error=0.0, slope_error=0.0)
    bound = along_levels(nothing, shares, shares, levels)[0][2]
    odds = rare * (1.0 - rare)
    cumulant = abs(odds * (1.0 - 6.0 * odds)) * 2.5**4
    assert cumulant <= bound
    if rare == 1e-3:
        assert bound < 1.01 * cumulant


@pytest.mark.parametrize("graph", [CausalGraph.binary_tree(9), CausalGraph.ngram(8, 2), CausalGraph.ngram(60, 1)])
def test_fourth_derivative_of_the_loss_stays_below_its_bound(graph):
    """By differences of the slopes, from each multiple on."""
    parents = len(graph.target_parents)
    prior = DirichletPrior(2, 0.5, floor=0.05).sample_transitions(1, (parents,), np.random.default_rng(3))
    task = InContextTask(graph, PointPrior({parents: prior[parents][0]}))
    engine, pattern = choose_engine(task, "test"), np.stack([np.eye(2)] * parents)
    step = 0.1
    found = [task.prior.average(engine.along(pattern, step * k, 0.05)).value for k in range(60)]
    losses, slopes, bounds = np.array(found).T
    assert_close(np.diff(losses), step * (slopes[1:] + slopes[:-1]) / 2, rtol=0.0, atol=1e-3)
    fourth = np.abs(np.diff(slopes, 3)) / step**3
    assert fourth.max() > 1e-3
    assert (np.diff(bounds) <= 0.0).all()
    assert (fourth <= bounds[:-3]).all()


class TestLearningCurve:
    @pytest.mark.compiled
    def test_excess_of_a_chain_falls_like_one_over_the_length(self):
        prior = OrbitPrior(np.random.default_rng(0).dirichlet(np.full(3, 0.5), 3))
        curve = learning_curve(lambda T: InContextTask(CausalGraph.chain(T), prior), [320, 640, 1280])
        assert (curve.excess > 0.0).all()
        assert (np.diff(curve.excess) < 0.0).all()
        assert -1.1 < curve.exponent < -0.9
        assert curve.exponent_error < 0.1

    @pytest.mark.compiled
    @pytest.mark.parametrize(("family", "share"), [(CausalGraph.chain, 1.0), (CausalGraph.pairs, 0.5)])
    @pytest.mark.parametrize("size", [2, 3, 4])
    def test_long_sequences_pay_the_price_of_counting(self, family, share, size):
        """Estimating a law of S symbols from m draws costs (S - 1)/(2 m) nats; a symbol has about T mu of them."""
        matrix = np.roll(0.6 * np.eye(size) + 0.4 / size, 1, axis=1)
        curve = learning_curve(lambda T: InContextTask(family(T), OrbitPrior(matrix)), [800, 1600])
        cost = size * (size - 1) / (2.0 * share * curve.lengths)
        assert_close(curve.normalised_excess, cost, rtol=0.1)
        assert_close(curve.excess, cost - size / curve.lengths, rtol=0.0, atol=0.1 * size * (size - 1) / 800)

    @pytest.mark.compiled
    def test_unnormalised_predictions_can_beat_the_floor(self):
        """``f + eps`` sums to ``1 + S eps``: on a short sequence the model gains more by that than it loses."""
        prior = OrbitPrior([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]])
        curve = learning_curve(lambda T: InContextTask(CausalGraph.chain(T), prior), [40, 80])
        assert (curve.excess < 0.0).all()
        assert (curve.normalised_excess > 0.0).all()
        assert_close(curve.normalised_excess - curve.excess, np.log1p(3.0 / curve.lengths), rtol=1e-12)

    @pytest.mark.compiled
    def test_star_does_not_learn(self):
        """Its effective length is bounded: the excess stays where it is."""
        prior = OrbitPrior(np.random.default_rng(0).dirichlet(np.full(3, 0.5), 3))
        curve = learning_curve(lambda T: InContextTask(CausalGraph.star(T), prior), [80, 160, 320])
        assert curve.excess.min() > 0.05
        assert curve.exponent > -0.1

    def test_best_multiple_is_a_minimum(self):
        task = InContextTask(CausalGraph.chain(30), OrbitPrior(MATRIX))
        multiple, loss = best_multiple(task, epsilon=0.03)
        for other in (0.9 * multiple, 1.1 * multiple, 0.0, 20.0):
            assert float(parent_attention_loss(task, other * np.eye(3), epsilon=0.03)) > loss

    def test_best_multiple_of_two_valleys(self):
        """The loss has its best minimum at 2.7, rises to 14, and falls again to the end of the range."""
        matrix = [[0.593, 0.0, 0.407], [0.248, 0.749, 0.003], [0.03, 0.786, 0.184]]
        task = InContextTask(CausalGraph.pairs(6), PointPrior(matrix))
        multiple, loss = best_multiple(task, epsilon=1 / 6)
        assert_close(multiple, 2.714, rtol=0.0, atol=0.01)
        assert_close(loss, float(parent_attention_loss(task, multiple * np.eye(3), epsilon=1 / 6)), rtol=1e-13)
        assert loss < float(parent_attention_loss(task, 40.0 * np.eye(3), epsilon=1 / 6)) - 0.04
        curve = learning_curve(
            lambda T: InContextTask(CausalGraph.pairs(T), PointPrior(matrix)), [6, 8], epsilon=lambda T: 1 / 6
        )
        assert curve.losses[0] == loss

    @pytest.mark.parametrize("seed", range(16))
    def test_no_multiple_of_a_grid_is_better(self, seed):
        rng = np.random.default_rng(seed)
        size, length = 2 + seed % 3, int(rng.integers(3, 8))
        graph = CausalGraph.random_forest(length, 0.4, seed) if seed % 4 else CausalGraph.ngram(length, 2)
        kernels = {m: rng.dirichlet(np.full(size, 0.3), size=(size,) * m) for m in graph.in_degrees}
        task = InContextTask(graph, PointPrior(kernels[1] if graph.has_query else kernels))
        epsilon = float(10.0 ** rng.uniform(-3.0, 0.0))
        copy = np.stack([np.eye(size)] * len(graph.target_parents))
        found = best_multiple(task, epsilon=epsilon)
        grid = [float(parent_attention_loss(task, b * copy, epsilon=epsilon)) for b in np.linspace(0.0, 40.0, 201)]
        assert found.loss <= min(grid) + 1e-12
        assert found.at_end == (found.multiple in (0.0, 40.0))

    def test_an_end_of_the_range_is_said(self):
        """Nearly equal rows, a short sequence: attention only costs. Parents that fix children: more is better."""
        free = InContextTask(CausalGraph.pairs(4), PointPrior([[0.2, 0.8], [0.1, 0.9]]))
        bound = InContextTask(CausalGraph.pairs(21), PointPrior([[0.0, 1.0], [1.0, 0.0]]))
        alike = InContextTask(CausalGraph.from_parents([-1] * 4), PointPrior(MATRIX))
        for task, multiple in ((free, 0.0), (bound, 40.0), (alike, 0.0)):
            found = best_multiple(task, epsilon=0.05)
            assert found.multiple == multiple
            assert found.at_end
        curve = learning_curve(
            lambda T: InContextTask(CausalGraph.pairs(4), free.prior), [4, 5], epsilon=lambda T: 0.05
        )
        assert curve.at_end.tolist() == [True, True]
        assert "end of the range" in curve._repr_html_()
        inner = learning_curve(lambda T: InContextTask(CausalGraph.chain(T), OrbitPrior(MATRIX)), [20, 40])
        assert not inner.at_end.any()
        assert "end of the range" not in inner._repr_html_()

    @pytest.mark.parametrize("lengths", [[20], [40, 20], []])
    def test_bad_lengths(self, lengths):
        with pytest.raises(InvalidArgumentError, match="lengths must be at least two increasing integers"):
            learning_curve(lambda T: InContextTask(CausalGraph.chain(T), OrbitPrior(MATRIX)), lengths)
