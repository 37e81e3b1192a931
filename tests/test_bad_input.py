"""Bad input to the public functions: an error of the package that is a ValueError and names argument and requirement.

Graphs, chains, priors, tasks, files and the command line have tables of their own next to their other tests.
"""

from functools import partial

import numpy as np
import pytest

import causal_theory
from causal_theory import (
    CausalGraph,
    CausalTheoryError,
    DirichletPrior,
    EdgeReport,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    edge_scores,
    first_order_gradient,
    limit_edge_scores,
    pairwise_information,
    pairwise_joint,
    population_gradient,
    population_loss,
    recover_graph,
)
from causal_theory.errors import GraphError, InvalidArgumentError, TaskError, TooLargeError, TransitionError
from causal_theory.testing import attention_matrices, forests, tasks, transition_matrices

MATRIX = [[0.25, 0.75], [0.5, 0.5]]
TASK = InContextTask(CausalGraph.chain(4), PointPrior(MATRIX))
DIRICHLET = InContextTask(CausalGraph.chain(4), DirichletPrior(3, 1.0))
TWO_PARENTS = InContextTask(CausalGraph.from_parents([-1, -1, (0, 1)]), PointPrior(MATRIX))
NO_QUERY = InContextTask(CausalGraph([(), (0,), (1,), (2,)]), PointPrior(MATRIX))
OTHER_TARGET = InContextTask(CausalGraph.from_parents([-1, 0, 1], target_parents=(2,)), PointPrior(MATRIX))
UNIFORM = InContextTask(CausalGraph.chain(4), PointPrior(MATRIX), "uniform")
A1, A2 = np.zeros((4, 4)), np.eye(2)
NAN = [[0.0, np.nan], [0.0, 0.0]]

SEVERAL = r"{} needs a graph in which every position has at most one parent; position 2 has the parents \(0, 1\)"
QUERY = r"{} needs an independent query: .*position 3 has the parents \(2,\)"
TARGET = r"{} needs an independent query: .*target_parents is \(2,\)"
POSITIVE = "epsilon must be a finite number greater than 0, got "


def refused(call, error, message):
    """The call fails with exactly this class, which is a ValueError of the package, and this message."""
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, CausalTheoryError)
    assert type(caught.value) is error


WITH_EPSILON = {
    "edge_scores": edge_scores,
    "edge_scores by enumeration": partial(edge_scores, method="enumerate"),
    "population_loss": partial(population_loss, A1=A1, A2=A2),
    "population_gradient": partial(population_gradient, A1=A1, A2=A2),
    "population_loss by sampling": partial(population_loss, A1=A1, A2=A2, method="monte_carlo"),
}
"""Functions that need epsilon, a forest and an independent query; the first word is the name in the message."""


class TestEverywhere:
    """The same requirement in every function that takes the argument."""

    @pytest.mark.parametrize("epsilon", [0.0, -1e-3, np.nan, np.inf, "small", None])
    @pytest.mark.parametrize("name", list(WITH_EPSILON))
    def test_epsilon(self, name, epsilon):
        refused(lambda: WITH_EPSILON[name](TASK, epsilon=epsilon), InvalidArgumentError, POSITIVE)

    @pytest.mark.parametrize("name", list(WITH_EPSILON))
    def test_several_parents(self, name):
        message = SEVERAL.format(name.split()[0])
        refused(lambda: WITH_EPSILON[name](TWO_PARENTS, epsilon=0.1), TaskError, message)

    @pytest.mark.parametrize("name", list(WITH_EPSILON))
    @pytest.mark.parametrize(("task", "message"), [(NO_QUERY, QUERY), (OTHER_TARGET, TARGET)])
    def test_no_independent_query(self, name, task, message):
        refused(lambda: WITH_EPSILON[name](task, epsilon=0.1), TaskError, message.format(name.split()[0]))

    @pytest.mark.parametrize("name", ["pairwise_information", "pairwise_joint", "limit_edge_scores"])
    def test_several_parents_without_epsilon(self, name):
        function = getattr(causal_theory, name)
        refused(lambda: function(TWO_PARENTS), TaskError, SEVERAL.format(name))

    @pytest.mark.parametrize("function", [population_loss, population_gradient])
    @pytest.mark.parametrize(
        ("first", "second", "message"),
        [
            (np.zeros((4, 3)), A2, r"A1 must have shape \(4, 4\), got shape \(4, 3\)"),
            (np.zeros((3, 3)), A2, r"A1 must have shape \(4, 4\), got shape \(3, 3\)"),
            (np.zeros(16), A2, r"A1 must have shape \(4, 4\), got shape \(16,\)"),
            ("A", A2, "A1 must be an array of real numbers"),
            (np.full((4, 4), np.nan), A2, r"A1 must be finite, got nan at \(0, 0\)"),
            (A1, np.eye(3), r"A2 must have shape \(2, 2\), got shape \(3, 3\)"),
            (A1, np.zeros((2, 3)), r"A2 must have shape \(2, 2\), got shape \(2, 3\)"),
            (A1, NAN, r"A2 must be finite, got nan at \(0, 1\)"),
            (A1, [[0.0, -np.inf], [0.0, 0.0]], r"A2 must be finite, got -inf at \(0, 1\)"),
        ],
    )
    def test_parameters(self, function, first, second, message):
        refused(lambda: function(TASK, first, second, epsilon=0.1), InvalidArgumentError, message)

    @pytest.mark.parametrize(
        ("name", "options", "message"),
        [
            ("edge_scores", {"method": "exact"}, "method must be one of 'transform', 'enumerate', got 'exact'"),
            ("edge_scores", {"method": None}, "method must be one of 'transform', 'enumerate', got None"),
            ("population_loss", {"method": "exact"}, "method must be one of 'auto', 'enumerate', 'monte_carlo', got"),
            (
                "population_gradient",
                {"method": "transform"},
                "method must be one of 'auto', 'enumerate', 'monte_carlo'",
            ),
        ],
    )
    def test_method(self, name, options, message):
        refused(lambda: WITH_EPSILON[name](TASK, epsilon=0.1, **options), InvalidArgumentError, message)

    @pytest.mark.parametrize("samples", [1, 0, -5, 2.5, "many", True])
    @pytest.mark.parametrize("function", [population_loss, population_gradient])
    def test_samples(self, function, samples):
        refused(
            lambda: function(TASK, A1, A2, epsilon=0.1, method="monte_carlo", samples=samples),
            InvalidArgumentError,
            "samples must be an integer of at least 2, got ",
        )

    @pytest.mark.parametrize("draws", [1, 0, 3.0])
    @pytest.mark.parametrize(
        "call",
        [
            lambda draws: edge_scores(DIRICHLET, epsilon=0.1, draws=draws),
            lambda draws: limit_edge_scores(DIRICHLET, draws=draws),
            lambda draws: pairwise_information(DIRICHLET, draws=draws),
            lambda draws: pairwise_joint(DIRICHLET, draws=draws),
            lambda draws: population_loss(DIRICHLET, A1, np.eye(3), epsilon=0.1, method="enumerate", draws=draws),
        ],
        ids=["scores", "limit", "information", "joint", "loss"],
    )
    def test_draws(self, call, draws):
        refused(lambda: call(draws), InvalidArgumentError, "draws must be an integer of at least 2, got ")

    @pytest.mark.parametrize(
        "call",
        [
            lambda rng: edge_scores(DIRICHLET, epsilon=0.1, rng=rng),
            lambda rng: limit_edge_scores(DIRICHLET, rng=rng),
            lambda rng: pairwise_information(DIRICHLET, rng=rng),
            lambda rng: population_loss(TASK, A1, A2, epsilon=0.1, method="monte_carlo", rng=rng),
            lambda rng: TASK.sample(3, rng),
        ],
        ids=["scores", "limit", "information", "loss", "sample"],
    )
    def test_seed(self, call):
        refused(lambda: call("seed"), InvalidArgumentError, "rng must be a seed or a numpy Generator, got 'seed'")

    def test_options_are_keyword_only(self):
        """A positional epsilon would be easy to confuse."""
        for call in (
            lambda: edge_scores(TASK, 0.1),
            lambda: limit_edge_scores(TASK, 0.1),
            lambda: population_loss(TASK, A1, A2, 0.1),
            lambda: pairwise_information(TASK, "chi2", 10),
        ):
            with pytest.raises(TypeError, match="positional argument"):
                call()


TABLE = {
    "parents that are not earlier": (
        lambda: CausalGraph.from_parents([-1, 1]),
        GraphError,
        r"parents of position 1 must be earlier positions \(0 to 0\), got 1",
    ),
    "parents from the future": (lambda: CausalGraph.from_parents([-1, 2, -1]), GraphError, "position 1 .* got 2"),
    "a chain of one": (lambda: CausalGraph.chain(1), InvalidArgumentError, "length must be an integer of at least 2"),
    "rows that do not sum to 1": (
        lambda: PointPrior([[0.5, 0.4], [0.5, 0.5]]),
        TransitionError,
        "transition must have rows that sum to 1 within 1e-10",
    ),
    "negative entries": (
        lambda: OrbitPrior([[1.5, -0.5], [0.5, 0.5]]),
        TransitionError,
        r"at least 0, got -0.5 at \(0, 1\)",
    ),
    "nan entries": (lambda: PointPrior([[np.nan, 1.0], [0.5, 0.5]]), TransitionError, r"got nan at \(0, 0\)"),
    "several closed classes": (
        lambda: InContextTask(CausalGraph.chain(3), PointPrior(np.eye(2))),
        TransitionError,
        r"2 closed classes of symbols: \[0\], \[1\]",
    ),
    "unknown measure": (
        lambda: pairwise_information(TASK, "mutual"),
        InvalidArgumentError,
        "measure must be one of 'chi2', 'kl', 'tv', 'hellinger', got 'mutual'",
    ),
    "no measure": (
        lambda: pairwise_information(TASK, None),
        InvalidArgumentError,
        "measure must be one of .*, got None",
    ),
    "joint laws too large": (
        lambda: pairwise_joint(InContextTask(CausalGraph.chain(12_000), PointPrior(MATRIX))),
        TooLargeError,
        r"at most 536870912 entries T\^2 S\^2 for pairwise_joint, got 576000000; pairwise_information does not need",
    ),
    "limit with negative epsilon": (
        lambda: limit_edge_scores(TASK, epsilon=-0.1),
        InvalidArgumentError,
        "epsilon must be a finite number of at least 0, got -0.1",
    ),
    "limit with nan": (
        lambda: limit_edge_scores(TASK, epsilon=np.nan),
        InvalidArgumentError,
        "epsilon must be a finite number of at least 0, got nan",
    ),
    "limit with text": (
        lambda: limit_edge_scores(TASK, epsilon="0"),
        InvalidArgumentError,
        "epsilon must be a finite number of at least 0, got '0'",
    ),
    "limit with uniform roots": (
        lambda: limit_edge_scores(UNIFORM),
        TaskError,
        "task must have root_law='stationary' for limit_edge_scores, got 'uniform'",
    ),
    "limit without a query": (lambda: limit_edge_scores(NO_QUERY), TaskError, QUERY.format("limit_edge_scores")),
    "scores that are no matrix": (
        lambda: recover_graph(np.zeros(4)),
        InvalidArgumentError,
        r"scores must be a square matrix of size at least 2, got shape \(4,\)",
    ),
    "a single score": (lambda: recover_graph([[1.0]]), InvalidArgumentError, r"size at least 2, got shape \(1, 1\)"),
    "scores that are not square": (
        lambda: recover_graph(np.zeros((3, 4))),
        InvalidArgumentError,
        r"scores must have shape \(3, 3\), got shape \(3, 4\)",
    ),
    "nan scores": (
        lambda: recover_graph([[0.0, 0.0], [np.nan, 0.0]]),
        InvalidArgumentError,
        r"scores must be finite, got nan at \(1, 0\)",
    ),
    "a report of another size": (
        lambda: EdgeReport(np.zeros((3, 3)), CausalGraph.chain(4)),
        InvalidArgumentError,
        r"scores must have the size of the graph, 4, got shape \(3, 3\)",
    ),
    "gradient of vectors": (
        lambda: first_order_gradient(np.zeros(3), np.zeros((3, 3)), 0.1),
        InvalidArgumentError,
        r"scores must have shape .*, got shape \(3,\)",
    ),
    "gradient of two sizes": (
        lambda: first_order_gradient(np.zeros((3, 3)), np.zeros((4, 4)), 0.1),
        InvalidArgumentError,
        r"A1 must have shape \(3, 3\), got shape \(4, 4\)",
    ),
    "beta0 of zero": (
        lambda: first_order_gradient(np.zeros((3, 3)), np.zeros((3, 3)), 0.0),
        InvalidArgumentError,
        "beta0 must be a finite number greater than 0, got 0.0",
    ),
    "a model with a flat A1": (
        lambda: ReducedTransformer(np.zeros(4), A2, 0.1),
        InvalidArgumentError,
        r"A1 must be a square matrix of size at least 2, got shape \(4,\)",
    ),
    "a model with a non-square A1": (
        lambda: ReducedTransformer(np.zeros((4, 3)), A2, 0.1),
        InvalidArgumentError,
        r"A1 must have shape \(4, 4\), got shape \(4, 3\)",
    ),
    "a model with a non-square A2": (
        lambda: ReducedTransformer(A1, np.zeros((3, 2)), 0.1),
        InvalidArgumentError,
        r"A2 must have shape \(3, 3\), got shape \(3, 2\)",
    ),
    "a model of one symbol": (
        lambda: ReducedTransformer(A1, np.zeros((1, 1)), 0.1),
        InvalidArgumentError,
        r"A2 must be a square matrix of size at least 2, got shape \(1, 1\)",
    ),
    "a model with epsilon 0": (lambda: ReducedTransformer(A1, A2, 0.0), InvalidArgumentError, POSITIVE + "0.0"),
    "tokens as floats": (
        lambda: ReducedTransformer(A1, A2, 0.1).forward(np.zeros((5, 4))),
        InvalidArgumentError,
        r"tokens must be integers of shape \(n, 4\), got float64 of shape \(5, 4\)",
    ),
    "tokens of another length": (
        lambda: ReducedTransformer(A1, A2, 0.1).forward(np.zeros((5, 3), dtype=int)),
        InvalidArgumentError,
        r"tokens must be integers of shape \(n, 4\), got int64 of shape \(5, 3\)",
    ),
    "one sequence without a batch": (
        lambda: ReducedTransformer(A1, A2, 0.1).forward(np.zeros(4, dtype=int)),
        InvalidArgumentError,
        r"got int64 of shape \(4,\)",
    ),
    "an empty batch": (
        lambda: ReducedTransformer(A1, A2, 0.1).forward(np.zeros((0, 4), dtype=int)),
        InvalidArgumentError,
        r"tokens must hold at least one sequence of symbols 0\.\.1",
    ),
    "symbols out of range": (
        lambda: ReducedTransformer(A1, A2, 0.1).forward([[0, 1, 2, 0]]),
        InvalidArgumentError,
        r"symbols 0\.\.1",
    ),
    "negative symbols": (
        lambda: ReducedTransformer(A1, A2, 0.1).forward([[0, 1, -1, 0]]),
        InvalidArgumentError,
        r"symbols 0\.\.1",
    ),
    "targets of another size": (
        lambda: ReducedTransformer(A1, A2, 0.1).loss([[0, 1, 1, 0]], [[0.5, 0.25, 0.25]]),
        InvalidArgumentError,
        r"targets must have shape \(1, 2\), got shape \(1, 3\)",
    ),
    "targets for another batch": (
        lambda: ReducedTransformer(A1, A2, 0.1).gradient([[0, 1, 1, 0]], np.full((2, 2), 0.5)),
        InvalidArgumentError,
        r"targets must have shape \(1, 2\), got shape \(2, 2\)",
    ),
    "nan targets": (
        lambda: ReducedTransformer(A1, A2, 0.1).loss([[0, 1, 1, 0]], [[np.nan, 1.0]]),
        InvalidArgumentError,
        r"targets must be finite, got nan at \(0, 0\)",
    ),
    "forests of one position": (
        lambda: forests(min_length=1),
        InvalidArgumentError,
        "min_length must be an integer of at least 2, got 1",
    ),
    "forests of no length": (
        lambda: forests(min_length=5, max_length=4),
        InvalidArgumentError,
        "max_length must be an integer of at least 5, got 4",
    ),
    "matrices of one symbol": (
        lambda: transition_matrices(min_size=1),
        InvalidArgumentError,
        "min_size must be an integer of at least 2, got 1",
    ),
    "tasks with an unknown prior": (
        lambda: tasks(priors=["normal"]),
        InvalidArgumentError,
        "priors must be one of 'point', 'orbit', 'dirichlet', got 'normal'",
    ),
    "tasks with a name for a list": (
        lambda: tasks(root_laws="uniform"),
        InvalidArgumentError,
        "root_laws must be a sequence of at least one name, got 'uniform'",
    ),
    "tasks without priors": (lambda: tasks(priors=()), InvalidArgumentError, r"priors must be a sequence .*, got \(\)"),
    "tasks of one token": (
        lambda: tasks(max_length=1),
        InvalidArgumentError,
        "max_length must be an integer of at least 2, got 1",
    ),
    "empty attention": (
        lambda: attention_matrices(0),
        InvalidArgumentError,
        "size must be an integer of at least 1, got 0",
    ),
    "attention without magnitude": (
        lambda: attention_matrices(3, magnitude=0.0),
        InvalidArgumentError,
        "magnitude must be a finite number greater than 0, got 0.0",
    ),
}


@pytest.mark.parametrize("name", list(TABLE))
def test_refused(name):
    refused(*TABLE[name])


def test_accepted_counterparts():
    """Each refused call of the tables differs in one detail from one that works."""
    assert edge_scores(TASK, epsilon=1e-300).method == "exact"
    assert limit_edge_scores(TASK, epsilon=0).value.shape == (4, 4)
    assert pairwise_information(NO_QUERY).value.shape == (4, 4)
    assert pairwise_joint(NO_QUERY).value.shape == (4, 4, 2, 2)
    assert recover_graph([[0.0, np.nan], [1.0, 0.0]]).tolist() == [-1, 0]
    assert ReducedTransformer(A1, A2, 0.1).loss([[0, 1, 1, 0]], [[0.5, 0.5]]) > 0.0
