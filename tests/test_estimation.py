"""Transition matrices from data."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import CausalGraph, DirichletPrior, InContextTask, PointPrior, estimate_transition
from causal_theory.errors import GraphError, InvalidArgumentError, TooLargeError
from causal_theory.testing import forests
from tests.helpers import assert_close

TREE = CausalGraph.binary_tree(12)


class TestCounts:
    @given(
        graph=forests(min_length=3, max_length=8).filter(lambda graph: bool(graph.edges)),
        count=st.integers(1, 20),
        seed=st.integers(0, 999),
        smoothing=st.sampled_from([0.5, 1.0, 3.0]),
    )
    def test_against_a_count_by_hand(self, graph, count, seed, smoothing):
        """One pair of tokens after the other, in fractions."""
        sequences = np.random.default_rng(seed).integers(0, 3, (count, graph.length))
        pairs = Counter((row[parent], row[child]) for row in sequences.tolist() for parent, child in graph.edges)
        found = estimate_transition(sequences, graph, smoothing=smoothing, vocab_size=3)
        c = Fraction(smoothing)
        for a in range(3):
            seen = sum(pairs[a, b] for b in range(3))
            for b in range(3):
                assert_close(found.value[a, b], float((pairs[a, b] + c) / (seen + 3 * c)), rtol=1e-15)
                share = (pairs[a, b] + 0.5) / (seen + 1.5)
                error = (seen * share * (1 - share)) ** 0.5 / (seen + 3 * smoothing) if seen else np.inf
                assert_close(found.error[a, b], error, rtol=1e-13)

    def test_several_parents_in_their_order(self):
        """The place of a parent in the tensor is its place in the graph."""
        graph = CausalGraph([(), (), (1, 0)], target_parents=(2,))
        found = estimate_transition([[0, 1, 2]] * 3, graph, smoothing=1)
        assert found.value.shape == (3, 3, 3)
        assert found.value[1, 0].tolist() == [1 / 6, 1 / 6, 4 / 6]
        assert found.value[0, 1].tolist() == [1 / 3, 1 / 3, 1 / 3]

    def test_given_counts(self):
        found = estimate_transition(np.array([[3, 1], [0, 4]]))
        assert (found.value.tolist(), found.method) == ([[0.75, 0.25], [0.0, 1.0]], "monte_carlo")
        same = estimate_transition([[0, 1]] * 5 + [[1, 1]], CausalGraph([(), (0,)]), smoothing=0)
        np.testing.assert_array_equal(same.value, estimate_transition([[0, 5], [0, 1]]).value)

    def test_a_prior_takes_it(self):
        assert PointPrior(estimate_transition([[3, 1], [1, 4]])).transition.tolist() == [[0.75, 0.25], [0.2, 0.8]]


class TestStandardErrors:
    @pytest.mark.parametrize("smoothing", [0.0, 2.0])
    def test_are_calibrated(self, smoothing):
        """Over many samples: the mean of the squared error is that of the squared standard error."""
        matrix = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
        task = InContextTask(TREE, PointPrior(matrix))
        runs = [estimate_transition(task.sample(60, seed).tokens, TREE, smoothing=smoothing) for seed in range(800)]
        values, errors = np.array([run.value for run in runs]), np.array([run.error for run in runs])
        # The mean of 800 squares has a standard error of 5 %; counts vary from sample to sample, which adds a little.
        assert_close((errors**2).mean(axis=0), values.var(axis=0), rtol=0.25)

    def test_nothing_counted_is_not_certain(self):
        found = estimate_transition([[10, 0], [3, 7]])
        assert 0.0 < found.error[0, 1] < 0.1
        assert found.error[0, 1] < estimate_transition([[5, 0], [3, 7]]).error[0, 1]

    def test_rows_that_never_occur(self):
        found = estimate_transition([[4, 4], [0, 0]], smoothing=1)
        assert found.value[1].tolist() == [0.5, 0.5]
        assert np.isinf(found.error[1]).all()
        assert np.isfinite(found.error[0]).all()
        with pytest.raises(InvalidArgumentError, match="data must show what follows symbol 1, which never occurs as a"):
            estimate_transition([[4, 4], [0, 0]])


@pytest.mark.parametrize(
    ("data", "graph", "options", "message"),
    [
        ([[1, 2, 3]], None, {}, "data must be counts with axes of one length .* for sequences give the graph as well"),
        ([[1, -2], [1, 1]], None, {}, "data must be counts: whole numbers from 0 to"),
        ([[1, 0.5], [1, 1]], None, {}, "data must be counts: whole numbers from 0 to"),
        ([[1, np.nan], [1, 1]], None, {}, "data must be counts: whole numbers from 0 to"),
        ([[1, 1], [1, 1]], None, {"vocab_size": 3}, "vocab_size must be 2 for counts of that shape, got 3"),
        ([[0, 1, 1]], CausalGraph.chain(4), {}, r"data must be sequences of symbols, integers of shape \(n, 4\), got"),
        ([[0.0, 1.0]], CausalGraph([(), (0,)]), {}, "data must be sequences of symbols, .* got float64 of shape"),
        ([["a", "b"]], CausalGraph([(), (0,)]), {}, "data must be an array of real numbers, got type <U1"),
        (np.zeros((0, 2), int), CausalGraph([(), (0,)]), {}, "data must be sequences of symbols"),
        ([[0, 3]], CausalGraph([(), (0,)]), {"vocab_size": 3}, "data must be symbols from 0 to 2, got 3"),
        ([[0, -1]], CausalGraph([(), (0,)]), {}, "data must be symbols from 0 to 1, got -1"),
        ([[0, 1]], CausalGraph([(), (0,)]), {"smoothing": -1}, "smoothing must be"),
    ],
)
def test_bad_data(data, graph, options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        estimate_transition(data, graph, **options)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (CausalGraph.from_parents([-1, -1]), "got no edges"),
        (CausalGraph.from_parents([-1, 0, (0, 1)]), "got positions with 1 and 2 parents"),
    ],
)
def test_graphs_without_one_number_of_parents(graph, message):
    with pytest.raises(GraphError, match=message):
        estimate_transition(np.zeros((3, graph.length), int), graph)


class TestWhatPeoplePassIn:
    def test_a_sample(self):
        task = InContextTask(TREE, PointPrior([[0.5, 0.5], [0.25, 0.75]]))
        sample = task.sample(50, 0)
        np.testing.assert_array_equal(
            estimate_transition(sample, TREE).value, estimate_transition(sample.tokens, TREE).value
        )

    def test_a_list_for_a_graph(self):
        with pytest.raises(InvalidArgumentError, match="graph must be a CausalGraph, got list"):
            estimate_transition([[0, 1]], [[], [0]])

    @pytest.mark.parametrize("symbol", [10**6, 10**12])
    def test_numbers_of_a_tokenizer(self, symbol):
        with pytest.raises(TooLargeError, match="vocab_size"):
            estimate_transition([[0, symbol]], CausalGraph([(), (0,)]), smoothing=1)

    @pytest.mark.parametrize("smoothing", [1e308, np.inf, np.nan])
    def test_smoothing_beyond_counts(self, smoothing):
        with pytest.raises(InvalidArgumentError, match="smoothing must be"):
            estimate_transition([[1, 2], [3, 4]], smoothing=smoothing)


def test_a_prior_of_many_matrices_is_averaged():
    """Sequences from many matrices give the mean over the rows that were used."""
    task = InContextTask(TREE, DirichletPrior(2, 5.0))
    found = estimate_transition(task.sample(20_000, 1).tokens, TREE)
    assert_close(found.value[0, 0], found.value[1, 1], rtol=0.0, atol=0.01)
