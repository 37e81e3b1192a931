"""Epsilon from 1e-300 to 1e6: values against all sequences in rational or multiple precision, within their errors."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    InContextTask,
    PointPrior,
    counts_rule_loss,
    edge_scores,
    first_order_gradient,
    parent_attention_loss,
    population_gradient,
    population_loss,
    unigram_loss,
)
from causal_theory.dynamics import Stage1, run_stage1
from causal_theory.population.quadrature import reciprocal_rule
from tests import oracles

PARENTS = [-1, 0, 1, 0]
MATRIX = [[0.25, 0.75], [0.5, 0.5]]
EPSILONS = [1e-300, 1e-150, 1e-12, 1e3, 1e6]
RNG = np.random.default_rng(5)
A1, A2 = np.tril(RNG.standard_normal((5, 5))), RNG.standard_normal((2, 2))


@pytest.fixture(params=["stationary", "uniform"])
def setting(request):
    rows = oracles.exact(MATRIX)
    task = InContextTask(CausalGraph.from_parents(PARENTS), PointPrior(MATRIX), request.param)
    return task, rows, oracles.root_law(rows, request.param)


def multiple(value):
    """Fractions and floats as numbers of mpmath, in nested lists."""
    if isinstance(value, list):
        return [multiple(entry) for entry in value]
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mpmath.mpf(value)


@pytest.mark.parametrize("epsilon", EPSILONS)
class TestAgainstAllSequences:
    @pytest.mark.parametrize("method", ["transform", "enumerate"])
    def test_scores(self, setting, epsilon, method):
        task, rows, root = setting
        truth = np.tril(oracles.to_array(oracles.scores(PARENTS, rows, root, Fraction(epsilon))))
        found = edge_scores(task, epsilon=epsilon, method=method)
        oracles.assert_within_error(found, truth, truth_error=0.0)
        assert found.error.max() < 1e-12
        gradient = first_order_gradient(found, np.zeros((5, 5)), 0.1)
        for i in range(5):
            mean = truth[i, : i + 1].mean()
            assert np.abs(gradient[i, : i + 1] + 0.1 / 5 * (truth[i, : i + 1] - mean) / (i + 1)).max() < 1e-13

    def test_loss_and_gradient(self, setting, epsilon):
        task, rows, root = setting
        with mpmath.workdps(340 if epsilon < 1e-30 else 40):
            arguments = PARENTS, multiple(rows), multiple(root), multiple(A1.tolist()), multiple(A2.tolist())
            loss = oracles.loss(*arguments, mpmath.mpf(epsilon))
            first, second = oracles.gradient(*arguments, mpmath.mpf(epsilon))
        found = population_gradient(task, A1, A2, epsilon=epsilon)
        for estimate, truth in ((found.loss, loss), (found.A1, first), (found.A2, second)):
            oracles.assert_within_error(estimate, truth, truth_error=0.0)
        # The gradients fall like 1 / eps, and so do their errors.
        assert found.A2.error.max() < 1e-12 / (1.0 + epsilon)
        sampled = population_gradient(task, A1, A2, epsilon=epsilon, method="monte_carlo", samples=2000, rng=1)
        for estimate, truth in ((sampled.loss, loss), (sampled.A1, first), (sampled.A2, second)):
            off = np.abs(estimate.value - oracles.to_array(truth))
            assert (off <= 5.0 * estimate.error + 1e-15).all()

    def test_counting(self, setting, epsilon):
        """Both rules by their definitions; -log of a count of zero is 690 at the lower end."""
        task, rows, root = setting
        edges = tokens = mpmath.mpf(0)
        c = mpmath.mpf(epsilon)
        with mpmath.workdps(340):
            for sequence, chance in oracles.sequences(PARENTS, rows, root):
                query = sequence[-1]
                pairs = [(sequence[p], sequence[i]) for i, p in enumerate(PARENTS) if p >= 0]
                for b in (0, 1):
                    weight = multiple(chance * rows[query][b])
                    along = pairs.count((query, b)) + c
                    edges -= weight * mpmath.log(along / (sum(a == query for a, _ in pairs) + 2 * c))
                    tokens -= weight * mpmath.log((sequence[:-1].count(b) + c) / (4 + 2 * c))
        oracles.assert_within_error(counts_rule_loss(task, smoothing=epsilon), edges, truth_error=0.0)
        oracles.assert_within_error(unigram_loss(task, smoothing=epsilon), tokens, truth_error=0.0)

    def test_stage_1_and_the_loss_on_the_parents(self, setting, epsilon):
        task, _, _ = setting
        run = run_stage1(task, Stage1(steps=20, learning_rate=1.0), epsilon=epsilon)
        assert np.isfinite(run.A1).all()
        found = parent_attention_loss(task, A2, epsilon=epsilon)
        assert np.isfinite(float(found))
        assert found.error < 1e-10


@pytest.mark.parametrize("degree", [1, 5, 40, 300])
@pytest.mark.parametrize("shift", [1e-297, 1e-9, 999.0, 1001.0, 1e6, 3e8])
def test_rules_for_reciprocals(degree, shift):
    """``sum_k w_k z_k^n`` against ``1 / (n + shift)`` in rational arithmetic; large shifts keep their digits."""
    rule = reciprocal_rule(shift, degree)
    for n in {0, 1, degree // 2, degree}:
        terms = (
            Fraction(w) * Fraction(z) ** n for w, z in zip(rule.weights.tolist(), rule.nodes.tolist(), strict=True)
        )
        off = abs(sum(terms) * (n + Fraction(shift)) - 1)
        assert off <= rule.relative_error + 1e-15
    assert rule.relative_error < 1e-12


def test_losses_of_a_symbol_that_is_never_seen():
    """The loss is ``-log eps`` times its probability and more: 690 at the lower end, negative at the upper."""
    task = InContextTask(CausalGraph.from_parents([-1, 0]), PointPrior([[0.0, 1.0], [0.0, 1.0]]))
    for epsilon in (1e-300, 1e6):
        found = population_loss(task, np.zeros((3, 3)), np.zeros((2, 2)), epsilon=epsilon)
        # Roots are 1; so is the context. The query is 0 or 1, and the target is 1.
        truth = -sum(np.log(share + epsilon) for share in (2 / 3, 1.0)) / 2
        assert abs(float(found) - truth) <= found.error
