"""A prior, a graph family and a model from outside the package: every public function and display."""

import inspect
import json

import matplotlib as mpl
import numpy as np
import pytest

import causal_theory as ct
from causal_theory import dynamics, falsification, plotting
from causal_theory.errors import InvalidArgumentError
from tests import oracles
from tests.helpers import assert_close
from tests.test_notebook import check, words

from .comb_graph import comb
from .mixture_prior import Mixture
from .small_model import Small

mpl.use("agg")

LENGTH, SYMBOLS, EPSILON = 5, 3, 0.1
ADDRESS = {
    "prior": f"{Mixture.__module__}:Mixture",
    "graph": f"{comb.__module__}:comb",
    "model": f"{Small.__module__}:Small",
}
GRAPH = ct.CausalGraph.from_parents(comb(LENGTH))
TASK = ct.InContextTask(GRAPH, Mixture(SYMBOLS))
DRAWS = {"draws": 3, "rng": 2}
MATRICES = TASK.prior.sample(3, np.random.default_rng(2))
POINTS = [ct.InContextTask(GRAPH, ct.PointPrior(pi)) for pi in MATRICES]
A1, A2 = np.diag(np.arange(LENGTH) / 10.0), 2.0 * np.eye(SYMBOLS)
SHORT = {"steps": 8, "batch_size": 16, "learning_rate": 0.5, "test_size": 32, "rng": 3, "progress": False}

AVERAGES = {
    "counts_rule_loss": lambda task, **over: ct.counts_rule_loss(task, smoothing=0.5, **over),
    "edge_scores": lambda task, **over: ct.edge_scores(task, epsilon=EPSILON, **over),
    "edge_scores_on": lambda task, **over: ct.edge_scores_on(None, task, epsilon=EPSILON, **over),
    "excess_loss": lambda task, **over: ct.excess_loss(task, A2, epsilon=EPSILON, **over),
    "limit_edge_scores": lambda task, **over: ct.limit_edge_scores(task, epsilon=EPSILON, **over),
    "loss_floor": ct.loss_floor,
    "pairwise_information": ct.pairwise_information,
    "pairwise_joint": ct.pairwise_joint,
    "parent_attention_gradient": lambda task, **over: ct.parent_attention_gradient(task, A2, epsilon=EPSILON, **over),
    "parent_attention_loss": lambda task, **over: ct.parent_attention_loss(task, A2, epsilon=EPSILON, **over),
    "population_gradient": lambda task, **over: (
        ct.population_gradient(task, A1, A2, epsilon=EPSILON, method="enumerate", **over).A1
    ),
    "population_loss": lambda task, **over: ct.population_loss(
        task, A1, A2, epsilon=EPSILON, method="enumerate", **over
    ),
    "subset_information": lambda task, **over: ct.subset_information(task, 3, (0, 1), **over),
    "subset_informations": lambda task, **over: ct.subset_informations(task, 3, 2, **over).informations,
    "unigram_loss": lambda task, **over: ct.unigram_loss(task, smoothing=0.5, **over),
}
"""Functions that give an expectation over the prior: their value is the mean over the very draws."""

WITHOUT = {
    "CausalTheoryError",
    "Certificate",
    "DirichletPrior",
    "DisentangledTransformer",
    "Estimate",
    "Gradient",
    "GradientAgreement",
    "LearningCurve",
    "OrbitPrior",
    "PointPrior",
    "PopulationRun",
    "PredictionError",
    "ReducedTransformer",
    "Stage1",
    "Stage2",
    "StandardTransformer",
    "SubsetInformations",
    "TrainingSettings",
    "first_order_gradient",
    "read_graph",
    "recover_graph",
    "stationary_distribution",
    "verify_certificate",
    "warm_up",
}
"""What takes no task, prior, graph or model, and what functions return: nobody calls it with one of his own."""

TAKEN = {"task", "task_family", "prior", "graph", "graph_family", "model", "kind", "families"}
"""Names of parameters that take one."""


class TestFunctions:
    """Every public function with a task, or a part of one, from outside; one test each, named like the function."""

    @pytest.mark.parametrize("name", AVERAGES)
    def test_averages(self, name):
        found = AVERAGES[name](TASK, **DRAWS)
        values = [AVERAGES[name](point).value for point in POINTS]
        assert found.method == "monte_carlo"
        # Different order of the same sums.
        assert_close(found.value, np.mean(values, axis=0), rtol=1e-11, atol=1e-14)
        assert_close(found.error, np.std(values, axis=0, ddof=1) / np.sqrt(3), rtol=1e-7, atol=1e-12)

    def test_edge_scores_of_enumerated_sequences(self):
        """The formula, sequence by sequence."""
        parents = oracles.context_parents(GRAPH)
        truth = [
            oracles.to_array(oracles.scores(parents, pi.tolist(), oracles.stationary(pi.tolist()), EPSILON))
            for pi in MATRICES
        ]
        found = ct.edge_scores(TASK, epsilon=EPSILON, **DRAWS).value
        assert_close(found, np.tril(np.mean(truth, axis=0)), rtol=1e-11, atol=1e-14)

    def test_CausalGraph(self):
        assert GRAPH.parents == ((), (0,), (0,), (1,), ())

    def test_InContextTask(self):
        sample = TASK.sample(50, 1)
        assert sample.tokens.shape == (50, LENGTH)
        assert_close(sample.targets.sum(axis=1), np.ones(50), rtol=1e-14)

    def test_TaskSpec(self):
        spec = ct.TaskSpec(
            graph=ADDRESS["graph"], length=LENGTH, prior=ADDRESS["prior"], symbols=SYMBOLS, prior_options={"share": 0.2}
        )
        task = ct.TaskSpec.from_dict(json.loads(json.dumps(spec.to_dict()))).build()
        assert task.graph == GRAPH
        assert (task.prior.symbols, task.prior.concentration, task.prior.share) == (SYMBOLS, 0.5, 0.2)

    def test_ModelSpec(self):
        model = ct.ModelSpec(kind=ADDRESS["model"], scale=0.1).build(TASK, 7)
        assert np.array_equal(model.parameters, Small(LENGTH, SYMBOLS, 0.1, 7).parameters)

    def test_EdgeReport(self):
        report = ct.EdgeReport(ct.edge_scores(TASK, epsilon=EPSILON, draws=200, rng=0), GRAPH)
        assert report.children_recovered

    def test_EdgeVerdict(self):
        found = ct.edge_verdict(TASK, epsilon=EPSILON, draws=200, rng=0)
        assert isinstance(found, ct.EdgeVerdict)
        assert found.parent.tolist() == GRAPH.parent_array.tolist()

    def test_edge_verdict(self):
        found = ct.edge_verdict(TASK, epsilon=EPSILON, draws=200, rng=0)
        report = ct.EdgeReport(ct.edge_scores(TASK, epsilon=EPSILON, draws=200, rng=0), GRAPH)
        children = found.parent >= 0
        assert found.margin[children].tolist() == report.margin[children].tolist()

    def test_TrainingRun(self):
        run = ct.train_sgd(TASK, Small(LENGTH, SYMBOLS), **SHORT)
        assert isinstance(run, ct.TrainingRun)
        assert run.attention_on_parents[0, 1] == 1.0

    def test_best_subset(self):
        values = ct.subset_informations(TASK, 3, 1, **DRAWS)
        best = values.subsets[int(values.informations.value.argmax())]
        assert ct.best_subset(TASK, 3, 1, **DRAWS) == tuple(best) == (1,)

    def test_certify_edge_scores(self):
        matrix = [["1/5", "4/5"], ["3/4", "1/4"]]
        proof = ct.certify_edge_scores(GRAPH, matrix, "1/10")
        scores = ct.edge_scores(ct.InContextTask(GRAPH, ct.PointPrior([[0.2, 0.8], [0.75, 0.25]])), epsilon=0.1)
        for i, row in enumerate(proof.scores):
            assert_close(np.array(row, dtype=float), scores.value[i, : i + 1], rtol=1e-12, atol=1e-15)

    def test_check_assumptions(self):
        assert [one.holds for one in ct.check_assumptions(TASK.prior, draws=50)] == [None, None, None, True]

    def test_estimate_transition(self):
        found = ct.estimate_transition(TASK.sample(2000, 0).tokens, GRAPH, vocab_size=TASK.vocab_size)
        assert_close(found.value, TASK.prior.mean, rtol=0.0, atol=0.1)

    def test_generalisation(self):
        found = ct.generalisation(TASK, A1, A2, epsilon=EPSILON, samples=100, **DRAWS)
        assert_close(found.loss.value - found.floor.value, found.excess.value, rtol=1e-9)

    def test_gradient_agreement(self):
        found = ct.gradient_agreement(TASK, ct.ReducedTransformer(A1, A2, EPSILON), 4000, rng=0)
        assert found.largest < 5.5
        with pytest.raises(InvalidArgumentError, match=r"^model must be a ReducedTransformer, got Small$"):
            ct.gradient_agreement(TASK, Small(LENGTH, SYMBOLS), 512)

    def test_learning_curve(self):
        curve = ct.learning_curve(
            lambda T: ct.InContextTask(ct.CausalGraph.from_parents(comb(T)), TASK.prior), [4, 6], **DRAWS
        )
        assert (curve.normalised_excess > 0.0).all()

    def test_prediction_error(self):
        found = ct.prediction_error(TASK, A1, A2, samples=200, rng=1)
        assert 0.0 < float(found.mean.value) < found.largest

    def test_train_population(self):
        run = ct.train_population(TASK, epsilon=EPSILON, stage1=ct.Stage1(steps=20), stage2=ct.Stage2(steps=3), **DRAWS)
        assert (np.diff(run.stage2.losses) < 0.0).all()

    def test_train_sgd(self):
        """The best that the model can say is the mean of all rows."""
        run = ct.train_sgd(TASK, Small(LENGTH, SYMBOLS), **SHORT | {"steps": 300, "batch_size": 64, "test_size": 4000})
        assert abs(run.test_losses[-1] - run.baselines["uniform"]) < 0.01

    def test_all_are_here(self):
        """Whoever adds a public function adds a test, or says that it takes none of these."""
        tested = {name.removeprefix("test_") for name in vars(TestFunctions)} | set(AVERAGES)
        public = {name for name in ct.__all__ if callable(getattr(ct, name))}
        assert public - tested - WITHOUT == set()
        assert WITHOUT - public == set()
        assert WITHOUT & tested == set()

    @pytest.mark.parametrize("name", sorted(WITHOUT))
    def test_functions_without_take_none(self, name):
        one = getattr(ct, name)
        assert inspect.isclass(one) or not TAKEN & set(inspect.signature(one).parameters)


INNER = {
    "best_multiple": lambda run: dynamics.best_multiple(TASK, epsilon=EPSILON, **DRAWS),
    "convergence_times": lambda run: dynamics.convergence_times(ct.edge_scores(TASK, epsilon=EPSILON, **DRAWS), GRAPH),
    "generalisation": None,
    "learning_curve": None,
    "train_population": None,
    "run_stage1": lambda run: dynamics.run_stage1(TASK, ct.Stage1(steps=2), epsilon=EPSILON, **DRAWS),
    "run_stage2": lambda run: dynamics.run_stage2(TASK, ct.Stage2(steps=2), epsilon=EPSILON, **DRAWS),
    "concentration_map": lambda run: falsification.concentration_map(
        ADDRESS["graph"], [4, 5], [1.0, 2.0], draws=2, rng=0
    ),
    "critical_length": lambda run: falsification.critical_length(
        ADDRESS["graph"], TASK.prior, EPSILON, lengths=(4, 5), **DRAWS
    ),
    "symbols_map": lambda run: falsification.symbols_map(ADDRESS["graph"], [3, 4], [0.1, 0.2], length=5),
    "trace_map": lambda run: falsification.trace_map(ADDRESS["graph"], [4, 5], [0.8, 1.2]),
    "plot_attention": lambda run: plotting.plot_attention(run.attention[-1][0], graph=GRAPH),
    "plot_attention_by_position": plotting.plot_attention_by_position,
    "plot_graph": lambda run: plotting.plot_graph(GRAPH),
    "plot_information": lambda run: plotting.plot_information(
        ct.pairwise_information(TASK, **DRAWS), measure="chi2", graph=GRAPH
    ),
    "plot_matrix": lambda run: plotting.plot_matrix(np.eye(LENGTH), graph=GRAPH),
    "plot_overview": lambda run: plotting.plot_overview(TASK, epsilon=EPSILON, **DRAWS),
    "plot_scores": lambda run: plotting.plot_scores(ct.edge_scores(TASK, epsilon=EPSILON, **DRAWS), graph=GRAPH),
    "plot_training": plotting.plot_training,
    "plot_view": lambda run: [plotting.plot_view(view) for view in run.model.views()],
}
"""Functions of subpackages; None where the package itself has them, above."""

OTHERS = {"plot_attention_by_step", "plot_losses", "plot_root_rows"}
"""Of runs of exact dynamics, which know nothing of the task."""


@pytest.fixture(scope="module")
def run():
    return ct.train_sgd(TASK, Small(LENGTH, SYMBOLS, 0.1, 0), **SHORT)


class TestSubpackages:
    @pytest.mark.parametrize("name", [name for name, call in INNER.items() if call is not None])
    def test_call(self, name, run):
        assert INNER[name](run) is not None

    def test_all_are_here(self):
        functions = {
            name: one
            for package in (dynamics, falsification, plotting)
            for name in package.__all__
            if inspect.isfunction(one := getattr(package, name))
        }
        takes = {
            name
            for name, one in functions.items()
            if (TAKEN | {"run", "view"}) & set(inspect.signature(one).parameters)
        }
        assert takes - set(INNER) - OTHERS == set()
        assert set(INNER) - set(functions) == set()


class TestDisplay:
    def test_notebook(self, run):
        for one in (GRAPH, TASK.prior, TASK, run.model, run, ct.check_assumptions(TASK.prior, draws=20)):
            check(one._repr_html_())
        assert "Mixture(symbols=3, concentration=0.5, other=4.0, share=0.3)" in words(TASK._repr_html_())
        assert "Small" in words(run.model._repr_html_())
        assert "object at 0x" not in words(TASK.prior._repr_html_()) + repr(TASK)
