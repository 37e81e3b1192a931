"""Arguments of the wrong kind or in the wrong order: what is said, and that errors of other origin pass unchanged."""

import re

import numpy as np
import pytest

import causal_theory as ct
from causal_theory.errors import CallError, InvalidArgumentError, TaskError, TransitionError
from causal_theory.floats import default_floats
from causal_theory.mistakes import mistake
from causal_theory.priors import Prior

MATRIX = [[0.2, 0.8], [0.8, 0.2]]
GRAPH, PRIOR = ct.CausalGraph.chain(5), ct.OrbitPrior(MATRIX)
TASK = ct.InContextTask(GRAPH, PRIOR)
SCORES = ct.edge_scores(TASK, epsilon=0.1)
A1, A2 = np.zeros((5, 5)), np.eye(2)

NO_TASK = "task must be an InContextTask, got CausalGraph; InContextTask(graph, prior) makes one"


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: ct.edge_scores(GRAPH), TaskError, NO_TASK),
        (lambda: ct.edge_scores(GRAPH, epsilon=0.1), TaskError, NO_TASK),
        (
            lambda: ct.edge_scores(PRIOR, epsilon=0.1),
            TaskError,
            "got OrbitPrior; InContextTask(graph, prior)",
        ),
        (lambda: ct.edge_scores(task=GRAPH, epsilon=0.1), TaskError, NO_TASK),
        (lambda: ct.limit_edge_scores(GRAPH), TaskError, NO_TASK),
        (lambda: ct.edge_verdict(GRAPH, epsilon=0.1), TaskError, NO_TASK),
        (lambda: ct.pairwise_information(GRAPH), TaskError, NO_TASK),
        (lambda: ct.population_loss(GRAPH, A1, A2, epsilon=0.1), TaskError, NO_TASK),
        (lambda: ct.train_population(GRAPH, epsilon=0.1), TaskError, NO_TASK),
        (lambda: ct.loss_floor(GRAPH), TaskError, NO_TASK),
        (lambda: ct.edge_scores(0.1, TASK), TaskError, "got float; the task comes first, edge_scores(task, ...)"),
        (
            lambda: ct.edge_scores(TASK, 0.1),
            CallError,
            "edge_scores must get epsilon by name, edge_scores(task, epsilon=...), got 2 positional arguments",
        ),
        (
            lambda: ct.population_loss(TASK, A1, A2, 0.1),
            InvalidArgumentError,
            "must get epsilon by name, population_loss(task, A1, A2, epsilon=...), got 4 positional arguments",
        ),
        (
            lambda: ct.limit_edge_scores(TASK, 0.1),
            InvalidArgumentError,
            "must get epsilon, draws, rng by name",
        ),
        (
            lambda: ct.InContextTask(PRIOR, GRAPH),
            TaskError,
            "got OrbitPrior; the graph comes first",
        ),
        (lambda: ct.InContextTask([-1, 0], PRIOR), TaskError, "got list; CausalGraph.from_parents(parents) makes one"),
        (
            lambda: ct.InContextTask(GRAPH, MATRIX),
            TaskError,
            "got list; PointPrior(matrix) and OrbitPrior",
        ),
        (lambda: ct.PointPrior(GRAPH), TransitionError, "got CausalGraph; the graph stands beside the prior"),
        (lambda: ct.OrbitPrior(TASK), TransitionError, "InContextTask(graph, OrbitPrior(matrix))"),
        (lambda: ct.PointPrior(PRIOR), TransitionError, "transition must be a matrix (S, S), got OrbitPrior"),
        (lambda: ct.EdgeReport(GRAPH, SCORES), InvalidArgumentError, "scores must be a square matrix, got CausalGraph"),
        (lambda: ct.EdgeReport(SCORES, TASK), InvalidArgumentError, "got InContextTask; its graph is task.graph"),
        (lambda: ct.recover_graph(TASK), InvalidArgumentError, "edge_scores(task, epsilon=...) makes one"),
        (
            lambda: ct.first_order_gradient(TASK, A1, 0.1),
            InvalidArgumentError,
            "scores must be a matrix (T, T), got",
        ),
    ],
)
def test_says_what_to_do(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: ct.edge_scores(epsilon=0.1),
        lambda: ct.edge_scores(TASK, epsilon=0.1, foo=1),
        lambda: ct.edge_scores(TASK),
    ],
)
def test_what_python_says_well_stays(call):
    with pytest.raises(TypeError, match="edge_scores"):
        call()


def test_errors_of_a_prior_of_ones_own_pass():
    class Broken(Prior):
        vocab_size = 2
        mean = np.full((2, 2), 0.5)

        def sample(self, size, rng=None):
            return None + size

    task = ct.InContextTask(GRAPH, Broken())
    with pytest.raises(TypeError, match="unsupported operand"):
        ct.edge_scores(task, epsilon=0.1)


def test_the_original_error_is_the_cause():
    with pytest.raises(TaskError) as caught:
        ct.edge_scores(GRAPH, epsilon=0.1)
    assert isinstance(caught.value.__cause__, AttributeError)


def test_methods_do_not_count_themselves():
    class Thing:
        @default_floats
        def measure(self, size, *, unit):
            return size, unit

    message = r"measure must get unit by name, measure\(size, unit=...\), got 2 positional"
    with pytest.raises(InvalidArgumentError, match=message):
        Thing().measure(1, "m")


def test_a_task_in_place_of_a_graph():
    def draw(graph, *, width=1): ...

    assert "its graph is task.graph" in str(mistake(draw, (TASK,), {}))
    assert mistake(draw, (GRAPH,), {}) is None
