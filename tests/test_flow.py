"""Times of the flow of stage 1, against an independent integrator, the discrete descent, and closed forms."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from causal_theory import CausalGraph, InContextTask, OrbitPrior, edge_scores
from causal_theory.dynamics import Stage1, convergence_times, run_stage1
from causal_theory.errors import InvalidArgumentError
from causal_theory.kernels.threads import thread_limit
from causal_theory.models import causal_softmax

from .helpers import assert_close

MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]


def two_keys(gap, goal):
    """With two keys the logit difference follows d' = 2 a (1 - a) gap, so t = (d + sinh d) / gap at d."""
    d = np.log(goal / (1.0 - goal))
    return (d + np.sinh(d)) / gap


def hitting_time(scores, reached):
    """The first time at which ``reached(attention) >= 0``, from a general-purpose integrator."""

    def slope(_, row):
        attention = causal_softmax(np.vstack([np.zeros_like(row)] * (len(row) - 1) + [row]))[-1]
        return attention * (scores - attention @ scores)

    def event(_, row):
        weights = np.exp(row - row.max())
        return reached(weights / weights.sum())

    event.terminal = True
    found = solve_ivp(slope, (0.0, 1e7), np.zeros(len(scores)), method="DOP853", events=event, rtol=1e-11, atol=1e-12)
    return found.t_events[0][0]


@given(st.floats(1e-6, 1e3))
def test_two_keys_have_a_closed_form(gap):
    """Position 1 of a chain of five tokens: its only rival is itself."""
    scores = np.zeros((5, 5))
    scores[1:4, :4] = 0.0
    for i in range(1, 4):
        scores[i, i - 1] = gap
    times = convergence_times(scores, CausalGraph.chain(5))
    assert_close(times.children[1], two_keys(gap, 0.8), rtol=1e-13)
    assert np.isnan(times.children[[0, 4]]).all()
    assert times.slowest_child == times.children[3]


@given(st.integers(0, 2**32), st.sampled_from([0.05, 0.1, 0.3]))
def test_equals_another_integrator(seed, leave):
    rng = np.random.default_rng(seed)
    graph = CausalGraph.from_parents([-1, 0, -1, 2, -1, 1])
    scores = np.tril(rng.normal(size=(7, 7)))
    scores[[1, 3, 5], [0, 2, 1]] = 3.0
    times = convergence_times(scores, graph, leave=leave)
    for i, parent in ((1, 0), (3, 2), (5, 1)):
        expected = hitting_time(scores[i, : i + 1], lambda a, p=parent: a[p] - (1.0 - 1.0 / 7.0))
        assert_close(times.children[i], expected, rtol=1e-9)
    for i in (2, 4, 6):
        expected = hitting_time(scores[i, : i + 1], lambda a: np.abs(a - 1.0 / len(a)).max() - leave)
        assert_close(times.roots[i], expected, rtol=1e-9)


@given(st.integers(0, 2**32), st.integers(2, 30), st.floats(-6.0, 6.0))
def test_equals_the_integral_in_partial_fractions(seed, keys, magnitude):
    """The time is (1/n) sum_jk of the integral of 1 / ((1 + d_j s)(1 + d_k s)); in 60 digits nothing cancels."""
    rng = np.random.default_rng(seed)
    scores = np.zeros((keys + 2, keys + 2))
    scores[keys - 1, :keys] = 10.0**magnitude * rng.normal(size=keys)
    scores[keys - 1, keys - 2] = scores[keys - 1].max() + 10.0 ** (magnitude - rng.uniform(0.0, 5.0))
    found = convergence_times(scores, CausalGraph.chain(keys + 2)).children[keys - 1]
    with mp.workdps(60):
        row = [mp.mpf(float(score)) for score in scores[keys - 1, :keys]]
        gaps = [row[keys - 2] - score for score in row]
        goal = mp.mpf(1.0 - 1.0 / (keys + 2))
        losers = gaps[: keys - 2] + gaps[keys - 1 :]
        # The sum over the losers lies between those with equal gaps, the largest and the smallest.
        low, high = (((keys - 1) * goal / (1 - goal) - 1) / gap for gap in (max(losers), min(losers)))
        for _ in range(100):
            stretch = (low + high) / 2
            low, high = (
                (stretch, high)
                if sum(1 / (1 + gap * stretch) for gap in losers) > (1 - goal) / goal
                else (low, stretch)
            )
        pairs = ((one, other) for one in gaps for other in gaps)
        time = mp.fsum(
            stretch / (1 + one * stretch)
            if one == other
            else (mp.log1p(one * stretch) - mp.log1p(other * stretch)) / (one - other)
            for one, other in pairs
        )
        assert_close(found, float(time / keys), rtol=1e-12)


@pytest.mark.parametrize("leave", [0.3, 1e-3, 1e-6, 1e-9, 1e-17, 1e-40])
def test_a_mark_close_to_the_start_keeps_its_digits(leave):
    """Two keys: the winner has 1/2 + leave at s = 2 leave / (1/2 - leave), and the time is elementary."""
    with mp.workdps(120):
        mark = mp.mpf(leave)
        s = 2 * mark / (mp.mpf(1) / 2 - mark)
        time = (s + 2 * mp.log(1 + s) + 1 - 1 / (1 + s)) / 2
    scores = np.zeros((3, 3))
    scores[1, 0] = 1.0
    found = convergence_times(scores, CausalGraph([[], [], []]), leave=leave)
    assert_close(found.roots[1], float(time), rtol=1e-14)


def test_small_steps_arrive_at_the_same_time():
    """Euler's method converges to the flow."""
    task = InContextTask(CausalGraph.binary_tree(15), OrbitPrior(MATRIX))
    times = convergence_times(edge_scores(task, epsilon=0.05), task.graph, leave=0.1)
    lags = []
    for rate in (30.0, 10.0, 1.0):
        run = run_stage1(task, Stage1(steps=100_000, learning_rate=rate * 15 / 0.01), epsilon=0.05)
        assert run.status == "converged"
        lags.append(run.slowest_child * rate - times.slowest_child)
    # A step is not finer than its rate; beyond that the bias of the descent falls with the rate.
    for rate, lag in zip((30.0, 10.0, 1.0), lags, strict=True):
        assert -0.1 * rate < lag < 1.1 * rate


def test_fastest_root_of_the_descent():
    """Roots that leave after the children have arrived are timed as well, without being recorded."""
    graph = CausalGraph.from_parents([-1, 0, 1, 2, 3, -1, 4, 5])
    task = InContextTask(graph, OrbitPrior(MATRIX))
    rate = 2.0
    times = convergence_times(edge_scores(task, epsilon=0.02), graph, leave=0.3)
    assert times.fastest_root > times.slowest_child
    run = run_stage1(task, Stage1(steps=10**6, learning_rate=rate * 9 / 0.01, leave=0.3), epsilon=0.02)
    assert run.status == "converged"
    assert run.steps[-1] == run.slowest_child < run.fastest_root
    assert run.window == run.fastest_root - run.slowest_child
    assert_close(run.fastest_root * rate, times.fastest_root, rtol=0.02)
    assert times.window_ratio == pytest.approx(times.fastest_root / times.slowest_child)


def test_flow_method_agrees_with_its_times():
    task = InContextTask(CausalGraph.pairs(12), OrbitPrior(MATRIX))
    times = convergence_times(edge_scores(task, epsilon=0.05), task.graph)
    settings = Stage1(steps=4000, learning_rate=1200.0, method="flow", records=10)
    run = run_stage1(task, settings, epsilon=0.05)
    assert run.status == "converged"
    assert run.slowest_child == np.ceil(times.slowest_child / settings.rate(12))
    assert run.fastest_root == np.ceil(times.fastest_root / settings.rate(12))
    goal = 1.0 - 1.0 / 12
    on_parents = run.attention_on_parents[:, 1:-1:2]
    assert on_parents[-1].min() >= goal - 1e-8
    assert on_parents[-2].min() < goal


def test_rivals_that_win_or_tie():
    """A child converges exactly when its parent has the strictly largest score of the row."""
    graph = CausalGraph.chain(5)
    scores = np.tril(np.ones((5, 5)))
    scores[1, 0] = scores[2, 1] = scores[3, 2] = 2.0
    assert convergence_times(scores, graph).converges
    scores[3, 3] = 2.0
    times = convergence_times(scores, graph)
    assert np.isinf(times.children[3])
    assert not times.converges
    assert np.isnan(times.window_ratio)
    scores[3, 3] = 2.5
    assert np.isinf(convergence_times(scores, graph).children[3])


def test_roots_without_a_winner_stay():
    graph = CausalGraph.from_parents([-1] * 11)
    flat = np.tril(np.ones((12, 12)))
    assert np.isinf(convergence_times(flat, graph).fastest_root)
    assert convergence_times(flat, graph).slowest_child == 0.0
    flat[8, ::2] += 1.0  # five winners never get more than 1/5 each, one ninth more or less than before
    assert np.isinf(convergence_times(flat, graph, leave=0.15).roots[8])
    assert np.isfinite(convergence_times(flat, graph, leave=0.05).roots[8])


def test_marks_at_the_end_of_time():
    """Attention tends to one: every mark below is reached, later the closer it is, or never where roundoff hides it."""
    scores = np.zeros((11, 11))
    scores[9, 3] = 1.0
    marks = [0.8, 0.89, 0.9 - 1e-6, 0.9 - 1e-12, np.nextafter(0.9, 0.0), 0.9]
    times = [convergence_times(scores, CausalGraph.from_parents([-1] * 10), leave=leave).roots[9] for leave in marks]
    assert times == sorted(times)
    assert np.isfinite(times[:4]).all()
    assert np.isinf(times[5])
    # Near the end the winner lacks 9 / s, and the time is s / 10.
    assert_close(times[3], 0.9 * 1e12, rtol=1e-3)


@pytest.mark.compiled
def test_threads_do_not_change_a_bit():

    task = InContextTask(CausalGraph.random_forest(60, 0.4, 1), OrbitPrior(MATRIX))
    scores = edge_scores(task, epsilon=0.01)
    settings = Stage1(steps=300, learning_rate=1e4, records=5)
    results = []
    for threads in (1, None):
        with thread_limit(threads):
            times = convergence_times(scores, task.graph)
            run = run_stage1(task, settings, epsilon=0.01)
            results.append((times.children, times.roots, run.A1, run.attention_on_parents, run.root_deviation))
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("scores", "leave", "message"),
    [
        (np.ones((3, 3)), 0.1, r"scores must have shape \(5, 5\)"),
        (np.full((5, 5), np.nan), 0.1, "scores must be finite"),
        (np.full((5, 5), 1e308), 0.1, r"scores must be at most 1e\+300 in size, got 1e\+308"),
        (np.ones((5, 5)), 0.0, "leave must be a finite number greater than 0"),
    ],
)
def test_bad_input(scores, leave, message):
    with pytest.raises(InvalidArgumentError, match=message):
        convergence_times(scores, CausalGraph.chain(5), leave=leave)


def test_several_parents_are_refused():
    with pytest.raises(InvalidArgumentError, match="graph must be a forest"):
        convergence_times(np.ones((4, 4)), CausalGraph.from_parents([-1, -1, (0, 1)]))
