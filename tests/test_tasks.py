"""The in-context task: validation, and the sampler against the exact law of whole sequences."""

from collections import Counter
from dataclasses import FrozenInstanceError
from itertools import product
from math import gamma

import numpy as np
import pytest
from scipy import stats

from causal_theory.chains import stationary_distribution
from causal_theory.errors import InvalidArgumentError, TaskError, TransitionError
from causal_theory.graphs import CausalGraph
from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior
from causal_theory.priors.sequences import _cumulative, _draw
from causal_theory.tasks import InContextTask
from tests.helpers import assert_close

FALSE_ALARM = 1e-6
"""Probability that a statistical test of this file fails for a correct sampler; seeds are fixed."""

PI2 = np.array([[0.8, 0.2], [0.35, 0.65]])
PI3 = np.array([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1], [0.25, 0.15, 0.6]])

GRAPHS = [
    CausalGraph.chain(5),
    CausalGraph.star(5),
    CausalGraph.from_parents([-1, 0, -1, 0]),
    CausalGraph.from_parents([-1, -1, -1]),
    CausalGraph([(), (0,), (), (1,)], (1,)),
]


def sequence_law(graph, pi, root_law):
    """Probability of every sequence, one factor per token; a last root is uniform."""
    size = len(pi)
    roots = stationary_distribution(pi) if root_law == "stationary" else np.full(size, 1 / size)
    law = {}
    for tokens in product(range(size), repeat=graph.length):
        probability = 1.0
        for i, entry in enumerate(graph.parents):
            if entry:
                probability *= pi[tokens[entry[0]], tokens[i]]
            else:
                probability *= 1 / size if i == graph.length - 1 else roots[tokens[i]]
        law[tokens] = probability
    return law


def law_pvalue(tokens, law):
    """Chi-square p-value of sequences against a law; sequences expected fewer than 10 times are pooled."""
    seen = Counter(map(tuple, tokens.tolist()))
    assert all(law[key] > 0.0 for key in seen)
    expected = {key: len(tokens) * p for key, p in law.items()}
    common = [key for key, count in expected.items() if count >= 10]
    observed = [seen[key] for key in common]
    counts = [expected[key] for key in common]
    rest = len(tokens) - sum(counts)
    if rest > 1e-6:
        observed.append(len(tokens) - sum(observed))
        counts.append(rest)
    return stats.chisquare(observed, counts).pvalue


class TestSamplerLaw:
    @pytest.mark.parametrize("graph", GRAPHS, ids=repr)
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    @pytest.mark.parametrize("pi", [PI2, PI3], ids=["S2", "S3"])
    def test_point_prior(self, graph, root_law, pi):
        tokens = InContextTask(graph, PointPrior(pi), root_law).sample(40_000, rng=1).tokens
        assert law_pvalue(tokens, sequence_law(graph, pi, root_law)) > FALSE_ALARM

    @pytest.mark.parametrize("graph", GRAPHS, ids=repr)
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    def test_orbit_prior_is_the_mixture_of_the_relabelings(self, graph, root_law):
        prior = OrbitPrior(PI3)
        laws = [sequence_law(graph, pi, root_law) for pi in prior.relabelings()]
        mixture = {key: np.mean([law[key] for law in laws]) for key in laws[0]}
        tokens = InContextTask(graph, prior, root_law).sample(40_000, rng=2).tokens
        assert law_pvalue(tokens, mixture) > FALSE_ALARM

    @pytest.mark.parametrize("graph", GRAPHS, ids=repr)
    @pytest.mark.parametrize("concentration", [0.1, 1.0])
    def test_dirichlet_prior_with_uniform_roots_is_a_polya_urn(self, graph, concentration):
        """E prod_b pi_ab^n_b = Gamma(S alpha) / Gamma(S alpha + n) prod_b Gamma(alpha + n_b) / Gamma(alpha) per row."""
        size = 2
        law = {}
        for tokens in product(range(size), repeat=graph.length):
            counts = np.zeros((size, size), dtype=int)
            for parent, child in graph.edges:
                counts[tokens[parent], tokens[child]] += 1
            probability = size ** -float(len(graph.roots))
            for row in counts:
                probability *= gamma(size * concentration) / gamma(size * concentration + row.sum())
                for n in row:
                    probability *= gamma(concentration + n) / gamma(concentration)
            law[tokens] = probability
        assert_close(sum(law.values()), 1.0, rtol=1e-13)
        tokens = InContextTask(graph, DirichletPrior(size, concentration), "uniform").sample(40_000, rng=3).tokens
        assert law_pvalue(tokens, law) > FALSE_ALARM

    @pytest.mark.parametrize("prior", [DirichletPrior(3, 0.3), OrbitPrior(PI3)], ids=repr)
    def test_each_sequence_follows_its_own_matrix(self, prior):
        """Given its matrix a root has the law mu and a child the row of its parent: no residual is left."""
        graph = CausalGraph.from_parents([-1, 0, 1, -1, 0])
        count = 20_000
        tokens, _, transitions = InContextTask(graph, prior).sample(count, rng=4)
        laws = np.array([stationary_distribution(pi) for pi in transitions])
        bound = stats.norm.isf(FALSE_ALARM / (2 * 6 * 3 * 2))
        for i, entry in enumerate(graph.parents):
            query = i == graph.length - 1
            root = np.full_like(laws, 1 / 3) if query else laws
            given = transitions[np.arange(count), tokens[:, entry[0]]] if entry else root
            for b in range(3):
                for weight in (np.ones(count), laws[:, b]):
                    residual = weight * ((tokens[:, i] == b) - given[:, b])
                    error = np.sqrt((weight**2 * given[:, b] * (1 - given[:, b])).sum())
                    assert abs(residual.sum()) <= bound * error

    def test_marginals_of_a_stationary_forest_are_stationary(self):
        """Every context position has the law mu, the query is uniform: one chi-square test per position."""
        graph = CausalGraph.random_forest(30, 0.3, rng=5)
        count = 20_000
        tokens = InContextTask(graph, PointPrior(PI3)).sample(count, rng=6).tokens
        law = stationary_distribution(PI3)
        for i in range(graph.length):
            expected = count * (law if i < graph.length - 1 else np.full(3, 1 / 3))
            observed = np.bincount(tokens[:, i], minlength=3)
            assert stats.chisquare(observed, expected).pvalue > FALSE_ALARM / graph.length

    def test_query_is_independent_of_every_token(self):
        graph = CausalGraph.chain(8)
        tokens = InContextTask(graph, OrbitPrior(PI3)).sample(20_000, rng=7).tokens
        for i in range(graph.length - 1):
            table = np.zeros((3, 3))
            np.add.at(table, (tokens[:, i], tokens[:, -1]), 1)
            assert stats.chi2_contingency(table).pvalue > FALSE_ALARM / graph.length

    def test_the_law_test_rejects_wrong_laws(self):
        """Negative control: the other root law, another graph and a slightly different matrix are all detected."""
        graph = CausalGraph.chain(5)
        tokens = InContextTask(graph, PointPrior(PI2)).sample(40_000, rng=1).tokens
        other = PI2 + np.array([[-0.02, 0.02], [0.0, 0.0]])
        for law in (
            sequence_law(graph, PI2, "uniform"),
            sequence_law(CausalGraph.star(5), PI2, "stationary"),
            sequence_law(graph, other, "stationary"),
        ):
            assert law_pvalue(tokens, law) < FALSE_ALARM


class TestSamples:
    @pytest.mark.parametrize("prior", [PointPrior(PI3), OrbitPrior(PI3), DirichletPrior(3, 0.1)], ids=repr)
    @pytest.mark.parametrize("graph", [CausalGraph.pairs(7), CausalGraph([(), (0,), (1,)], (1,))], ids=repr)
    def test_shapes_and_targets(self, prior, graph):
        sample = InContextTask(graph, prior).sample(30, rng=8)
        assert sample.tokens.shape == (30, graph.length)
        assert sample.tokens.dtype == np.int64
        assert sample.tokens.min() >= 0
        assert sample.tokens.max() < 3
        assert sample.transitions.shape == (30, 3, 3)
        target = graph.target_parents[0]
        expected = [pi[tokens[target]] for pi, tokens in zip(sample.transitions, sample.tokens, strict=True)]
        assert np.array_equal(sample.targets, expected)

    def test_seed_decides(self):
        task = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 0.5))
        first, again, other = task.sample(10, rng=1), task.sample(10, np.random.default_rng(1)), task.sample(10, rng=2)
        assert np.array_equal(first.tokens, again.tokens)
        assert np.array_equal(first.transitions, again.transitions)
        assert not np.array_equal(first.transitions, other.transitions)

    @pytest.mark.parametrize(
        ("row", "first", "last"),
        [
            ([0.0, 0.5, 0.5], 1, 2),
            ([0.5, 0.0, 0.5, 0.0], 0, 2),
            ([0.1] * 10 + [0.0], 0, 9),  # in floating point these sum to 1 - 1.1e-16
            ([0.5, 0.5 - 9e-11, 0.0], 0, 1),  # the largest deviation that is accepted
            ([0.5, 0.5 + 9e-11, 0.0], 0, 1),
        ],
    )
    def test_extreme_uniforms_select_possible_symbols(self, row, first, last):
        class Constant:
            """Stands in for a generator that always returns one number of [0, 1)."""

            def __init__(self, value):
                self.value = value

            def random(self, size):
                """Return the number ``size`` times."""
                return np.full(size, self.value)

        cumulative = _cumulative(np.array([row]))
        assert _draw(cumulative, Constant(0.0)).tolist() == [first]
        assert _draw(cumulative, Constant(np.nextafter(1.0, 0.0))).tolist() == [last]

    def test_impossible_steps_never_happen(self):
        """Zeros first, in the middle and last in a row; the cumulative sums of the rows are not exactly one."""
        pi = np.array([[0.0, 0.1, 0.0, 0.9, 0.0], [0.3, 0.0, 0.7, 0.0, 0.0], [0, 0, 0, 0, 1.0], [0.1] * 3 + [0.7, 0]])
        pi = np.vstack([pi, [1.0, 0, 0, 0, 0]])
        tokens = InContextTask(CausalGraph.chain(60), PointPrior(pi)).sample(2000, rng=9).tokens
        assert pi[tokens[:, :-2], tokens[:, 1:-1]].min() > 0.0

    def test_deterministic_chain(self):
        tokens = InContextTask(CausalGraph.chain(8), PointPrior(np.roll(np.eye(3), 1, axis=1))).sample(50, rng=0).tokens
        assert np.all((tokens[:, 1:-1] - tokens[:, :-2]) % 3 == 1)

    def test_smallest_task(self):
        sample = InContextTask(CausalGraph.from_parents([-1]), PointPrior(PI2)).sample(1, rng=0)
        assert sample.tokens.shape == (1, 2)

    def test_uniform_roots_do_not_need_a_stationary_law(self):
        tokens = InContextTask(CausalGraph.chain(5), PointPrior(np.eye(3)), "uniform").sample(100, rng=0).tokens
        assert np.all(tokens[:, :4] == tokens[:, :1])
        assert set(tokens[:, 0].tolist()) == {0, 1, 2}

    @pytest.mark.parametrize(
        "graph",
        [CausalGraph.from_parents([-1, -1, (0, 1)]), CausalGraph.from_parents([-1, -1], target_parents=(0, 1))],
    )
    def test_several_parents_need_a_kernel(self, graph):
        with pytest.raises(
            TaskError, match=r"prior must have a transition tensor for every number .* got none for 2 .* mapping"
        ):
            InContextTask(graph, PointPrior(PI2)).sample(3, rng=0)

    def test_bad_size_and_rng(self):
        task = InContextTask(CausalGraph.chain(4), PointPrior(PI2))
        with pytest.raises(InvalidArgumentError, match="size must be an integer of at least 1, got 0"):
            task.sample(0)
        with pytest.raises(InvalidArgumentError, match="rng must be a seed"):
            task.sample(2, rng="x")


class TestTask:
    def test_attributes(self):
        task = InContextTask(CausalGraph.chain(6), DirichletPrior(4, 0.1))
        assert (task.length, task.vocab_size, task.root_law) == (6, 4, "stationary")
        with pytest.raises(FrozenInstanceError):
            task.root_law = "uniform"

    def test_root_distribution(self):
        graph = CausalGraph.chain(4)
        assert_close(InContextTask(graph, PointPrior(PI2)).root_distribution(PI2), [7 / 11, 4 / 11], rtol=1e-14)
        assert InContextTask(graph, PointPrior(PI2), "uniform").root_distribution(PI2).tolist() == [0.5, 0.5]

    @pytest.mark.parametrize(
        ("matrix", "match"),
        [
            (PI3, "pi must have 2 symbols as the task has, got 3"),
            (np.eye(2), "closed classes of symbols"),
            ([[0.5, 0.6], [0.5, 0.5]], "rows that sum to 1"),
        ],
    )
    def test_root_distribution_bad_input(self, matrix, match):
        with pytest.raises(TransitionError, match=match):
            InContextTask(CausalGraph.chain(4), PointPrior(PI2)).root_distribution(matrix)

    def test_bad_arguments(self):
        graph, prior = CausalGraph.chain(4), PointPrior(PI2)
        with pytest.raises(TaskError, match="graph must be a CausalGraph, got list"):
            InContextTask([-1, 0], prior)
        with pytest.raises(TaskError, match=r"prior must be .* got ndarray"):
            InContextTask(graph, PI2)
        with pytest.raises(InvalidArgumentError, match="root_law must be one of 'stationary', 'uniform', got 'other'"):
            InContextTask(graph, prior, "other")
        for kind in (PointPrior, OrbitPrior):
            with pytest.raises(TransitionError, match=r"root_law must be \"uniform\" .*\[0\], \[1\], \[2\]"):
                InContextTask(graph, kind(np.eye(3)))

    @pytest.mark.parametrize(
        "graph", [CausalGraph.pairs(6), CausalGraph([(), (0,)]), CausalGraph.from_parents([-1], target_parents=(0,))]
    )
    def test_require_forest_accepts_every_forest(self, graph):
        InContextTask(graph, PointPrior(PI2)).require_forest("pairwise_joint")

    def test_require_query_accepts_a_forest_with_a_query(self):
        InContextTask(CausalGraph.pairs(6), PointPrior(PI2)).require_query("edge_scores")

    @pytest.mark.parametrize("requirement", ["require_forest", "require_query"])
    def test_several_parents_are_named(self, requirement):
        task = InContextTask(CausalGraph.from_parents([-1, -1, (0, 1)]), PointPrior(PI2))
        with pytest.raises(TaskError, match=r"^edge_scores needs .* position 2 has the parents \(0, 1\)"):
            getattr(task, requirement)("edge_scores")

    @pytest.mark.parametrize(
        ("graph", "match"),
        [
            (CausalGraph([(), (0,)]), r"position 1 has the parents \(0,\)"),
            (CausalGraph.from_parents([-1], target_parents=(0,)), r"target_parents is \(0,\)"),
            (CausalGraph.from_parents([-1], target_parents=(0, 1)), r"target_parents is \(0, 1\)"),
        ],
    )
    def test_missing_query_is_explained(self, graph, match):
        with pytest.raises(TaskError, match="^edge_scores needs an independent query.*" + match):
            InContextTask(graph, PointPrior(PI2)).require_query("edge_scores")
