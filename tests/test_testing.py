"""The strategies that ship with the package: what they promise, and that the hard cases do occur."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from causal_theory import CausalGraph, DirichletPrior, OrbitPrior, PointPrior
from causal_theory.chains import closed_classes
from causal_theory.testing import attention_matrices, forests, tasks, transition_matrices


@given(graph=forests(min_length=3, max_length=9))
def test_forests(graph):
    assert isinstance(graph, CausalGraph)
    assert graph.is_forest
    assert graph.has_query
    assert 3 <= graph.length <= 9


@given(matrix=transition_matrices(max_size=5))
def test_matrices_are_exact_and_have_one_stationary_law(matrix):
    """Rows sum to one in rational arithmetic, so that an oracle in Fractions sees the same matrix."""
    assert all(sum(map(Fraction, row)) == 1 for row in matrix.tolist())
    assert (matrix.sum(axis=1) == 1.0).all()
    assert len(closed_classes(matrix)) == 1


@given(matrix=transition_matrices(zeros=False, near_deterministic=False, min_size=3, max_size=3))
def test_gentle_matrices(matrix):
    assert matrix.shape == (3, 3)
    assert matrix.min() > 1e-3


@given(data=st.data(), size=st.integers(1, 4), magnitude=st.sampled_from([0.5, 100.0]))
def test_attention(data, size, magnitude):
    matrix = data.draw(attention_matrices(size, magnitude=magnitude))
    assert matrix.shape == (size, size)
    assert matrix.dtype == np.float64
    assert np.abs(matrix).max() <= magnitude


@given(task=tasks(max_length=5, max_size=4, priors=("orbit", "dirichlet"), root_laws=("uniform",)))
def test_tasks(task):
    assert 2 <= task.length <= 5
    assert 2 <= task.vocab_size <= 4
    assert task.root_law == "uniform"
    assert isinstance(task.prior, OrbitPrior | DirichletPrior)


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        (forests(), lambda graph: not graph.edges and graph.length == 2),
        (forests(), lambda graph: len(graph.roots) > 3 and len(graph.edges) > 1),
        (transition_matrices(), lambda matrix: (matrix == 0.0).any()),
        (transition_matrices(), lambda matrix: 0.0 < matrix[0].min() < 1e-9 and matrix[0].max() > 0.99),
        (transition_matrices(), lambda matrix: len(matrix) > len(closed_classes(matrix)[0])),
        (transition_matrices(unique_stationary=False), lambda matrix: len(closed_classes(matrix)) > 1),
        (tasks(), lambda task: task.root_law == "stationary" and isinstance(task.prior, PointPrior)),
        (tasks(priors=("point", "dirichlet")), lambda task: isinstance(task.prior, DirichletPrior)),
    ],
    ids=[
        "smallest graph",
        "several trees",
        "zeros",
        "near-deterministic row",
        "transient symbols",
        "several closed classes",
        "stationary roots",
        "dirichlet",
    ],
)
def test_hard_cases_occur(strategy, wanted):
    assert wanted(find(strategy, wanted))
