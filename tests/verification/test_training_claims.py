"""Parts of the claims on the two stages of training."""

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    Stage1,
    edge_scores,
    parent_attention_gradient,
    population_gradient,
)
from causal_theory.chains import chi2_matrix
from causal_theory.claims import Check
from causal_theory.dynamics import run_stage1
from causal_theory.models import causal_softmax
from tests.helpers import assert_close
from verification.claims import induction_head, stage1_first_order, stage2_learns_copying
from verification.ensembles import GAMMA, family_graph, other_graph, trace_one_matrix

PI = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7]])


def test_other_graphs_share_no_edge():
    for seed in range(20):
        graph = family_graph("binary tree", 8, np.random.default_rng(seed))
        other = other_graph(graph, np.random.default_rng(seed))
        assert other.edges
        assert not set(other.edges) & set(graph.edges)


# Claim 7: paths of stage 1.


def test_orders_are_slopes_of_the_largest_distance():
    """Attention off by ``c beta0`` at its worst step, logits by ``c beta0^2``."""
    betas = np.array(stage1_first_order.BETAS)[:, None]
    course = np.array([0.0, 3.0, 1.0])
    comparison = stage1_first_order.Comparison(betas * course, betas**2 * course, np.array([0.2, 0.9]), 0.7)
    assert_close(comparison.worst("attention"), 3.0 * betas[:, 0], rtol=1e-14)
    assert_close([comparison.order("attention"), comparison.fitted("attention")], [1.0, 1.0], rtol=1e-12)
    assert_close([comparison.order("logits"), comparison.fitted("logits")], [2.0, 2.0], rtol=1e-12)


def test_paths_take_gradient_steps():
    """Two steps of each path by hand; a step of the exact one is a step of size ``flow_step / beta0``."""
    task = InContextTask(CausalGraph.chain(4), OrbitPrior(PI))
    epsilon, beta0, flow_step = 0.1, 0.5, 7.0
    path = stage1_first_order.exact_path(task, epsilon, beta0, flow_step, 2)
    A1 = np.zeros((4, 4))
    for step in range(2):
        A1 = A1 - flow_step / beta0 * population_gradient(task, A1, beta0 * np.eye(3), epsilon=epsilon).A1.value
        assert_close(path[step + 1], A1, rtol=1e-13, atol=1e-15)
    scores = edge_scores(task, epsilon=epsilon).value
    path = stage1_first_order.first_order_path(scores, flow_step, 2)
    A1 = np.zeros((4, 4))
    for step in range(2):
        attention = causal_softmax(A1)
        for i in range(4):
            a = attention[i]
            A1[i] += flow_step / 4 * (np.diag(a) - np.outer(a, a)) @ scores[i]
        assert_close(path[step + 1], A1, rtol=1e-12, atol=1e-15)


def test_runs_of_the_package_are_compared_at_every_step():
    """A path that is wrong at its end, or at an early step only, is noticed; one that goes on after the run is not."""
    task = InContextTask(CausalGraph.chain(4), OrbitPrior(PI))
    flow_step, steps, beta0 = stage1_first_order.FLOW_STEP, stage1_first_order.STEPS, stage1_first_order.BETAS[-1]
    settings = Stage1(steps=steps, learning_rate=flow_step / beta0, beta0=beta0, records=steps)
    last = run_stage1(task, settings, epsilon=0.1).steps[-1]
    assert last < steps
    path = stage1_first_order.first_order_path(edge_scores(task, epsilon=0.1).value, flow_step, steps)
    for wrong, noticed in ((3, True), (last, True), (last + 1, False)):
        spoilt = path.copy()
        spoilt[wrong, 2, 1] += 1e-6
        deviation = stage1_first_order.package_deviation(task, 0.1, {"first_order": spoilt})
        assert deviation > 1e-8 if noticed else deviation < 1e-12


# Claim 8: the line of stage 2.


@pytest.mark.parametrize("size", [2, 3, 5])
def test_distance_from_the_line(size):
    line = stage2_learns_copying.BETA0 / size + 0.7 * (np.eye(size) - 1.0 / size)
    start = stage2_learns_copying.BETA0 * np.eye(size)
    assert stage2_learns_copying.Path(np.array([start, line])).deviation < 1e-15
    assert_close(stage2_learns_copying.copying(np.array([start, line])), [0.01, 0.7], rtol=1e-12)
    shifted = stage2_learns_copying.Path(np.array([line + 1e-3]))
    assert_close(shifted.deviation, 1e-3, rtol=1e-9)
    bent = line.copy()
    bent[0, 1] += 1e-3
    bent[1, 0] -= 1e-3
    assert_close(stage2_learns_copying.Path(np.array([bent])).deviation, 1e-3, rtol=1e-9)


def test_relabelings_are_those_of_the_orbit():
    found = stage2_learns_copying.relabeled(PI)
    assert_close(found, list(OrbitPrior(PI).relabelings()), rtol=0.0)


def test_explicit_paths_average_gradients():
    graph = CausalGraph.chain(6)
    path = stage2_learns_copying.explicit_path(graph, [PI, PI[::-1, ::-1]], 1)
    start = stage2_learns_copying.BETA0 * np.eye(3)
    one, other = (
        parent_attention_gradient(InContextTask(graph, PointPrior(pi)), start, epsilon=0.01).value
        for pi in (PI, PI[::-1, ::-1])
    )
    assert_close(path.matrices[1], start - 2.5 * (one + other), rtol=1e-13)
    assert_close(path.spread, np.abs(one - other).max(), rtol=1e-13)


def test_growth_and_fall_are_judged_in_every_step():
    """The smallest step decides; a fall must exceed the bounds of both losses."""
    alpha, losses = np.array([0.0, 0.5, 0.6]), np.array([1.0, 0.9, 0.7])
    cases = {
        "right": (alpha, losses, 0.0, ["holds", "holds"]),
        "alpha shrinks": (alpha[[0, 2, 1]], losses, 0.0, ["fails", "holds"]),
        "loss rises": (alpha, losses[[0, 2, 1]], 0.0, ["holds", "fails"]),
        "uncertain losses": (alpha, losses, 0.06, ["holds", "fails"]),
    }
    for label, (growing, falling, error, verdicts) in cases.items():
        check = Check("growth")
        cells = stage2_learns_copying.judge_growth(check, growing, falling, error)
        assert [part.verdict for part in check.findings().parts] == verdicts, label
        if label == "right":
            assert_close([cells["smallest growth in a step"], cells["smallest fall (nats)"]], [0.1, 0.1], rtol=1e-12)


def test_matrices_of_stage_2():
    for seed in range(10):
        weak = stage2_learns_copying.weak_matrix(3, np.random.default_rng(seed))
        assert GAMMA <= np.linalg.norm(chi2_matrix(weak)) <= 2.0 * GAMMA
        assert_close(np.trace(weak), 1.0, rtol=1e-14)
        free = stage2_learns_copying.any_trace_matrix(5, np.random.default_rng(seed))
        assert np.linalg.norm(chi2_matrix(free)) >= GAMMA
        assert free.min() >= GAMMA / 5
        assert_close(free.sum(axis=1), np.ones(5), rtol=1e-14)


# Claim 10: the head that counts.


def count_by_hand(tokens, parents, size):
    """Transitions from the query's symbol, and all other children, for one sequence; roots are their own source."""
    here, elsewhere = np.zeros(size), np.zeros(size)
    for i, parent in enumerate(parents):
        source = tokens[parent] if parent >= 0 else tokens[i]
        (here if source == tokens[-1] else elsewhere)[tokens[i]] += 1
    return here, elsewhere


@pytest.mark.parametrize("name", ["chain", "pairs", "random forest"])
def test_counts(name):
    rng = np.random.default_rng(3)
    graph = family_graph(name, 9, rng)
    tokens = rng.integers(3, size=(20, 9))
    here, elsewhere = induction_head.counts(tokens, induction_head.sources_of(graph), 3)
    for k, sequence in enumerate(tokens):
        expected = count_by_hand(sequence.tolist(), graph.parent_array[:-1].tolist(), 3)
        assert here[k].tolist() == expected[0].tolist()
        assert elsewhere[k].tolist() == expected[1].tolist()


def test_a_head_that_weighs_all_alike_returns_frequencies():
    tokens = np.random.default_rng(0).integers(4, size=(10, 7))
    found = induction_head.counting_head(tokens, np.arange(6), 4, 0.0, np.full(7, 1.0 / 7))
    assert_close(found, [np.bincount(sequence, minlength=4) / 7 for sequence in tokens], rtol=1e-14)


def test_counting_head_is_the_model_on_any_forest():
    """The identity is not special to the chain: sharp attention to any sources, a random query row."""
    rng = np.random.default_rng(5)
    graph = family_graph("random forest", 8, rng)
    tokens, sources = rng.integers(3, size=(50, 8)), induction_head.sources_of(graph)
    A1 = np.zeros((8, 8))
    A1[np.arange(7), sources] = 1000.0
    A1[-1] = rng.normal(size=8)
    A2 = 1.7 * (np.eye(3) - 1.0 / 3.0) - 0.4
    expected = ReducedTransformer(A1, A2, 0.1).forward(tokens)
    found = induction_head.counting_head(tokens, sources, 3, 1.7, causal_softmax(A1)[-1])
    assert_close(found, expected, rtol=1e-13)


def test_total_variation_between_tilted_weights():
    """Logits that move by at most r move the weights by at most tanh(r / 2); two equal weights reach that."""
    rng = np.random.default_rng(2)
    for _ in range(200):
        weights = rng.dirichlet(np.ones(6))
        r = rng.uniform(0.0, 3.0)
        tilted = weights * np.exp(rng.uniform(-r, r, size=6))
        distance = induction_head.total_variation(weights[None], tilted[None] / tilted.sum())[0]
        assert distance <= np.tanh(r / 2.0)
    one, other = np.array([[np.e, 1.0 / np.e]]), np.array([[1.0 / np.e, np.e]])
    # From exp(-1) : exp(1) to its mirror image each logit moves by 2 relative to its mean.
    assert_close(induction_head.total_variation(one / one.sum(), other / other.sum()), [np.tanh(1.0)], rtol=1e-14)


@pytest.fixture(scope="module")
def head():
    return induction_head.train(trace_one_matrix(3, np.random.default_rng(0)), 0, 12, 200, np.random.default_rng(1))


def test_training_ends_at_the_parents_and_at_the_best_multiple(head):
    assert head.run.stage1.status == "converged"
    assert 1.0 - 1.0 / 12 <= np.nanmin(head.run.stage1.attention_on_parents[-1]) < 1.0
    assert abs(head.alpha - head.best) < 0.01  # the search for the best multiple stops at 1e-4, descent is slower


def test_attention_is_split_into_parts(head):
    """The parts sum to one, and the prediction is the attention on tokens, recovered here from its definition."""
    masses = head.masses()
    assert masses.shape == (200, 4)
    assert_close(masses.sum(axis=1), np.ones(200), rtol=1e-13)
    attention = causal_softmax(head.run.stage1.A1)
    for k in range(5):
        tokens = head.tokens[k]
        keys = attention @ np.eye(3)[tokens]
        weights = np.exp(keys @ head.run.stage2.A2[:, tokens[-1]])
        weights /= weights.sum()
        after = [i for i in range(1, 11) if tokens[i - 1] == tokens[-1]]
        others = [i for i in range(1, 11) if tokens[i - 1] != tokens[-1]]
        assert_close(masses[k], [weights[after].sum(), weights[others].sum(), weights[0], weights[-1]], rtol=1e-12)
        assert_close(head.shares()[k], len(after) / 12, rtol=1e-14)


def test_transition_estimates_and_their_limit_with_two_more_transitions(head):
    known, estimate = head.transition_estimate()
    limit = head.count_limit()
    row = 0
    for k, tokens in enumerate(head.tokens.tolist()):
        pairs = [(tokens[i - 1], tokens[i]) for i in range(1, 11)]
        followers = [b for a, b in pairs if a == tokens[-1]]
        assert known[k] == bool(followers)
        if followers:
            assert_close(estimate[row], np.bincount(followers, minlength=3) / len(followers), rtol=1e-14)
            row += 1
        more = [b for a, b in [*pairs, (tokens[0], tokens[0]), (tokens[-1], tokens[-1])] if a == tokens[-1]]
        assert_close(limit[k], np.bincount(more, minlength=3) / len(more), rtol=1e-14)
    assert row == known.sum() < 200


def test_sharp_heads_differ_in_the_row_of_the_query_only(head):
    attention = {name: causal_softmax(head.sharp(name)) for name in ("trained", "itself", "uniform")}
    for rows in attention.values():
        assert_close(rows[np.arange(1, 11), np.arange(10)], np.ones(10), rtol=0.0)
    assert_close(attention["itself"][-1], np.eye(12)[-1], rtol=0.0)
    assert_close(attention["uniform"][-1], np.full(12, 1.0 / 12), rtol=1e-14)
    assert_close(attention["trained"][-1], head.attention[-1], rtol=1e-14)


def test_predictions_beyond_the_attention_error_fail(head):
    """On the same sequences and matrices, counts along the chain pass, and those along other edges do not."""
    graphs = [CausalGraph.chain(12), *induction_head.other_graphs(12).values()]
    verdicts = []
    for graph in graphs:
        check = Check("counts")
        induction_head.judge_trained(check, "counts", head, graph, head.tokens, head.run.stage1.A1)
        verdicts.append(check.findings().verdict)
    assert verdicts == ["holds", "fails", "fails"]


def test_rates_are_slopes_against_alpha():
    alphas = np.array(induction_head.ALPHAS)
    assert_close(induction_head.rate(3.0 * np.exp(-0.7 * alphas)), 0.7, rtol=1e-12)
