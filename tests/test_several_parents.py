"""Tasks with several parents: priors, graphs and sampling; laws, informations and losses against enumeration."""

import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    best_subset,
    counts_rule_loss,
    edge_scores,
    excess_loss,
    learning_curve,
    loss_floor,
    pairwise_information,
    pairwise_joint,
    parent_attention_gradient,
    parent_attention_loss,
    population_loss,
    subset_information,
    subset_informations,
    unigram_loss,
)
from causal_theory.errors import InvalidArgumentError, TaskError, TooLargeError, TransitionError
from causal_theory.graphs.frontier import find_frontier
from causal_theory.information import MEASURES, SUBSET_MEASURES
from causal_theory.population import any_graph_pairs as any_graph_module
from causal_theory.population.parent_attention import parent_attention_loss_and_gradient
from causal_theory.population.several_parents.baselines import counting_loss, entropy_at, token_counting_loss
from causal_theory.population.several_parents.construction import construction_loss, construction_slopes, row_windows
from causal_theory.population.several_parents.moments import prepare_sweep
from causal_theory.testing import kernel_tasks, tasks
from causal_theory.token_laws import joint as joint_module
from causal_theory.token_laws import joint_law
from causal_theory.token_laws import subsets as subsets_module
from causal_theory.token_laws.elimination import eliminated_law

from . import kernel_oracle
from .helpers import assert_close

CASES = json.loads((Path(__file__).parent / "data" / "several_parents_cases.json").read_text(encoding="utf-8"))
NAMES = [f"order {case['order']}, T={case['length']}" for case in CASES]

EXCLUSIVE_OR = np.zeros((2, 2, 2))
for first, second in itertools.product(range(2), repeat=2):
    EXCLUSIVE_OR[first, second, first ^ second] = 1.0


def dirichlet_kernel(size, parents, seed=0, concentration=1.0):
    return DirichletPrior(size, concentration).sample_transitions(1, (parents,), seed)[parents][0]


def trigram(length=8, size=3, seed=0):
    return InContextTask(CausalGraph.ngram(length, 2), PointPrior({2: dirichlet_kernel(size, 2, seed)}))


def some_matrices(task, seed, heads=None):
    count = len(task.graph.target_parents) if heads is None else heads
    return np.random.default_rng(seed).normal(scale=1.5, size=(count, task.vocab_size, task.vocab_size))


class TestReferenceCases:
    @pytest.fixture(params=CASES, ids=NAMES)
    def case(self, request):
        return request.param

    @pytest.fixture
    def task(self, case):
        return InContextTask(
            CausalGraph.ngram(case["length"], case["order"]), PointPrior({case["order"]: case["kernel"]})
        )

    def test_losses(self, case, task):
        found = parent_attention_loss(task, case["A2"], epsilon=case["epsilon"])
        assert_close(found.value, case["loss"], rtol=0.0, atol=1e-12)
        assert_close(loss_floor(task).value, case["floor"], rtol=0.0, atol=1e-13)
        counted = counts_rule_loss(task, smoothing=case["smoothing"])
        assert_close(counted.value, case["counts_rule"], rtol=0.0, atol=1e-13)

    def test_informations(self, case, task):
        assert_close(pairwise_information(task, "chi2").value, case["chi2"], rtol=0.0, atol=1e-13)


class TestGraphs:
    def test_ngram(self):
        graph = CausalGraph.ngram(6, 3)
        assert graph.parents == ((), (), (), (0, 1, 2), (1, 2, 3), (2, 3, 4))
        assert graph.target_parents == (3, 4, 5)
        assert graph.in_degrees == (3,)

    def test_ngram_of_order_one_is_a_chain_without_a_separate_query(self):
        assert CausalGraph.ngram(5, 1) == CausalGraph([(), (0,), (1,), (2,), (3,)], (4,))

    def test_binary_tree_and_previous(self):
        graph = CausalGraph.binary_tree_and_previous(32)
        for i, parents in enumerate(graph.parents):
            assert parents == (((i - 1) // 2, i - 1) if i >= 2 else ())
        assert graph.target_parents == (15, 31)

    def test_random_dag(self):
        graph = CausalGraph.random_dag(40, 3, rng=5)
        assert graph == CausalGraph.random_dag(40, 3, rng=5)
        assert graph != CausalGraph.random_dag(40, 3, rng=6)
        assert [len(entry) for entry in graph.parents] == [0, 0, 0] + [3] * 37
        assert all(entry == tuple(sorted(set(entry))) for entry in graph.parents)
        assert len(graph.target_parents) == 3

    def test_parents_of_a_random_dag_are_uniform(self):
        """Position 4 has six equally likely pairs of parents."""
        generator = np.random.default_rng(0)
        counts = dict.fromkeys(itertools.combinations(range(4), 2), 0)
        for _ in range(3000):
            counts[CausalGraph.random_dag(5, 2, generator).parents[4]] += 1
        chi_square = sum((count - 500) ** 2 / 500 for count in counts.values())
        assert chi_square < 20.5  # one in a thousand for five degrees of freedom

    @pytest.mark.parametrize("make", [lambda: CausalGraph.ngram(2, 3), lambda: CausalGraph.random_dag(2, 3, 0)])
    def test_too_short(self, make):
        with pytest.raises(InvalidArgumentError, match="length must be an integer of at least 3, got 2"):
            make()

    def test_bad_order(self):
        with pytest.raises(InvalidArgumentError, match="order must be an integer of at least 1, got 0"):
            CausalGraph.ngram(5, 0)
        with pytest.raises(InvalidArgumentError, match="parents must be an integer of at least 1, got 0"):
            CausalGraph.random_dag(5, 0)


class TestFrontier:
    @pytest.mark.parametrize(
        ("graph", "width"),
        [
            (CausalGraph.ngram(30, 3), 4),
            (CausalGraph.chain(30), 2),
            (CausalGraph.star(30), 2),
            (CausalGraph.binary_tree_and_previous(12), 5),
        ],
    )
    def test_width(self, graph, width):
        assert find_frontier(graph.parents, graph.target_parents).width == width

    def test_barren_positions_are_not_visited(self):
        frontier = find_frontier(CausalGraph.chain(50).parents, (10,), ancestors_only=True)
        assert [step.position for step in frontier.steps] == list(range(11))
        assert frontier.last == (10,)


class TestPriors:
    def test_matrix_means_one_parent(self):
        matrix = [[0.2, 0.8], [0.6, 0.4]]
        assert_close(PointPrior({1: matrix}).transition, matrix, rtol=0.0)
        assert PointPrior(matrix).in_degrees == (1,)
        assert PointPrior({3: np.full((2,) * 4, 0.5), 1: matrix}).in_degrees == (1, 3)

    def test_kernels_are_copied_and_read_only(self):
        kernel = np.full((2, 2, 2), 0.5)
        prior = PointPrior({2: kernel})
        kernel[:] = 7.0
        assert (prior.transitions[2] == 0.5).all()
        with pytest.raises(ValueError, match="read-only"):
            prior.transitions[2][0, 0, 0] = 1.0
        with pytest.raises(TypeError):
            prior.transitions[3] = kernel

    def test_draws_of_an_orbit_are_relabelings(self):
        kernels = {1: dirichlet_kernel(3, 1, 1), 2: dirichlet_kernel(3, 2, 2)}
        prior = OrbitPrior(kernels)
        elements = list(prior.relabelings_of((1, 2)))
        assert len(elements) == 6
        drawn = prior.sample_transitions(60, (1, 2), rng=0)
        seen = set()
        for n in range(60):
            matches = [
                k
                for k, element in enumerate(elements)
                if np.array_equal(element[1], drawn[1][n]) and np.array_equal(element[2], drawn[2][n])
            ]
            assert len(matches) == 1  # both kernels are relabelled alike
            seen.update(matches)
        assert seen == set(range(6))

    def test_relabeling_renames_every_axis(self):
        kernel = dirichlet_kernel(3, 2)
        for element, order in zip(
            OrbitPrior({2: kernel}).relabelings_of((2,)), itertools.permutations(range(3)), strict=True
        ):
            for a, b, c in itertools.product(range(3), repeat=3):
                assert element[2][a, b, c] == kernel[order[a], order[b], order[c]]

    def test_dirichlet_kernels(self):
        prior = DirichletPrior(3, 0.5, floor=0.3)
        drawn = prior.sample_transitions(4000, (1, 2), rng=0)
        assert drawn[2].shape == (4000, 3, 3, 3)
        assert_close(drawn[2].sum(axis=-1), np.ones((4000, 3, 3)), rtol=1e-14)
        assert drawn[2].min() >= 0.1 - 1e-15
        # A floored symmetric Dirichlet entry has variance 0.7^2 (2/9) / 2.5 here.
        errors = (drawn[2].mean(axis=0) - 1 / 3) / np.sqrt(0.49 * (2 / 9) / 2.5 / 4000)
        assert np.abs(errors).max() < 4.5
        flat = drawn[2].reshape(4000, 27)
        correlation = np.corrcoef(flat[:, 0], flat[:, 9])[0, 1]
        assert abs(correlation) < 4.5 / np.sqrt(4000)

    @pytest.mark.parametrize("prior", [PointPrior({2: EXCLUSIVE_OR}), OrbitPrior({1: np.eye(2), 2: EXCLUSIVE_OR})])
    def test_pickle(self, prior):
        copy = pickle.loads(pickle.dumps(prior))
        assert type(copy) is type(prior)
        assert copy.in_degrees == prior.in_degrees
        assert_close(copy.transitions[2], prior.transitions[2], rtol=0.0)
        assert repr(copy) == repr(prior)

    def test_notebook_shows_every_kernel(self):
        markup = PointPrior({1: np.eye(2), 2: EXCLUSIVE_OR})._repr_html_()
        assert "1 parent" in markup
        assert "2 parents" in markup

    @pytest.mark.parametrize(
        ("given_kernels", "message"),
        [
            ({2: np.eye(2)}, r"transition\[2\] must have 3 axes of one length S >= 2, .* got shape \(2, 2\)"),
            ({2: np.full((2, 3, 2), 0.5)}, r"transition\[2\] must have 3 axes .* got shape \(2, 3, 2\)"),
            ({2: np.full((2, 2, 2), 0.4)}, r"transition\[2\] must have rows that sum to 1 .* got 0\.8 in row \(0, 0\)"),
            ({2: -EXCLUSIVE_OR}, r"transition\[2\] must have finite entries of at least 0, got -1\.0 at \(0, 0, 0\)"),
            ({1: np.eye(3), 2: EXCLUSIVE_OR}, "transition must have transition tensors on the same symbols"),
            ({}, "transition must hold at least one transition tensor, got an empty mapping"),
        ],
    )
    @pytest.mark.parametrize("prior", [PointPrior, OrbitPrior])
    def test_bad_kernels(self, prior, given_kernels, message):
        with pytest.raises(TransitionError, match=message):
            prior(given_kernels)

    def test_the_axis_that_must_be_a_law_is_the_last(self):
        wrong = np.moveaxis(dirichlet_kernel(3, 2), -1, 0)
        with pytest.raises(TransitionError, match="rows that sum to 1"):
            PointPrior({2: wrong})

    def test_bad_number_of_parents(self):
        with pytest.raises(InvalidArgumentError, match="numbers of parents in transition must be an integer"):
            PointPrior({0: [0.5, 0.5]})

    def test_no_matrix_among_the_kernels(self):
        with pytest.raises(TransitionError, match="transition tensors for 2 parents only"):
            _ = PointPrior({2: EXCLUSIVE_OR}).transition


class TestTasks:
    def test_root_law(self):
        matrix = np.array([[0.9, 0.1], [0.3, 0.7]])
        assert InContextTask(CausalGraph.chain(4), PointPrior(matrix)).root_law == "stationary"
        assert InContextTask(CausalGraph.chain(4), PointPrior({1: matrix})).root_law == "uniform"
        assert trigram().root_law == "uniform"
        with pytest.raises(TaskError, match='root_law must be "uniform" for a graph with several parents'):
            InContextTask(CausalGraph.ngram(5, 2), PointPrior({2: EXCLUSIVE_OR}), "stationary")

    def test_missing_kernel(self):
        with pytest.raises(TaskError, match=r"got none for 3 \(it has 2\); give PointPrior or OrbitPrior a mapping"):
            InContextTask(CausalGraph.ngram(6, 3), PointPrior({2: EXCLUSIVE_OR}))

    def test_forests_only(self):
        task = trigram(5, 2)
        for call in (
            lambda: edge_scores(task, epsilon=0.1),
            lambda: population_loss(task, np.zeros((5, 5)), np.eye(2), epsilon=0.1),
        ):
            with pytest.raises(TaskError, match=r"at most one parent.* \(0, 1\).*there are pairwise_information"):
                call()

    def test_exclusive_or_is_deterministic(self):
        sample = InContextTask(CausalGraph.ngram(20, 2), PointPrior({2: EXCLUSIVE_OR})).sample(200, rng=0)
        tokens = sample.tokens
        assert (tokens[:, 2:] == tokens[:, 1:-1] ^ tokens[:, :-2]).all()
        assert (sample.targets.argmax(axis=1) == tokens[:, -1] ^ tokens[:, -2]).all()
        assert sample.transitions.shape == (200, 2, 2, 2)

    def test_order_of_parents(self):
        """The first axis of the kernel belongs to the parent that the graph lists first."""
        copy_first = np.zeros((2, 2, 2))
        copy_first[0, :, 0] = copy_first[1, :, 1] = 1.0
        for parents, source in (((0, 1), 0), ((1, 0), 1)):
            graph = CausalGraph([(), (), parents], parents)
            sample = InContextTask(graph, PointPrior({2: copy_first})).sample(100, rng=0)
            assert (sample.tokens[:, 2] == sample.tokens[:, source]).all()
            assert (sample.targets.argmax(axis=1) == sample.tokens[:, source]).all()

    @pytest.mark.parametrize("kind", ["point", "orbit"])
    def test_frequencies(self, kind):
        kernels = {1: dirichlet_kernel(3, 1, 1), 2: dirichlet_kernel(3, 2, 2)}
        prior = PointPrior(kernels) if kind == "point" else OrbitPrior(kernels)
        task = InContextTask(CausalGraph([(), (), (1, 0), (2,), (0, 3)], (4, 1)), prior)
        count = 60_000
        sample = task.sample(count, rng=3)
        joint = pairwise_joint(task).value
        for i, j in itertools.combinations(range(5), 2):
            for a, b in itertools.product(range(3), repeat=2):
                p = joint[i, j, a, b]
                seen = np.mean((sample.tokens[:, i] == a) & (sample.tokens[:, j] == b))
                assert abs(seen - p) < 4.7 * np.sqrt(p * (1 - p) / count)
        target = joint_law(task, kernels, (5,)) if kind == "point" else np.full(3, 1 / 3)
        errors = sample.targets.std(axis=0) / np.sqrt(count)
        assert (np.abs(sample.targets.mean(axis=0) - target) < 4.7 * errors).all()


class TestLaws:
    @given(kernel_tasks(max_length=5), st.data())
    def test_joint_law(self, task, data):
        positions = data.draw(st.lists(st.integers(0, task.length), unique=True, min_size=1, max_size=3))
        law = joint_law(task, task.prior.transitions, positions)
        exact = kernel_oracle.exact_kernels(task.prior.transitions)
        expected = kernel_oracle.joint_law(task.graph, exact, task.vocab_size, positions)
        for key, chance in expected.items():
            assert_close(law[key], float(chance), rtol=1e-13)

    @given(kernel_tasks(max_length=7, max_size=2, max_parents=3), st.data())
    def test_elimination_and_transfer_agree(self, task, data):
        positions = data.draw(st.lists(st.integers(0, task.length), unique=True, min_size=1, max_size=3))
        parents = joint_module.parents_with_target(task.graph)
        roots = {i: np.full(task.vocab_size, 1 / task.vocab_size) for i, entry in enumerate(parents) if not entry}
        eliminated = eliminated_law(parents, task.prior.transitions, roots, positions, task.vocab_size)
        assert_close(eliminated, joint_law(task, task.prior.transitions, positions), rtol=1e-12, atol=1e-300)

    @given(tasks(max_length=6), st.data())
    def test_stationary_roots(self, task, data):
        """On forests roots may be stationary; the query is uniform all the same."""
        positions = data.draw(st.lists(st.integers(0, task.length - 1), unique=True, min_size=2, max_size=2))
        joint = pairwise_joint(task).value[positions[0], positions[1]]
        assert_close(joint_law(task, task.prior.transitions, positions), joint, rtol=1e-12, atol=1e-300)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(joint_module, "TRANSFER_ENTRIES", 0)
            assert_close(joint_law(task, task.prior.transitions, positions), joint, rtol=1e-12, atol=1e-300)

    def test_wide_graphs_are_eliminated(self, monkeypatch):
        """A graph whose frontier from left to right is wide although another order is narrow."""
        pairs = [(), *[()] * 30, *[(0, i) for i in range(1, 31)]]
        graph = CausalGraph([*pairs, ()], (61,))
        task = InContextTask(graph, PointPrior({1: np.eye(2), 2: EXCLUSIVE_OR}))
        law = joint_law(task, task.prior.transitions, (60, 30, 0))
        for a, b, c in itertools.product(range(2), repeat=3):
            assert law[a, b, c] == (0.25 if a == b ^ c else 0.0)

    def test_too_wide(self):
        task = InContextTask(CausalGraph.random_dag(60, 3, rng=0), DirichletPrior(5, 1.0))
        with pytest.raises(TooLargeError, match=r"got width \d+: 5\^\d+ = .*draw sequences with InContextTask.sample"):
            subset_information(task, 60, (3, 4), draws=2)
        with pytest.raises(TooLargeError, match=r"frontier, got 5\^\d+ \(width \d+\); use method='monte_carlo'"):
            parent_attention_loss(task, np.zeros((3, 5, 5)), epsilon=0.1)

    @given(kernel_tasks(max_length=5))
    def test_pairs(self, task):
        joint = pairwise_joint(task).value
        exact = kernel_oracle.exact_kernels(task.prior.transitions)
        for i, j in itertools.product(range(task.length), repeat=2):
            law = kernel_oracle.joint_law(task.graph, exact, task.vocab_size, (i, j) if i != j else (i,))
            for a, b in itertools.product(range(task.vocab_size), repeat=2):
                expected = law[a, b] if i != j else law[a,] if a == b else 0
                assert_close(joint[i, j, a, b], float(expected), rtol=1e-13)

    @given(kernel_tasks(max_length=5), st.sampled_from(MEASURES))
    def test_pairwise_informations(self, task, measure):
        found = pairwise_information(task, measure)
        exact = kernel_oracle.exact_kernels(task.prior.transitions)
        for i, j in itertools.combinations(range(task.length), 2):
            law = kernel_oracle.joint_law(task.graph, exact, task.vocab_size, (i, j))
            expected = float(kernel_oracle.information(law, measure))
            assert abs(found.value[i, j] - expected) <= found.error[i, j] + 1e-15
            assert found.value[i, j] == found.value[j, i]

    @given(kernel_tasks(max_length=5), st.sampled_from(MEASURES))
    def test_wide_route_gives_the_same(self, task, measure):
        narrow = pairwise_information(task, measure)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(any_graph_module, "MAX_STATES", 0)
            wide = pairwise_information(task, measure)
        assert (np.abs(wide.value - narrow.value) <= wide.error + narrow.error + 1e-300).all()

    def test_small_informations_keep_their_accuracy(self):
        """Far apart the information of a noisy copy of the token two before falls by one factor per step."""
        kernel = np.zeros((2, 2, 2))
        kernel[0, :, 0] = kernel[1, :, 1] = 0.55
        kernel[0, :, 1] = kernel[1, :, 0] = 0.45
        task = InContextTask(CausalGraph.ngram(121, 2), PointPrior({2: kernel}))
        found = pairwise_information(task, "chi2").value[120]
        for steps in (1, 10, 60):
            assert_close(found[120 - 2 * steps], 0.1 ** (2 * steps), rtol=1e-10)

    @given(tasks(max_length=6), st.sampled_from(MEASURES))
    def test_forests_by_the_general_route(self, task, measure):
        values, errors = any_graph_module.divergences_of_pairs(
            task, any_graph_codes()[measure], 1e-14, task.prior.transitions
        )
        forest = pairwise_information(task, measure)
        assert (np.abs(values - forest.value) <= errors + forest.error + 1e-15).all()


def any_graph_codes():
    from causal_theory.information.pairs import _CODES

    return _CODES


class TestSubsets:
    @settings(max_examples=30)
    @given(kernel_tasks(max_length=4), st.sampled_from(SUBSET_MEASURES), st.data())
    def test_against_enumeration(self, task, measure, data):
        position = data.draw(st.integers(1, task.length))
        subset = data.draw(st.lists(st.integers(0, position - 1), unique=True, min_size=1, max_size=3))
        found = subset_information(task, position, subset, measure=measure)
        exact = kernel_oracle.exact_kernels(task.prior.transitions)
        law = kernel_oracle.joint_law(task.graph, exact, task.vocab_size, (position, *subset))
        assert abs(float(found) - float(kernel_oracle.information(law, measure))) <= float(found.error) + 1e-15

    @pytest.mark.parametrize("size", [1, 2, 3])
    @pytest.mark.parametrize("graph", [CausalGraph.ngram(7, 2), CausalGraph.binary_tree_and_previous(7)])
    def test_all_sets_share_their_work(self, graph, size):
        kernels = {2: dirichlet_kernel(3, 2)}
        task = InContextTask(graph, PointPrior(kernels))
        for position in (4, 7):
            table = subset_informations(task, position, size, measure="kl")
            assert [tuple(row) for row in table.subsets.tolist()] == list(itertools.combinations(range(position), size))
            single = [float(subset_information(task, position, row, measure="kl")) for row in table.subsets.tolist()]
            assert_close(table.informations.value, single, rtol=1e-12, atol=1e-15)

    def test_many_states_take_the_other_route(self, monkeypatch):
        task = trigram(7)
        shared = subset_informations(task, 6, 2).informations.value
        monkeypatch.setattr(subsets_module, "MAX_STATES", 0)
        assert_close(subset_informations(task, 6, 2).informations.value, shared, rtol=1e-12)

    @given(kernel_tasks(max_length=5), st.sampled_from(MEASURES), st.data())
    def test_growing_sets_and_data_processing(self, task, measure, data):
        position = data.draw(st.integers(2, task.length)) if task.length > 1 else 1
        order = data.draw(st.permutations(range(position)))
        values = [float(subset_information(task, position, order[: m + 1], measure=measure)) for m in range(position)]
        assert all(b >= a - 1e-12 for a, b in itertools.pairwise(values))

    @given(kernel_tasks(max_length=5), st.sampled_from(MEASURES))
    def test_sets_of_one_are_pairs(self, task, measure):
        pairs = pairwise_information(task, measure)
        for i in range(1, task.length):
            table = subset_informations(task, i, 1, measure=measure).informations
            assert (np.abs(table.value - pairs.value[i, :i]) <= table.error + pairs.error[i, :i] + 1e-15).all()

    def test_exclusive_or(self):
        task = InContextTask(CausalGraph.ngram(9, 2), PointPrior({2: EXCLUSIVE_OR}))
        assert float(subset_information(task, 8, (6,))) == 0.0
        assert float(subset_information(task, 8, (7,))) == 0.0
        assert float(subset_information(task, 8, (6, 7))) == 1.0
        assert float(subset_information(task, 8, (6, 7), measure="modified_chi2")) == 0.25
        assert float(subset_information(task, 8, (5, 6, 7), measure="modified_chi2")) == 0.25

    def test_best_subset(self):
        task = trigram(9)
        assert best_subset(task, 8, 2) == (6, 7)
        table = subset_informations(task, 8, 2)
        assert table.best == (6, 7)
        assert table.margin > 0.0
        assert table.of((7, 6)) == table.informations.value.max()
        assert "best (6, 7)" in repr(table)
        assert "6, 7" in table._repr_html_()
        with pytest.raises(InvalidArgumentError, match="subset must be one of the 28 sets, got"):
            table.of((8, 1))

    def test_symbols_that_never_occur(self):
        kernel = np.zeros((3, 3, 3))
        kernel[..., 0] = 1.0
        task = InContextTask(CausalGraph.ngram(8, 2), PointPrior({2: kernel}))
        for measure in SUBSET_MEASURES:
            assert float(subset_information(task, 7, (5, 6), measure=measure)) == 0.0

    def test_average_over_draws(self):
        prior = DirichletPrior(3, 1.0)
        graph = CausalGraph.ngram(6, 2)
        found = subset_information(InContextTask(graph, prior), 5, (3, 4), draws=40, rng=3)
        drawn = prior.sample_transitions(40, (2,), np.random.default_rng(3))[2]
        values = [float(subset_information(InContextTask(graph, PointPrior({2: k})), 5, (3, 4))) for k in drawn]
        assert_close(found.value, np.mean(values), rtol=1e-13)
        assert_close(found.error, np.std(values, ddof=1) / np.sqrt(40), rtol=1e-12)
        assert found.method == "monte_carlo"

    @pytest.mark.parametrize(
        ("position", "subset", "message"),
        [
            (0, (0,), "position must be an integer of at least 1"),
            (9, (0,), "position must be at most T = 8, which is the target, got 9"),
            (5, (5,), "subset must hold one or more distinct positions before 5"),
            (5, (1, 1), "subset must hold one or more distinct positions before 5"),
            (5, (), "subset must hold one or more distinct positions before 5"),
            (5, "12", "subset must be a sequence of positions"),
            (5, (-1,), "positions of subset must be an integer of at least 0"),
        ],
    )
    def test_bad_input(self, position, subset, message):
        with pytest.raises(InvalidArgumentError, match=message):
            subset_information(trigram(), position, subset)

    def test_bad_size(self):
        with pytest.raises(InvalidArgumentError, match="size must be at most the position 3, got 4"):
            subset_informations(trigram(), 3, 4)
        with pytest.raises(TooLargeError, match="size must give at most 100000 sets, got 64684950 sets of 4"):
            best_subset(trigram(200), 200, 4)
        with pytest.raises(InvalidArgumentError, match="measure must be one of"):
            subset_information(trigram(), 3, (1,), measure="renyi")


class TestConstruction:
    @settings(max_examples=25)
    @given(kernel_tasks(max_length=5), st.floats(0.001, 1.0), st.integers(0, 1000))
    def test_against_enumeration(self, task, epsilon, seed):
        assume(max(task.graph.in_degrees) == len(task.graph.target_parents))
        A2 = some_matrices(task, seed)
        found = parent_attention_loss(task, A2, epsilon=epsilon)
        kernels = kernel_oracle.exact_kernels(task.prior.transitions)
        expected = kernel_oracle.construction_loss(task.graph, kernels, task.vocab_size, A2.tolist(), epsilon)
        assert_close(found.value, expected, rtol=0.0, atol=1e-12)
        assert abs(float(found) - expected) <= float(found.error)

    @settings(max_examples=20)
    @given(kernel_tasks(max_length=5), st.floats(0.05, 2.0), st.data())
    def test_baselines_against_enumeration(self, task, smoothing, data):
        kernels = kernel_oracle.exact_kernels(task.prior.transitions)
        arguments = (task.graph, kernels, task.vocab_size)
        slots = data.draw(st.lists(st.integers(0, len(task.graph.target_parents) - 1), unique=True))
        for found, expected in (
            (counts_rule_loss(task, smoothing=smoothing, parents=slots), (kernel_oracle.counting_loss, slots)),
            (unigram_loss(task, smoothing=smoothing), (kernel_oracle.token_counting_loss, None)),
        ):
            function, chosen = expected
            value = function(*arguments, smoothing) if chosen is None else function(*arguments, smoothing, chosen)
            assert_close(found.value, value, rtol=0.0, atol=1e-12)
            assert abs(float(found) - value) <= float(found.error)
        assert_close(loss_floor(task).value, kernel_oracle.floor(*arguments), rtol=0.0, atol=1e-13)

    @settings(max_examples=20)
    @given(kernel_tasks(max_length=6, max_parents=3, max_size=2), st.floats(0.02, 1.0), st.integers(0, 1000))
    def test_gradient(self, task, epsilon, seed):
        assume(max(task.graph.in_degrees) == len(task.graph.target_parents))
        A2 = some_matrices(task, seed)
        loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=epsilon)
        assert_close(loss.value, parent_attention_loss(task, A2, epsilon=epsilon).value, rtol=1e-13)
        step = 1e-5
        for place in np.ndindex(*A2.shape):
            shifted = []
            for sign in (1.0, -1.0):
                other = A2.copy()
                other[place] += sign * step
                shifted.append(float(parent_attention_loss(task, other, epsilon=epsilon)))
            assert_close(gradient.value[place], (shifted[0] - shifted[1]) / (2 * step), rtol=1e-6, atol=2e-9)

    @settings(max_examples=30)
    @given(tasks(max_length=8), st.floats(0.01, 1.0), st.integers(0, 1000))
    def test_one_parent_equals_the_forest_engine(self, task, epsilon, seed):
        A2 = some_matrices(task, seed)
        sweep, tensors = prepare_sweep(task, "test"), task.prior.transitions
        loss, gradient = parent_attention_loss_and_gradient(task, A2[0], epsilon=epsilon)
        joined, _ = construction_slopes(sweep, row_windows(A2, sweep, epsilon), epsilon, tensors)
        assert_close(joined, np.append(gradient.value, loss.value), rtol=0.0, atol=1e-12)
        if task.graph.edges:
            counted, _ = counting_loss(sweep, 0.7, (0,), tensors)
            assert_close(counted, counts_rule_loss(task, smoothing=0.7).value, rtol=0.0, atol=1e-12)
        tokens, _ = token_counting_loss(sweep, 0.7, tensors)
        assert_close(tokens, unigram_loss(task, smoothing=0.7).value, rtol=0.0, atol=1e-12)
        assert_close(entropy_at(task, tensors)[0], loss_floor(task).value, rtol=0.0, atol=1e-12)

    @pytest.mark.parametrize("length", [30, 100])
    def test_long_chain_equals_the_forest_engine(self, length):
        task = InContextTask(CausalGraph.chain(length), PointPrior(dirichlet_kernel(4, 1)))
        A2 = some_matrices(task, 1)
        sweep, tensors = prepare_sweep(task, "test"), task.prior.transitions
        joined, _ = construction_slopes(sweep, row_windows(A2, sweep, 1 / length), 1 / length, tensors)
        loss, gradient = parent_attention_loss_and_gradient(task, A2[0], epsilon=1 / length)
        assert_close(joined, np.append(gradient.value, loss.value), rtol=0.0, atol=1e-12)
        counted, _ = counting_loss(sweep, 0.01, (0,), tensors)
        assert_close(counted, counts_rule_loss(task, smoothing=0.01).value, rtol=0.0, atol=1e-12)

    def test_one_matrix_may_come_with_its_axis(self):
        task = InContextTask(CausalGraph.chain(7), PointPrior(dirichlet_kernel(3, 1)))
        A2 = some_matrices(task, 0)
        plain, stacked = (
            parent_attention_gradient(task, A2[0], epsilon=0.1),
            parent_attention_gradient(task, A2, epsilon=0.1),
        )
        assert plain.value.shape == (3, 3)
        assert_close(stacked.value, plain.value[np.newaxis], rtol=0.0)
        ngram = InContextTask(CausalGraph.ngram(7, 1), PointPrior({1: dirichlet_kernel(3, 1)}))
        without = parent_attention_loss(ngram, A2[0], epsilon=0.1)
        assert_close(without.value, parent_attention_loss(ngram, A2, epsilon=0.1).value, rtol=0.0)

    def test_extreme_logits(self):
        """Weights of one position: what is copied is its token."""
        task = trigram(6, 2)
        A2 = 400.0 * np.stack([np.eye(2), np.eye(2)])
        kernels = kernel_oracle.exact_kernels(task.prior.transitions)
        expected = kernel_oracle.construction_loss(task.graph, kernels, 2, A2.tolist(), 0.05)
        assert_close(parent_attention_loss(task, A2, epsilon=0.05).value, expected, rtol=0.0, atol=1e-11)

    def test_long_sequences_do_not_underflow(self):
        task = trigram(1500, 2)
        A2 = 6.0 * np.stack([np.eye(2), np.eye(2)])
        loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=1e-3)
        sampled = parent_attention_loss(task, A2, epsilon=1e-3, method="monte_carlo", samples=2000, rng=0)
        assert abs(float(loss) - float(sampled)) < 4.5 * float(sampled.error)
        assert np.isfinite(gradient.value).all()
        assert float(excess_loss(task, A2, epsilon=1e-3, normalised=True)) > 0.0

    def test_orbit_is_the_mean_over_relabelings(self):
        prior = OrbitPrior({2: dirichlet_kernel(3, 2)})
        graph = CausalGraph.ngram(6, 2)
        task = InContextTask(graph, prior)
        generic = some_matrices(task, 3)
        invariant = np.stack([np.eye(3), 0.3 - 2.0 * np.eye(3)])
        for A2 in (generic, invariant):
            losses, gradients = [], []
            for kernels in prior.relabelings_of((2,)):
                element = InContextTask(graph, PointPrior(kernels))
                loss, gradient = parent_attention_loss_and_gradient(element, A2, epsilon=0.1)
                losses.append(loss.value)
                gradients.append(gradient.value)
            loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=0.1)
            assert_close(loss.value, np.mean(losses), rtol=1e-12)
            assert_close(gradient.value, np.mean(gradients, axis=0), rtol=0.0, atol=1e-13)
            assert loss.method == "exact"
        assert np.std(losses) < 1e-12  # the invariant matrices see no names

    def test_average_over_draws(self):
        prior, graph = DirichletPrior(2, 0.7), CausalGraph.ngram(6, 2)
        A2 = np.stack([np.eye(2), 2.0 * np.eye(2)])
        found = excess_loss(InContextTask(graph, prior), A2, epsilon=0.1, draws=30, rng=5)
        values = []
        for kernel in prior.sample_transitions(30, (2,), np.random.default_rng(5))[2]:
            element = InContextTask(graph, PointPrior({2: kernel}))
            values.append(float(parent_attention_loss(element, A2, epsilon=0.1)) - float(loss_floor(element)))
        assert_close(found.value, np.mean(values), rtol=1e-12)
        assert_close(found.error, np.std(values, ddof=1) / np.sqrt(30), rtol=1e-10)

    @pytest.mark.parametrize("graph", [CausalGraph.ngram(9, 2), CausalGraph([(), (0,), (1, 0), (1, 2), ()], (4, 2))])
    def test_monte_carlo(self, graph):
        kernels = {1: dirichlet_kernel(3, 1, 1), 2: dirichlet_kernel(3, 2, 2)}
        task = InContextTask(graph, PointPrior({k: kernels[k] for k in graph.in_degrees}))
        A2 = some_matrices(task, 1)
        options = {"method": "monte_carlo", "samples": 40_000, "rng": 1}
        loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=0.05)
        drawn_loss, drawn_gradient = parent_attention_loss_and_gradient(task, A2, epsilon=0.05, **options)
        assert abs(float(drawn_loss) - float(loss)) < 4.5 * float(drawn_loss.error)
        assert (np.abs(drawn_gradient.value - gradient.value) < 4.5 * drawn_gradient.error + 1e-15).all()
        for function, settings_of in (
            (loss_floor, {}),
            (unigram_loss, {"smoothing": 0.5}),
            (counts_rule_loss, {"smoothing": 0.5}),
            (counts_rule_loss, {"smoothing": 0.5, "parents": (1,)}),
        ):
            drawn, exact = function(task, **settings_of, **options), function(task, **settings_of)
            assert abs(float(drawn) - float(exact)) < 4.5 * float(drawn.error)
            assert float(drawn.error) > 0.0

    def test_only_positions_with_as_many_parents_as_the_target_count(self):
        kernels = {1: dirichlet_kernel(3, 1, 1), 2: dirichlet_kernel(3, 2, 2)}
        task = InContextTask(CausalGraph([(), (0,), (1, 0), (2,), (3, 1)], (4,)), PointPrior(kernels))
        exact = counts_rule_loss(task, smoothing=0.2)
        drawn = counts_rule_loss(task, smoothing=0.2, method="monte_carlo", samples=40_000, rng=0)
        assert abs(float(drawn) - float(exact)) < 4.5 * float(drawn.error)
        oracle = kernel_oracle.counting_loss(task.graph, kernel_oracle.exact_kernels(kernels), 3, 0.2, (0,))
        assert_close(exact.value, oracle, rtol=0.0, atol=1e-12)

    def test_wide_graph_by_monte_carlo(self):
        task = InContextTask(CausalGraph.binary_tree_and_previous(32), DirichletPrior(5, 0.1))
        A2 = 5.0 * np.stack([np.eye(5), np.eye(5)])
        options = {"method": "monte_carlo", "samples": 4000, "rng": 0}
        with pytest.raises(TooLargeError, match="use method='monte_carlo'"):
            parent_attention_loss(task, A2, epsilon=0.01)
        found = parent_attention_loss(task, A2, epsilon=0.01, **options)
        both, floor = counts_rule_loss(task, smoothing=0.1, **options), loss_floor(task, **options)
        assert float(floor) < float(both) < float(found) < np.log(5)

    @pytest.mark.parametrize(
        ("A2", "message"),
        [
            (
                np.zeros((1, 3, 3)),
                r"A2 must have shape \(2, 3, 3\), one matrix for each of the 2 parents of the target",
            ),
            (np.zeros((2, 3, 2)), r"A2 must have shape \(2, 3, 3\)"),
            (np.full((2, 3, 3), np.nan), "A2 must be finite"),
            (np.zeros((3, 3)), r"with one matrix A2 needs .* at most one parent.* give A2 of shape \(2, 3, 3\)"),
        ],
    )
    @pytest.mark.parametrize("function", [parent_attention_loss, parent_attention_gradient, excess_loss])
    def test_bad_matrices(self, function, A2, message):
        with pytest.raises(InvalidArgumentError, match=message):
            function(trigram(), A2, epsilon=0.1)

    def test_more_parents_than_the_target(self):
        task = InContextTask(CausalGraph([(), (), (0, 1)], (2,)), DirichletPrior(2, 1.0))
        with pytest.raises(InvalidArgumentError, match="the target as many parents as any position, which is 2"):
            parent_attention_loss(task, np.zeros((1, 2, 2)), epsilon=0.1)

    @pytest.mark.parametrize(
        ("parents", "message"),
        [
            ((2,), r"parents must be distinct places from 0 to 1, got \(2,\)"),
            ((0, 0), r"parents must be distinct places from 0 to 1, got \(0, 0\)"),
            ("0", "parents must be places in target_parents, got '0'"),
            (1, "parents must be places in target_parents, got 1"),
        ],
    )
    def test_bad_places(self, parents, message):
        with pytest.raises(InvalidArgumentError, match=message):
            counts_rule_loss(trigram(), smoothing=1.0, parents=parents)

    def test_bad_method(self):
        with pytest.raises(InvalidArgumentError, match="method must be one of 'exact', 'monte_carlo', got 'enumerate'"):
            loss_floor(trigram(), method="enumerate")


def test_learning_curve_of_two_heads():
    """The excess of the best multiple falls with the length, as for one parent."""
    prior = PointPrior({2: dirichlet_kernel(2, 2, 3)})
    curve = learning_curve(lambda length: InContextTask(CausalGraph.ngram(length, 2), prior), [40, 80, 160, 320])
    assert (np.diff(curve.normalised_excess) < 0.0).all()
    assert (curve.normalised_excess > 0.0).all()
    task = InContextTask(CausalGraph.ngram(80, 2), prior)
    both = curve.multiples[1] * np.stack([np.eye(2), np.eye(2)])
    assert_close(parent_attention_loss(task, both, epsilon=1 / 80).value, curve.losses[1], rtol=1e-14)


def test_states_of_probability_zero():
    """A query that cannot occur contributes nothing, not NaN."""
    kernel = np.zeros((2, 2, 2))
    kernel[..., 0] = 1.0
    task = InContextTask(CausalGraph.ngram(7, 2), PointPrior({2: kernel}))
    loss, gradient = parent_attention_loss_and_gradient(task, np.zeros((2, 2, 2)), epsilon=0.1)
    expected = kernel_oracle.construction_loss(task.graph, {2: kernel.tolist()}, 2, np.zeros((2, 2, 2)).tolist(), 0.1)
    assert_close(loss.value, expected, rtol=0.0, atol=1e-12)
    assert np.isfinite(gradient.value).all()
    sweep = prepare_sweep(task, "x")
    assert construction_loss(sweep, row_windows(np.zeros((2, 2, 2)), sweep, 0.1), 0.1, {2: kernel})[1] < 1e-10
