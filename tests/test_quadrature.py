"""The rule for 1/(n + c): exact from a known number of nodes, positive, and honest about its error."""

from math import ceil

import mpmath
import numpy as np
import pytest

from causal_theory import CausalGraph, InContextTask, PointPrior, edge_scores
from causal_theory.population.quadrature import reciprocal_rule
from causal_theory.population.transform import transform_scores

SHIFTS = [1e-8, 1e-4, 0.05, 0.3, 1.0, 3.7, 20.0, 200.0]
DEGREES = [1, 2, 3, 4, 7, 20, 51]


def true_error(rule, shift, counts):
    """The largest relative error of the rule over the counts, with 50 digits."""
    with mpmath.workdps(50):
        nodes = [mpmath.mpf(float(z)) for z in rule.nodes]
        weights = [mpmath.mpf(float(w)) for w in rule.weights]
        sums = ((n, mpmath.fsum(w * z**n for w, z in zip(weights, nodes, strict=True))) for n in counts)
        return float(max(abs(total * (n + mpmath.mpf(shift)) - 1) for n, total in sums))


class TestReciprocalRule:
    @pytest.mark.parametrize("shift", SHIFTS)
    @pytest.mark.parametrize("degree", DEGREES)
    def test_exact_from_half_the_degree(self, shift, degree):
        """``ceil(T/2)`` nodes besides zero integrate all powers up to T: in all no more than ``ceil((T+1)/2) + 1``."""
        rule = reciprocal_rule(shift, degree, ceil(degree / 2))
        assert rule.nodes.size <= ceil((degree + 1) / 2) + 1
        # A node has a relative error of some roundoff units, the power n multiplies it, and the weight function
        # z^(c - 1) adds c: up to 1e-12 at c = 200, below 1e-13 elsewhere.
        assert true_error(rule, shift, range(degree + 1)) < 1e-13 * max(1.0, shift / 20.0)

    @pytest.mark.parametrize("shift", [1e-4, 0.05, 0.3, 1.0])
    @pytest.mark.parametrize("degree", [7, 20, 51])
    def test_not_exact_at_half_as_many(self, shift, degree):
        rule = reciprocal_rule(shift, degree, ceil((degree + 1) / 2) // 2)
        assert true_error(rule, shift, range(degree + 1)) > 1e-7

    @pytest.mark.parametrize("degree", [4, 6, 12])
    def test_one_power_more_is_not_exact(self, degree):
        """With m nodes besides zero the degree of exactness is 2 m, not 2 m + 1."""
        rule = reciprocal_rule(0.3, degree, degree // 2)
        assert true_error(rule, 0.3, [degree]) < 1e-14
        assert true_error(rule, 0.3, [degree + 1]) > 1e-8

    @pytest.mark.parametrize("shift", SHIFTS)
    @pytest.mark.parametrize("degree", [*DEGREES, 300])
    @pytest.mark.parametrize("divisor", [1, 2])
    def test_nodes_and_weights(self, shift, degree, divisor):
        rule = reciprocal_rule(shift, degree, max(1, ceil(degree / 2) // divisor))
        assert rule.nodes[0] == 0.0
        assert (np.diff(rule.nodes) > 0.0).all()
        assert rule.nodes[-1] < 1.0
        assert (rule.weights > 0.0).all()

    @pytest.mark.parametrize("shift", SHIFTS)
    @pytest.mark.parametrize(("degree", "nodes"), [(7, 2), (20, 5), (20, 8), (51, 12), (300, None), (300, 20)])
    def test_measured_error_is_the_true_one(self, shift, degree, nodes):
        """The error is computed in double precision: powers lose up to ``degree`` roundoff units, 1e-13 at 300."""
        rule = reciprocal_rule(shift, degree, nodes)
        counts = range(degree + 1) if degree < 100 else [*range(40), *range(40, degree, 13), degree]
        truth = true_error(rule, shift, counts)
        roundoff = 2.3e-16 * (degree + 10)
        assert truth <= rule.relative_error * (1 + 1e-9) + roundoff
        if degree < 100:
            assert rule.relative_error <= truth * (1 + 1e-9) + roundoff

    @pytest.mark.parametrize("epsilon", [1e-6, 0.01, 1.0, 10.0])
    @pytest.mark.parametrize("length", [2, 3, 10, 100, 1000])
    def test_default_number_of_nodes(self, epsilon, length):
        """Roundoff is reached; from T = 100 on with ``4 sqrt(T) + 8`` nodes at most."""
        rule = reciprocal_rule(epsilon * length, length)
        assert rule.nodes.size - 1 <= max(1, ceil(length / 2))
        assert rule.nodes.size - 1 <= 4.0 * np.sqrt(length) + 8
        # Shift and degree both reach 1e4 here; each costs as many roundoff units.
        assert rule.relative_error < 1e-14 + 2.3e-16 * length * max(1.0, epsilon)

    def test_cached_arrays_cannot_be_changed(self):
        rule = reciprocal_rule(0.5, 10)
        with pytest.raises(ValueError, match="read-only"):
            rule.nodes[0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            rule.weights[0] = 1.0


class TestNodesInScores:
    @pytest.mark.parametrize("length", [4, 9, 16])
    def test_exact_and_not_exact(self, length):
        """The scores themselves: roundoff from ``ceil(T/2)`` nodes besides zero, visibly wrong at half as many."""
        task = InContextTask(CausalGraph.chain(length), PointPrior([[0.25, 0.75], [0.625, 0.375]]))
        matrix, epsilon = task.prior.transition, 0.01
        enough = ceil(length / 2)
        exact = edge_scores(task, epsilon=epsilon, method="enumerate").value
        good, good_error = transform_scores(task, epsilon, matrix, nodes=enough)
        bad, bad_error = transform_scores(task, epsilon, matrix, nodes=enough // 2)
        assert np.abs(good - exact).max() < 1e-13
        assert np.abs(bad - exact).max() > 1e-6
        # The returned error knows about both.
        assert good_error.max() < 1e-12
        assert (np.abs(bad - exact) <= bad_error).all()

    def test_error_covers_every_short_rule(self):
        task = InContextTask(CausalGraph.binary_tree(12), PointPrior([[0.125, 0.875], [0.5, 0.5]]), "uniform")
        exact = edge_scores(task, epsilon=0.02, method="enumerate").value
        off = []
        for nodes in range(1, 7):
            value, error = transform_scores(task, 0.02, task.prior.transition, nodes=nodes)
            assert (np.abs(value - exact) <= error).all()
            off.append(np.abs(value - exact).max())
        assert (np.diff(off) < 0.0).all()
