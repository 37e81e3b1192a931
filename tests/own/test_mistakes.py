"""Whatever is wrong with a module, a class or a function of the user's own: one line, and exit status 2."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import causal_theory as ct
from causal_theory.cli import main
from causal_theory.errors import InvalidArgumentError

OWN = """
import numpy as np
from causal_theory.models import TrainableModel
from causal_theory.priors import Prior


class Fair(Prior):
    vocab_size = 3
    mean = np.full((3, 3), 1 / 3)

    def sample(self, size, rng=None):
        return np.full((size, 3, 3), 1 / 3)


class Abstract(Prior):
    vocab_size = 3


class Needing(Fair):
    def __init__(self, weight):
        pass


class Failing(Fair):
    def __init__(self):
        {}["key"]


class Leaving(Fair):
    def __init__(self):
        raise SystemExit(3)


class OtherShape(Fair):
    def sample(self, size, rng=None):
        return np.full((size, 2, 2), 0.5)


class NoLaw(Fair):
    def sample(self, size, rng=None):
        return np.full((size, 3, 3), 0.5)


class SizeMethod(Fair):
    def vocab_size(self):
        return 3


class TextSize(Fair):
    vocab_size = "3"


class OneSymbol(Fair):
    vocab_size = 1


class OtherMean(Fair):
    mean = np.full((2, 2), 0.5)


class MeanOfNoLaws(Fair):
    mean = np.full((3, 3), 0.5)


class MeanMethod(Fair):
    def mean(self):
        return np.full((3, 3), 1 / 3)


class RaisingSample(Fair):
    def sample(self, size, rng=None):
        return np.linalg.inv(np.zeros((3, 3)))


class RaisingMean(Fair):
    @property
    def mean(self):
        raise OverflowError("no number")


def array(length):
    return np.arange(-1, length - 2)


def one_more(length):
    return [-1] * length


def collecting(length, **options):
    return [-1] * (length - 1)


def generator(length):
    return (i for i in range(length))


def failing(length):
    {}["key"]


class Model(TrainableModel):
    vocab_size = 3
    length = 5
    parameters = np.zeros(3)

    def __init__(self, length):
        pass

    def with_parameters(self, parameters):
        return self

    def forward(self, tokens):
        return np.full((len(tokens), 3), 1 / 3)

    def gradient_at(self, parameters, tokens, targets):
        return np.zeros(len(tokens)), np.zeros(3)


class OtherLength(Model):
    length = 6


class LengthMethod(Model):
    def length(self):
        return 5


class OtherSymbols(Model):
    vocab_size = 4


class OtherGradient(Model):
    def gradient_at(self, parameters, tokens, targets):
        return np.zeros(len(tokens)), np.zeros(2)


class OneLoss(Model):
    def gradient_at(self, parameters, tokens, targets):
        return [0.0], np.zeros(3)


class ListOfParameters(Model):
    parameters = [0.0, 0.0, 0.0]


class SquareParameters(Model):
    parameters = np.zeros((3, 3))


class Integers(Model):
    parameters = np.zeros(3, dtype=np.int64)


class RaisingGradient(Model):
    def gradient_at(self, parameters, tokens, targets):
        return self.inner()

    def inner(self):
        {}["key"]


class OtherAttention(Model):
    def first_attention(self, tokens):
        return np.zeros((1, 2, 2))


class NoAttention(Model):
    def first_attention(self, tokens):
        return None
"""
MODULES = {
    "mine": OWN,
    "raising": r'raise RuntimeError("two\nlines")',
    "leaving": "raise SystemExit(4)",
    "unreadable": "def f(:",
    "lacking": "import no_such_package",
    "random": "class Mixture: pass",
}
MADE = "prior must be one that can be made, got 'mine:"
IMPORTED = "must be module:Class of a module that can be imported, got"
PRIORS = {
    "mine:Abstract": MADE + "Abstract': Can't instantiate abstract class Abstract",
    "mine:Needing": "weight must be given for prior mine:Needing, got nothing",
    "mine:Failing": MADE + "Failing': KeyError: 'key'",
    "mine:Leaving": MADE + "Leaving': SystemExit: 3",
    "mine:OtherShape": "draws of OtherShape for 1 parents must have shape (3, 3, 3), got shape (3, 2, 2)",
    "mine:NoLaw": "draws of NoLaw for 1 parents must have rows that sum to 1 within 1e-10, got 1.5",
    "mine:RaisingSample": "sample of mine:RaisingSample raised numpy.linalg.LinAlgError: Singular matrix; the",
    "mine:TextSize": "vocab_size of TextSize must be an integer of at least 2, got '3'",
    "mine:SizeMethod": "vocab_size of SizeMethod must be an integer of at least 2, got the method vocab_size",
    "mine:OneSymbol": "vocab_size of OneSymbol must be an integer of at least 2, got 1",
    "mine:np": "prior must be module:Class, got 'mine:np', which is <module 'numpy'",
    "mine:Fair.part": f"prior {IMPORTED} 'mine:Fair.part': AttributeError",
    "mine:": "or module:Class, got 'mine:'",
    "mine:b:Fair": "or module:Class, got 'mine:b:Fair'",  # which a terminal may take for a picture
    "mine.py:Fair": f"prior {IMPORTED} 'mine.py:Fair': ModuleNotFoundError",
    "./mine:Fair": "or module:Class, got './mine:Fair'",
    "with space:Fair": "or module:Class, got 'with space:Fair'",
    "absent:Fair": f"prior {IMPORTED} 'absent:Fair': ModuleNotFoundError: No module named 'absent'",
    "raising:Fair": f"prior {IMPORTED} 'raising:Fair': RuntimeError: two lines",
    "leaving:Fair": f"prior {IMPORTED} 'leaving:Fair': SystemExit: 4",
    "unreadable:Fair": f"prior {IMPORTED} 'unreadable:Fair': SyntaxError",
    "lacking:Fair": f"prior {IMPORTED} 'lacking:Fair': ModuleNotFoundError: No module named 'no_such_package'",
    "random:Mixture": "module 'random' has no attribute 'Mixture' (it is ",
    "builtins:list": "prior must be a Prior, got 'builtins:list', which makes []",
}
GRAPHS = {
    "mine:generator": "graph must be a CausalGraph or a list of parents, got <generator object",
    "mine:failing": "graph must be one that can be made, got 'mine:failing': KeyError: 'key'",
    "mine:one_more": "graph must have the length 5 that its function is given, got 6 from mine:one_more",
    "builtins:int": "length must not be given together with graph builtins:int, got 5",
}
MODELS = {
    "mine:OtherLength": "model must have length 5 and vocab_size 3 like the task, got 6 and 3",
    "mine:LengthMethod": "model must have length 5 and vocab_size 3 like the task, got the method length and 3",
    "mine:OtherSymbols": "model must have length 5 and vocab_size 3 like the task, got 5 and 4",
    "mine:OtherGradient": "model must give a gradient of the shape (3,) of its parameters, got (2,)",
    "mine:OneLoss": "model must give losses of the shape (8,), got list from OneLoss",
    "mine:RaisingGradient": "gradient_at of mine:RaisingGradient raised KeyError: 'key'; the same call in Python shows",
    "mine:ListOfParameters": "parameters of model must be a flat array of float64, got list from ListOfParameters",
    "mine:SquareParameters": "must be a flat array of float64, got float64 of shape (3, 3) from SquareParameters",
    "mine:Integers": "must be a flat array of float64, got int64 of shape (3,) from Integers",
    "mine:OtherAttention": "attention of the first layer of the shape (1, 5, 5), got (1, 2, 2) from OtherAttention",
    "mine:NoAttention": "attention of the first layer of the shape (0, 5, 5), got NoneType from NoAttention",
    "mine:Fair": "model must be a TrainableModel, got 'mine:Fair', which makes Fair(symbols=3)",
    "builtins:dict": "model must be a TrainableModel, got 'builtins:dict', which makes {}",
}
SHORT = ("--steps", "2", "--batch-size", "4", "--learning-rate", "1", "--test-size", "8", "--symbols", "3")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder holds the modules."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("mine", None)


def complaint(capsys, monkeypatch, *arguments, length=("--length", "5")):
    """What the program says, in one line, before it ends with status 2."""
    monkeypatch.setattr(sys, "argv", ["causal-theory", *arguments, *length])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    return said.err


@pytest.mark.parametrize("name", PRIORS)
def test_prior(name, capsys, monkeypatch):
    assert PRIORS[name] in complaint(capsys, monkeypatch, "scores", "--prior", name, "--draws", "3")


@pytest.mark.parametrize("name", GRAPHS)
def test_graph(name, capsys, monkeypatch):
    assert GRAPHS[name] in complaint(capsys, monkeypatch, "scores", "--graph", name)


def test_options_that_a_function_collects_have_no_names(capsys, monkeypatch):
    said = complaint(capsys, monkeypatch, "scores", "--graph", "mine:collecting", "--graph-option", "teeth=2")
    assert "graph_options of mine:collecting must be among none, got 'teeth'" in said


@pytest.mark.parametrize("name", MODELS)
def test_model(name, capsys, monkeypatch):
    assert MODELS[name] in complaint(capsys, monkeypatch, "train", "--model", name, *SHORT)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("OtherMean", r"mean of OtherMean must have shape \(3, 3\), got shape \(2, 2\)"),
        ("MeanMethod", "mean of MeanMethod must be an array of real numbers, got the method mean"),
        ("MeanOfNoLaws", "mean of MeanOfNoLaws must have rows that sum to 1 within 1e-10, got 1.5 in row 0"),
        ("OneSymbol", "vocab_size of OneSymbol must be an integer of at least 2, got 1"),
    ],
)
def test_mean(name, message):
    prior = ct.specs.PriorSpec(prior=f"mine:{name}").build_prior()
    with pytest.raises(InvalidArgumentError, match=message):
        ct.check_assumptions(prior, draws=3)


def test_mean_on_the_command_line(capsys, monkeypatch):
    said = complaint(capsys, monkeypatch, "assumptions", "--prior", "mine:RaisingMean", length=())
    assert "mean of mine:RaisingMean raised OverflowError: no number; the same call in Python" in said


def test_in_python_the_error_stays_what_it_is():
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        ct.edge_scores(ct.TaskSpec(prior="mine:RaisingSample", length=5).build(), epsilon=0.1)


def test_parents_as_an_array():
    assert ct.TaskSpec(graph="mine:array", length=5, symbols=3).build().graph == ct.CausalGraph.chain(5)


def test_workers_that_look_elsewhere_say_so(tmp_path, monkeypatch):
    """A worker that was started in another folder does not find the module."""
    (tmp_path / "empty").mkdir()
    spec = ct.TaskSpec(prior="mine:Fair", length=5)
    with monkeypatch.context() as context:
        context.chdir(tmp_path / "empty")
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(int).result()
            with pytest.raises(InvalidArgumentError, match=r"got 'mine:Fair': ModuleNotFoundError: No module named"):
                pool.submit(ct.TaskSpec.build, spec).result()
