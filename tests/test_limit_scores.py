"""The limit of the edge scores: its formula, the information on edges, the bound off the edges, and the approach."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    limit_edge_scores,
    pairwise_information,
)
from causal_theory.testing import forests, tasks, transition_matrices
from tests import oracles
from tests.helpers import assert_close

STATIONARY = ("stationary",)


def true_limit(task, epsilon, pi=None):
    """Rows of the context from the formula, in rational numbers."""
    matrix = oracles.exact(task.prior.transition if pi is None else pi)
    table = oracles.limit_scores(oracles.context_parents(task.graph), matrix, Fraction(epsilon))
    return np.tril(oracles.to_array(table))


class TestValue:
    @given(task=tasks(max_length=5, root_laws=STATIONARY), epsilon=st.sampled_from([0.0, 1e-6, 0.05, 10.0]))
    def test_context_rows_against_rational_arithmetic(self, task, epsilon):
        estimate = limit_edge_scores(task, epsilon=epsilon)
        off = np.abs(estimate.value[:-1, :-1] - true_limit(task, epsilon))
        assert (off <= estimate.error[:-1, :-1]).all()
        assert estimate.method == "exact"

    @given(matrix=transition_matrices(max_size=4), epsilon=st.sampled_from([0.0, 0.05, 1.0]))
    def test_query_row(self, matrix, epsilon):
        """The query row is ``(1/S) sum_q mu_q g_q``, its last entry ``(1/S) sum_q g_q``.

        A query q that is met gains ``g_q = sum_b pi_qb ([q = b] - mu_b) / (mu_b + eps)``.
        Symbols with ``mu_b + eps = 0`` contribute nothing.
        """
        pi = oracles.exact(matrix)
        mu = oracles.stationary(pi)
        size = len(mu)
        scale = [law + Fraction(epsilon) for law in mu]
        gain = [
            sum(pi[q][b] * ((q == b) - mu[b]) / scale[b] for b in range(size) if scale[b] != 0) for q in range(size)
        ]
        estimate = limit_edge_scores(InContextTask(CausalGraph.chain(4), PointPrior(matrix)), epsilon=epsilon)
        met = sum(law * value for law, value in zip(mu, gain, strict=True))
        expected = [met / size] * 3 + [sum(gain) / size]
        off = np.abs(estimate.value[-1] - oracles.to_array(expected))
        assert (off <= estimate.error[-1]).all()

    def test_upper_triangle_is_zero(self):
        value = limit_edge_scores(InContextTask(CausalGraph.star(6), PointPrior([[0.5, 0.5], [0.25, 0.75]]))).value
        assert not np.triu(value, k=1).any()

    def test_closed_form_for_two_symbols(self):
        """Symmetric pi with second eigenvalue l: ``limit_ij = l^(d(i,j) + 1) / 2``, the diagonal ``l / 2``."""
        eigenvalue = -0.75
        task = InContextTask(CausalGraph.chain(40), PointPrior([[0.125, 0.875], [0.875, 0.125]]))
        distance = np.subtract.outer(np.arange(39), np.arange(39))
        expected = np.tril(0.5 * eigenvalue ** (np.maximum(distance, 0) + 1.0))
        assert_close(limit_edge_scores(task).value[:-1, :-1], expected, rtol=1e-13)


class TestStatements:
    @given(task=tasks(max_length=7, max_size=4, root_laws=STATIONARY))
    def test_edges_carry_their_chi_square_information(self, task):
        """At eps = 0 the limit score of every edge times S is the chi-square information of the edge.

        Source: Nichani, Damian, Lee (2024), the population gradient for long sequences.
        """
        limit, information = limit_edge_scores(task), pairwise_information(task, "chi2")
        size = task.vocab_size
        for parent, child in task.graph.edges:
            off = abs(size * limit.value[child, parent] - information.value[child, parent])
            assert off <= size * limit.error[child, parent] + information.error[child, parent] + 1e-15

    @given(task=tasks(max_length=7, max_size=4, root_laws=STATIONARY, priors=("point", "orbit")))
    def test_no_entry_exceeds_the_geometric_mean_of_two_informations(self, task):
        """``limit_ij <= sqrt(I_ij I_{i,p(i)}) / S <= I_{i,p(i)} / S`` for every child i and j < i, at eps = 0.

        Source: Cauchy-Schwarz for the first step, the data-processing inequality for the second.
        """
        limit, information = limit_edge_scores(task), pairwise_information(task, "chi2").value
        for parent, child in task.graph.edges:
            own = information[child, parent]
            for j in range(child):
                bound = np.sqrt(information[child, j] * own) / task.vocab_size
                # Two informations of order one, each a sum over paths: 1e-13 is a few hundred roundoff units.
                slack = limit.error[child, j] + 1e-13
                assert limit.value[child, j] <= bound + slack
                assert bound <= own / task.vocab_size + slack

    @given(task=tasks(max_length=6, max_size=4, root_laws=STATIONARY))
    def test_diagonal_is_the_trace(self, task):
        """``(tr pi - 1)/S`` at eps = 0 when all symbols occur: the diagonal is a rival when the trace is large."""
        pi = task.prior.transition
        mu = oracles.to_array(oracles.stationary(oracles.exact(pi)))
        kept = mu > 0
        # Symbols of probability zero are never seen; the sum is over the others.
        expected = (np.diag(pi)[kept].sum() - mu @ (pi * kept).sum(axis=1)) / task.vocab_size
        diagonal = np.diag(limit_edge_scores(task).value)[:-1]
        assert_close(diagonal, np.full(task.length - 1, expected), rtol=0.0, atol=1e-14)

    def test_off_the_edges_it_is_no_information(self):
        """A grandparent with a negative score: no information is negative."""
        task = InContextTask(CausalGraph.chain(4), PointPrior([[0.125, 0.875], [0.875, 0.125]]))
        assert limit_edge_scores(task).value[2, 0] < -0.1

    @given(
        graph=forests(max_length=6),
        matrix=transition_matrices(max_size=4),
        epsilon=st.sampled_from([0.0, 0.1]),
        seed=st.integers(0, 99),
    )
    def test_relabeling_symbols_changes_nothing(self, graph, matrix, epsilon, seed):
        order = np.random.default_rng(seed).permutation(len(matrix))
        one = limit_edge_scores(InContextTask(graph, PointPrior(matrix)), epsilon=epsilon)
        other = limit_edge_scores(InContextTask(graph, OrbitPrior(matrix[np.ix_(order, order)])), epsilon=epsilon)
        assert (np.abs(one.value - other.value) <= one.error + other.error).all()


class TestApproach:
    @pytest.mark.compiled
    @pytest.mark.parametrize("epsilon", [0.05, 1.0])
    def test_scores_approach_the_limit_like_one_over_length(self, epsilon):
        """Chain: doubling T halves the largest distance, query row included; 1.9 to 2.2 allows for the next order."""
        matrix = np.random.default_rng(4).dirichlet([1.0] * 3, size=3)
        distances = []
        for length in (100, 200, 400):
            task = InContextTask(CausalGraph.chain(length), PointPrior(matrix))
            off = np.abs(edge_scores(task, epsilon=epsilon).value - limit_edge_scores(task, epsilon=epsilon).value)
            distances.append([off[:-1].max(), off[-1, :-1].max(), off[-1, -1]])
        ratios = np.array(distances[:-1]) / np.array(distances[1:])
        assert (ratios > 1.9).all()
        assert (ratios < 2.2).all()

    def test_star_does_not_approach_it(self):
        """Negative control: one root decides most tokens, so frequencies do not settle."""
        matrix = [[0.125, 0.875], [0.75, 0.25]]
        off = []
        for length in (100, 400):
            task = InContextTask(CausalGraph.star(length), PointPrior(matrix))
            scores, limit = edge_scores(task, epsilon=0.05), limit_edge_scores(task, epsilon=0.05)
            off.append(np.abs(scores.value - limit.value)[:-1].max())
        assert off[1] > 0.8 * off[0]


class TestPriors:
    def test_two_symbol_dirichlet_edge(self):
        """S times the edge is ``E[(1 - x - y)^2] = 2 Var x`` for the two free entries, ``Var x = 1/(4 (2 c + 1))``."""
        for concentration in (0.1, 1.0, 2.5):
            task = InContextTask(CausalGraph.chain(5), DirichletPrior(2, concentration))
            estimate = limit_edge_scores(task)
            expected = 1.0 / (4.0 * (2.0 * concentration + 1.0))
            assert estimate.method == "quadrature"
            assert abs(estimate.value[1, 0] - expected) <= estimate.error[1, 0] < 1e-12

    def test_two_symbol_dirichlet_with_floor_and_epsilon(self):
        """Against a fine trapezoidal rule in other variables, on a graph with a sibling pair."""
        pi, weights = oracles.binary_dirichlet_grid(1.0, 0.1)
        total = pi[0][1] + pi[1][0]
        mu = [pi[1][0] / total, pi[0][1] / total]
        parents = [-1, 0, 0]
        table = oracles.joint(parents, pi, mu)
        task = InContextTask(CausalGraph.from_parents(parents), DirichletPrior(2, 1.0, floor=0.1))
        estimate = limit_edge_scores(task, epsilon=0.1)
        for i, j in [(0, 0), (1, 0), (2, 0), (2, 1)]:
            terms = sum(
                pi[a][b] / (mu[b] + 0.1) * (table[j][i][a][b] - mu[a] * mu[b]) / 2 for a in (0, 1) for b in (0, 1)
            )
            assert abs(estimate.value[i, j] - (weights * terms).sum()) <= estimate.error[i, j] < 1e-12

    def test_many_symbol_dirichlet_agrees_with_more_draws(self):
        """Two independent Monte Carlo means, 5 standard errors."""
        task = InContextTask(CausalGraph.pairs(7), DirichletPrior(3, 0.5))
        one = limit_edge_scores(task, epsilon=0.05, draws=200, rng=1)
        other = limit_edge_scores(task, epsilon=0.05, draws=800, rng=2)
        below = np.tril_indices(7)
        off, bar = np.abs(one.value - other.value)[below], np.hypot(one.error, other.error)[below]
        assert one.method == "monte_carlo"
        # Between trees the limit is zero for every matrix, without error.
        assert (off[bar == 0.0] == 0.0).all()
        assert np.count_nonzero(bar) > 10
        assert (off <= 5.0 * bar).all()
