"""Priors and tasks with several parents: transition tensors for every number of parents, and samples."""

import itertools
import pickle

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    pairwise_joint,
    population_loss,
)
from causal_theory.errors import InvalidArgumentError, TaskError, TransitionError
from causal_theory.token_laws import joint_law
from tests.test_several_parents import EXCLUSIVE_OR, dirichlet_kernel, trigram

from .helpers import assert_close


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
