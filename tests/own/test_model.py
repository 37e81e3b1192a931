"""A model of a user's own is trained, kept, drawn, reported and shown like those of the package."""

import io
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from rich.console import Console

from causal_theory import CausalGraph, InContextTask, PointPrior, gradient_agreement, train_sgd
from causal_theory.cli.train_report import TrainReport
from causal_theory.errors import InvalidArgumentError
from causal_theory.models import TrainableModel
from causal_theory.plotting import plot_attention_by_position, plot_training, plot_view
from tests.helpers import assert_close
from tests.test_notebook import check, words

from .small_model import Small

mpl.use("agg")


class Bigram(Small):
    """Without attention."""

    def __init__(self, length, vocab_size, parameters=None):
        super().__init__(length, vocab_size, parameters=parameters)

    def first_attention(self, tokens):
        return TrainableModel.first_attention(self, tokens)


class Constant(TrainableModel):
    """The same law whatever the sequence, with nothing but what a model must have."""

    def __init__(self, length, vocab_size, logits=None):
        self._length, self._logits = length, np.zeros(vocab_size) if logits is None else np.asarray(logits)

    @property
    def length(self):
        return self._length

    @property
    def vocab_size(self):
        return len(self._logits)

    @property
    def parameters(self):
        return self._logits

    def with_parameters(self, parameters):
        return Constant(self._length, len(self._logits), np.array(parameters))

    def forward(self, tokens):
        weights = np.exp(self._logits - self._logits.max())
        return np.tile(weights / weights.sum(), (len(tokens), 1))

    def gradient_at(self, parameters, tokens, targets):
        laws = self.with_parameters(parameters).forward(tokens)
        return -(targets * np.log(laws)).sum(axis=1), (laws - targets).mean(axis=0)


class WithAttention(Constant):
    """The same with a first layer of two heads: one attends to the token before, one to all."""

    def with_parameters(self, parameters):
        return WithAttention(self._length, len(self._logits), np.array(parameters))

    def first_attention(self, tokens):
        before = np.eye(self._length, k=-1)
        before[0, 0] = 1.0
        seen = np.tril(np.ones((self._length, self._length)))
        return np.array([before, seen / seen.sum(axis=1, keepdims=True)])


MATRIX = np.array([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]])
TASK = InContextTask(CausalGraph.chain(5), PointPrior(MATRIX))
SHORT = {"steps": 12, "batch_size": 8, "learning_rate": 0.5, "test_size": 32, "rng": 3, "progress": False}


def random_model(seed=0):
    return Bigram(5, 3, np.random.default_rng(seed).normal(size=12))


def random_batch(count=7, seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 3, (count, 5)), rng.dirichlet(np.ones(3), count)


class TestModel:
    def test_gradient_by_name(self):
        model, (tokens, targets) = random_model(), random_batch()
        slopes = model.gradient(tokens, targets)
        step = 1e-5
        differences = [
            (
                model.with_parameters(model.parameters + step * one).loss(tokens, targets)
                - model.with_parameters(model.parameters - step * one).loss(tokens, targets)
            )
            / (2.0 * step)
            for one in np.eye(12)
        ]
        # Truncation step^2 = 1e-10 and roundoff 1e-16 / step = 1e-11, times derivatives of order one.
        assert_close(slopes.parameters, np.array(differences), rtol=0.0, atol=1e-9)
        assert np.array_equal(slopes.bias, slopes.parameters[:3])
        assert np.array_equal(slopes["weights"], slopes.parameters[3:].reshape(3, 3))
        assert [part.shape for part in slopes] == [matrix.shape for matrix in model.matrices().values()]
        with pytest.raises(AttributeError, match="one of bias, weights, got 'A1'"):
            _ = slopes.A1

    def test_losses_are_those_of_the_gradient(self):
        model, batch = random_model(), random_batch()
        assert np.array_equal(model.batch_losses(*batch), model.gradient_at(model.parameters, *batch)[0])

    def test_what_follows_from_the_shapes(self):
        model = random_model()
        assert list(model.groups) == ["bias", "weights"]
        assert np.array_equal(np.concatenate([part.ravel() for part in model.matrices().values()]), model.parameters)
        assert repr(model) == "Bigram(length=5, vocab_size=3, 12 parameters)"

    def test_nothing_but_what_must_be(self):
        model = Constant(5, 3)
        assert list(model.matrices()) == ["parameters"]
        assert model.views() == []
        assert model.loss_offset == 0.0
        assert model.first_attention(random_batch()[0]).shape == (0, 5, 5)
        with pytest.raises(InvalidArgumentError, match="tokens must be integers"):
            model.first_attention(np.zeros((1, 4)))


class TestTraining:
    def test_finds_the_law_of_the_next_token(self):
        """The target is the row of the query, which the model can say: the loss reaches the entropy floor."""
        run = train_sgd(TASK, Bigram(5, 3), **SHORT | {"steps": 600, "batch_size": 64, "learning_rate": 2.0})
        assert run.excess < 1e-4
        assert_close(run.model.forward(np.array([[0, 0, 0, 0, q] for q in range(3)])), MATRIX, rtol=0.0, atol=0.02)
        assert "mean attention on parents none" in repr(run)

    def test_in_two_stages(self):
        """The first group of parameters is as it was after its own steps, the second moves in the steps after them."""
        recipe = {"recipe": "two_stage", "first_steps": 6}
        short, longer = (train_sgd(TASK, Bigram(5, 3), **SHORT | {"steps": n} | recipe).model for n in (7, 12))
        assert np.array_equal(short.matrices()["bias"], longer.matrices()["bias"])
        assert (short.matrices()["bias"] != 0.0).all()
        assert not np.array_equal(short.matrices()["weights"], longer.matrices()["weights"])
        with pytest.raises(InvalidArgumentError, match="'joint' for a model with the matrices parameters"):
            train_sgd(TASK, Constant(5, 3), **SHORT | recipe)

    def test_another_start_is_another_run(self, tmp_path):
        path = tmp_path / "run.npz"
        train_sgd(TASK, Bigram(5, 3), checkpoint=path, **SHORT)
        with pytest.raises(InvalidArgumentError, match="start of bias"):
            train_sgd(TASK, random_model(), checkpoint=path, resume=True, **SHORT)

    def test_gradient_of_another_shape(self):
        class Wrong(Constant):
            def gradient_at(self, parameters, tokens, targets):
                losses, slopes = super().gradient_at(parameters, tokens, targets)
                return losses, slopes[:1]

        with pytest.raises(InvalidArgumentError, match=r"gradient of the shape \(3,\) of its parameters, got \(1,\)"):
            train_sgd(TASK, Wrong(5, 3), **SHORT)

    @pytest.mark.parametrize("model", [None, "reduced", np.zeros(3)])
    def test_no_model(self, model):
        for call in (lambda: train_sgd(TASK, model, **SHORT), lambda: gradient_agreement(TASK, model, 512)):
            with pytest.raises(InvalidArgumentError, match="model must be a ReducedTransformer or another Trainable"):
                call()


@pytest.fixture(params=[Bigram, Constant, WithAttention], scope="module")
def run(request):
    return train_sgd(TASK, request.param(5, 3), **SHORT)


class TestShown:
    def test_notebook(self, run):
        check(run._repr_html_())
        root = check(run.model._repr_html_())
        assert next(root.iter("caption")).text == type(run.model).__name__

    def test_tables_are_the_matrices(self):
        captions = [caption.text for caption in check(random_model()._repr_html_()).iter("caption")]
        assert captions == ["Bigram", "bias", "weights"]
        assert "parameters 12 (bias: 3, weights: 9)" in words(random_model()._repr_html_())

    def test_plots(self, run):
        lines = {line.get_label(): line.get_ydata() for line in plot_training(run).get_lines()}
        assert np.array_equal(lines["held out"], run.test_losses)
        assert "held out, normalised" not in lines
        ax = plot_attention_by_position(run)
        heads = [line for line in ax.get_lines() if line.get_label().startswith("head")]
        assert len(heads) == len(run.attention[-1])

    def test_axes_are_those_of_the_model(self):
        (view,) = random_model().views()
        ax = plot_view(view)
        assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == ("logits", "next symbol", "query symbol")
        assert np.array_equal(ax.get_images()[0].get_array(), view.values)

    def test_report(self, run):
        plan = SimpleNamespace(
            preset=None,
            seed=0,
            rng=0,
            tasks=(TASK,),
            model=SimpleNamespace(start={}),
            settings=run.settings,
        )
        report = TrainReport(plan, [run], [None])
        name = type(run.model).__name__
        assert report.content()["model"] | {"start": {}} == {
            "kind": name,
            "length": 5,
            "vocab_size": 3,
            "start": {},
            "parameters": len(run.model.parameters),
        }
        assert np.array_equal(report.arrays()["attention"][0], run.attention)
        for key, matrix in run.model.matrices().items():
            assert np.array_equal(report.arrays()[key][0], matrix)
        text = Console(file=io.StringIO(), width=100)
        report.show(text)
        assert f"training ({name};" in text.file.getvalue()
        rows, columns = report.figure.grid
        figure = mpl.figure.Figure(figsize=report.figure.size)
        axes = list(figure.subplots(rows, columns).flat)
        report.figure.draw(*axes)
        titles = [ax.get_title() for ax in axes]
        assert titles[0] == "true graph"
        assert all(view.title in titles for view in run.model.views())
        assert len([title for title in titles if title.startswith("attention of layer 1")]) == len(run.attention[-1])
