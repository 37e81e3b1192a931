"""Floating-point settings of the caller change nothing: no exception, and the same bits."""

import inspect
import pickle
import warnings
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

import causal_theory as ct
from causal_theory import CausalGraph, InContextTask, OrbitPrior, PointPrior
from causal_theory.certificates import certify_edge_scores
from causal_theory.chains import chi2_matrix, closed_classes, mixing_decay
from causal_theory.falsification import SearchSpace, find_counterexample
from causal_theory.floats import default_floats
from causal_theory.models.reduced import causal_softmax
from causal_theory.training.presets import find_preset
from tests.helpers import average

pytestmark = pytest.mark.compiled

# Probabilities whose products, squares and logarithms leave the normal range.
SLOW = [[1.0 - 2.0**-52, 2.0**-52], [1e-180, 1.0]]
TINY = [[1e-310, 1.0, 0.0], [0.5, 0.5, 0.0], [0.2, 1e-300, 0.8]]
PLAIN = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]
KERNEL = np.array([[[1.0, 1e-310], [0.2, 0.8]], [[0.5, 0.5], [1e-200, 1.0]]])

MATRICES = {"slow": SLOW, "tiny": TINY, "plain": PLAIN}
TASKS = {
    f"{name} {prior.__name__} {root_law}": InContextTask(CausalGraph.from_parents([-1, 0, 0, 2]), prior(pi), root_law)
    for name, pi in MATRICES.items()
    for prior in (PointPrior, OrbitPrior)
    for root_law in ("stationary", "uniform")
}
TWO_PARENTS = InContextTask(CausalGraph([(), (), (1, 0)], (2, 0)), PointPrior({2: KERNEL}))
LONG = InContextTask(CausalGraph.chain(200), PointPrior(SLOW))


def bits(value):
    """Return everything that a result consists of, numbers as bytes, so that NaN equals itself and 0.0 is not -0.0."""
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, float | np.generic):
        return np.asarray(value).tobytes()
    if is_dataclass(value):
        return tuple(bits(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, dict):
        return tuple((key, bits(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(bits, value))
    return repr(value)


def second(task, scale):
    return scale * (np.eye(task.vocab_size) - 0.3)


def first(task, scale):
    return scale * np.tril(np.arange(task.length**2, dtype=float).reshape(task.length, -1) % 3.0)


def curve():
    return ct.learning_curve(lambda length: InContextTask(CausalGraph.chain(length), PointPrior(PLAIN)), [4, 5, 6])


def population_run(method):
    task = TASKS["slow PointPrior stationary"]
    run = ct.train_population(task, stage1=ct.Stage1(steps=50, method=method), stage2=ct.Stage2(steps=5), epsilon=0.01)
    return run, run._repr_html_()


def training_run(model):
    task = InContextTask(CausalGraph.chain(6), PointPrior(PLAIN))
    run = ct.train_sgd(task, model, steps=3, batch_size=8, learning_rate=1e3, rng=1, progress=False)
    return run.model.parameters, run._repr_html_()


def figure(draw):
    from causal_theory.plotting.canvas import detached_axes

    (axes,) = detached_axes((3.0, 2.0), (1, 1))
    draw(axes)
    canvas = axes.get_figure().canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def figures():
    from causal_theory import plotting

    task = TASKS["slow PointPrior stationary"]
    scores = ct.edge_scores(task, epsilon=0.01)
    holes = np.where(np.eye(5) > 0.0, np.nan, 1e-310)
    return [
        figure(lambda ax: plotting.plot_matrix(holes, ax=ax)),
        figure(lambda ax: plotting.plot_scores(scores, graph=task.graph, ax=ax)),
        figure(lambda ax: plotting.plot_margins(ct.EdgeReport(scores, task.graph), ax=ax)),
        figure(lambda ax: plotting.plot_attention(causal_softmax(first(task, 800.0)), ax=ax)),
        figure(lambda ax: plotting.plot_second_matrix(second(task, 1e-310), ax=ax)),
        figure(lambda ax: plotting.plot_information(ct.pairwise_information(task, "kl"), ax=ax)),
    ]


CALLS = {
    "edge_scores": lambda task: [ct.edge_scores(task, epsilon=eps) for eps in (1e-12, 0.01, 1e3)],
    "edge_scores by sequences": lambda task: ct.edge_scores(task, epsilon=0.01, method="enumerate"),
    "first_order_gradient": lambda task: [
        ct.first_order_gradient(ct.edge_scores(task, epsilon=0.01), first(task, s), 1e-310) for s in (1.0, 800.0)
    ],
    "limit_edge_scores": lambda task: [ct.limit_edge_scores(task, epsilon=eps) for eps in (0.0, 1e-6)],
    "informations": lambda task: [
        ct.pairwise_information(task, name) for name in ("chi2", "kl", "tv", "hellinger", "chi2_normalised")
    ],
    "joint": ct.pairwise_joint,
    "subset_information": lambda task: ct.subset_information(task, 2, (0, 1)),
    "best_subset": lambda task: ct.best_subset(task, 3, 1),
    "floors": lambda task: [
        ct.loss_floor(task),
        ct.unigram_loss(task, smoothing=1e-300),
        ct.counts_rule_loss(task, smoothing=1e-300),
    ],
    "losses": lambda task: [
        ct.population_loss(task, first(task, s), second(task, s), epsilon=0.01) for s in (0.0, 1.0, 800.0)
    ],
    "sampled losses": lambda task: ct.population_loss(
        task, first(task, 9.0), second(task, 90.0), epsilon=0.01, method="monte_carlo", samples=64, rng=1
    ),
    "gradients": lambda task: [
        ct.population_gradient(task, first(task, s), second(task, s), epsilon=0.01) for s in (0.0, 1.0, 800.0)
    ],
    "parent attention": lambda task: [
        (
            ct.parent_attention_loss(task, second(task, s), epsilon=eps),
            ct.parent_attention_gradient(task, second(task, s), epsilon=eps),
        )
        for s in (1.0, 30.0)
        for eps in (1e-12, 0.01)
    ],
    "excess_loss": lambda task: ct.excess_loss(task, second(task, 3.0), epsilon=0.01),
    "prediction_error": lambda task: ct.prediction_error(
        task, first(task, 30.0), second(task, 30.0), samples=64, rng=1
    ),
    "generalisation": lambda task: ct.generalisation(
        task, first(task, 30.0), second(task, 30.0), epsilon=0.01, samples=64
    ),
    "assumptions": lambda task: ct.check_assumptions(task.prior),
    "prior": lambda task: (task.prior.mean, task.prior.sample(3, rng=1), task.sample(5, rng=1)),
    "average": lambda task: average(task.prior, lambda pi: (pi**3, 0.0 * pi), label_invariant=False),
    "report": lambda task: repr(ct.EdgeReport(ct.edge_scores(task, epsilon=0.01), task.graph)),
    "notebook": lambda task: ct.edge_scores(task, epsilon=0.01)._repr_html_(),
    "model": lambda task: ct.ReducedTransformer(first(task, 800.0), second(task, 800.0), 1e-9).forward(
        task.sample(4, rng=2).tokens
    ),
}

OTHERS = {
    "chains": lambda: [(ct.stationary_distribution(pi), closed_classes(pi)) for pi in MATRICES.values()],
    "decays": lambda: [(chi2_matrix(pi), mixing_decay(pi)) for pi in (PLAIN, SLOW)],
    "long scores": lambda: ct.edge_scores(LONG, epsilon=1e-3),
    "long informations": lambda: [ct.pairwise_information(LONG, name) for name in ("chi2", "kl", "hellinger")],
    "recover_graph": lambda: ct.recover_graph(np.array([[np.nan, 0.0], [1e-310, 0.0]]), threshold=1e-320),
    "two parents": lambda: [
        ct.pairwise_information(TWO_PARENTS, "kl"),
        ct.subset_informations(TWO_PARENTS, 2, 2),
        ct.loss_floor(TWO_PARENTS),
        ct.unigram_loss(TWO_PARENTS, smoothing=0.5),
        ct.parent_attention_loss(TWO_PARENTS, np.stack([np.eye(2), np.eye(2)]) * 40.0, epsilon=0.01),
    ],
    "learning_curve": curve,
    "first order": lambda: population_run("first_order"),
    "exact": lambda: population_run("exact"),
    "train reduced": lambda: training_run(ct.ReducedTransformer(np.zeros((6, 6)), np.zeros((3, 3)), 1e-3)),
    "train disentangled": lambda: training_run(ct.DisentangledTransformer(6, 3)),
    "certify": lambda: certify_edge_scores(CausalGraph.chain(5), TINY, 1e-300),
    "verify": lambda: ct.verify_certificate(certify_edge_scores(CausalGraph.chain(5), SLOW, 0.1)),
    "falsify": lambda: find_counterexample(
        "top_scores_are_edges", SearchSpace(families=["chain"], lengths=(3, 4), symbols=(2, 2)), 40, 0, progress=False
    ),
    "figures": figures,
    "networkx": lambda: CausalGraph.from_networkx(CausalGraph.random_dag(9, 2, rng=0).to_networkx()),
    "adjacency": lambda: CausalGraph.from_adjacency(CausalGraph.chain(5).adjacency),
    "effective length": lambda: CausalGraph.star(2000).mixing_effective_length(1e-200),
    "preset": lambda: repr(find_preset("paper-many-graphs")),
}


def outcome(call):
    """Return the bits of a result, or the refusal."""
    try:
        return bits(call())
    except ct.CausalTheoryError as error:
        return repr(error)


def check(call):
    usual = outcome(call)
    with np.errstate(all="raise"):
        assert outcome(call) == usual
        assert np.geterr() == dict.fromkeys(("divide", "over", "under", "invalid"), "raise")
    with np.errstate(all="warn"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert outcome(call) == usual


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_of_tasks(task, call):
    check(lambda: call(task))


@pytest.mark.parametrize("call", OTHERS.values(), ids=OTHERS)
def test_of_everything_else(call):
    check(call)


class TestDecorator:
    def test_keeps_what_a_function_is(self):
        assert ct.edge_scores.__name__ == "edge_scores"
        assert ct.edge_scores.__module__ == "causal_theory.population.scores"
        assert "epsilon" in inspect.signature(ct.edge_scores).parameters
        assert pickle.loads(pickle.dumps(ct.edge_scores)) is ct.edge_scores

    def test_doctest_finds_examples(self):
        import doctest

        import causal_theory.population.scores as module

        found = {test.name.rpartition(".")[2] for test in doctest.DocTestFinder().find(module) if test.examples}
        assert {"edge_scores", "first_order_gradient"} <= found

    def test_state_is_back_after_an_error(self):
        @default_floats
        def fail():
            raise KeyError

        with np.errstate(under="raise", over="ignore"):
            before = np.geterr()
            with pytest.raises(KeyError):
                fail()
            assert np.geterr() == before

    def test_other_events_are_told_unless_they_are_ignored(self):
        overflow = default_floats(lambda: np.float64(1e300) ** 2)
        for state in ("warn", "raise"):
            with np.errstate(all=state), pytest.warns(RuntimeWarning, match="overflow"):
                overflow()
        with np.errstate(all="raise", over="ignore"):
            assert overflow() == np.inf
