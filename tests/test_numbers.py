"""Numbers that are too small or too large to compute with are refused by name, in Python and on the command line."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import sympy

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    TrainingSettings,
    counts_rule_loss,
    edge_scores,
    first_order_gradient,
    limit_edge_scores,
    pairwise_information,
    parent_attention_gradient,
    parent_attention_loss,
    population_gradient,
    population_loss,
    prediction_error,
    recover_graph,
    unigram_loss,
    validation,
)
from causal_theory.cli import main
from causal_theory.dynamics import Stage1, Stage2, train_population
from causal_theory.errors import GraphError, InvalidArgumentError, TooLargeError, TransitionError
from causal_theory.models import DisentangledTransformer
from causal_theory.sweeps.study import Parameter
from causal_theory.validation import check_epsilon, check_integer, check_memory, check_positive

TASK = InContextTask(CausalGraph.chain(4), PointPrior([[0.25, 0.75], [0.5, 0.5]]))
ZEROS, EYE = np.zeros((4, 4)), np.eye(2)

WITH_EPSILON = {
    "edge_scores": lambda eps: edge_scores(TASK, epsilon=eps),
    "edge_scores, enumerated": lambda eps: edge_scores(TASK, epsilon=eps, method="enumerate"),
    "limit_edge_scores": lambda eps: limit_edge_scores(TASK, epsilon=eps),
    "population_loss": lambda eps: population_loss(TASK, ZEROS, EYE, epsilon=eps),
    "population_gradient": lambda eps: population_gradient(TASK, ZEROS, EYE, epsilon=eps),
    "population_gradient, sampled": lambda eps: population_gradient(
        TASK, ZEROS, EYE, epsilon=eps, method="monte_carlo", samples=10
    ),
    "parent_attention_loss": lambda eps: parent_attention_loss(TASK, EYE, epsilon=eps),
    "parent_attention_gradient": lambda eps: parent_attention_gradient(TASK, EYE, epsilon=eps),
    "train_population": lambda eps: train_population(TASK, stage1=Stage1(steps=2), stage2=Stage2(steps=2), epsilon=eps),
    "ReducedTransformer": lambda eps: ReducedTransformer(ZEROS, EYE, eps),
}

BETWEEN = r"^epsilon must be (0 or )?between 1e-300 and 1e\+06, got "

OUT_OF_RANGE = [
    (1e300, "1e+300"),
    (1e-310, "1e-310"),
    (1.1e6, "1100000.0"),
    (10**400, "an integer of 1329 bits"),
    (Fraction(1, 10**400), "about 1e-400"),
    (Decimal("1e500"), "Decimal"),
    (sympy.Integer(10) ** 30, "1000000000000000000000000000000"),
]


class TestEpsilon:
    @pytest.mark.parametrize("name", list(WITH_EPSILON))
    @pytest.mark.parametrize(("epsilon", "shown"), OUT_OF_RANGE)
    def test_out_of_range(self, name, epsilon, shown):
        with pytest.raises(InvalidArgumentError, match=BETWEEN) as caught:
            WITH_EPSILON[name](epsilon)
        assert shown in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("epsilon", [Fraction(1, 100), Decimal("0.01"), sympy.Rational(1, 100), np.float32(0.01)])
    def test_numbers_of_other_kinds(self, epsilon):
        for call in WITH_EPSILON.values():
            call(epsilon)
        same = edge_scores(TASK, epsilon=float(epsilon)).value
        assert np.array_equal(edge_scores(TASK, epsilon=epsilon).value, same)

    @pytest.mark.parametrize(
        "epsilon", [0, 0.0, -1e-3, np.nan, np.inf, -np.inf, "0.1", b"1", None, 1j, sympy.Symbol("e"), [], {}]
    )
    def test_no_positive_numbers(self, epsilon):
        with pytest.raises(InvalidArgumentError, match=r"^epsilon must be a finite number greater than 0, got "):
            check_epsilon(epsilon)

    def test_zero_where_it_is_meant(self):
        for zero in (0, 0.0, Fraction(0), np.float64(0.0), -0.0):
            assert np.array_equal(limit_edge_scores(TASK, epsilon=zero).value, limit_edge_scores(TASK).value)
        with pytest.raises(InvalidArgumentError, match=r"epsilon must be a finite number of at least 0, got -0\.1"):
            limit_edge_scores(TASK, epsilon=-0.1)
        with pytest.raises(InvalidArgumentError, match=r"epsilon must be 0 or between .* got about 1e-400"):
            limit_edge_scores(TASK, epsilon=Fraction(1, 10**400))

    def test_both_ends_are_in(self):
        for epsilon in (1e-300, 1e6):
            for call in WITH_EPSILON.values():
                call(epsilon)


class TestOtherNumbers:
    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: CausalGraph.chain(10**20), "length must be an integer of at most 9007199254740992, got 1000"),
            (lambda: CausalGraph.chain(10**4000), "length must be .*, got an integer of 13288 bits"),
            (lambda: CausalGraph.ngram(8, 10**20), "order must be an integer of at most"),
            (lambda: CausalGraph.random_dag(8, 10**20, 0), "parents must be an integer of at most"),
            (lambda: DirichletPrior(10**20, 1.0), "vocab_size must be an integer of at most"),
            (lambda: DirichletPrior(3, 1e-320), "concentration must be between 1e-300 and 1e.300, got 1e-320"),
            (lambda: DirichletPrior(3, 10**400), "concentration must be between"),
            (lambda: DirichletPrior(3, 1.0, floor="0.1"), "floor must be a number between 0 and 1, got '0.1'"),
            (lambda: DirichletPrior(3, 1.0, floor=10**400), "floor must be a number between 0 and 1"),
            (lambda: DirichletPrior(3, 1.0).sample(10**20), "size must be an integer of at most"),
            (lambda: TASK.sample(10**20), "size must be an integer of at most"),
            (lambda: counts_rule_loss(TASK, smoothing=1e-310), "smoothing must be between"),
            (lambda: unigram_loss(TASK, smoothing=10**400), "smoothing must be between"),
            (lambda: Stage1(beta0=1e-320), "beta0 must be between"),
            (lambda: Stage1(learning_rate=10**400), "learning_rate must be between"),
            (lambda: Stage1(steps=10**20), "steps must be an integer of at most"),
            (lambda: Stage2(learning_rate=Decimal("1e-400")), "learning_rate must be between"),
            (lambda: first_order_gradient(ZEROS, ZEROS, 10**400), "beta0 must be between"),
            (
                lambda: population_loss(TASK, ZEROS, EYE, epsilon=0.1, method="monte_carlo", samples=10**20),
                "samples must be an integer of at most",
            ),
            (lambda: edge_scores(_dirichlet(), epsilon=0.1, draws=10**20), "draws must be an integer of at most"),
            (lambda: TASK.sample(3, -1), "rng must be a seed"),
            (lambda: Parameter("epsilon", float, None).convert(10**400), "epsilon must be a finite number"),
            (lambda: Parameter("length", int, None).convert(10**20), "length must be an integer of at most"),
        ],
    )
    def test_refused(self, call, message):
        with pytest.raises(InvalidArgumentError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400

    def test_positive_numbers(self):
        assert check_positive("x", Fraction(1, 4)) == 0.25
        assert check_positive("x", 0, or_zero=True) == 0.0
        with pytest.raises(InvalidArgumentError, match="greater than 0, got a negative integer of 1329 bits"):
            check_positive("x", -(10**400))
        with pytest.raises(InvalidArgumentError, match=r"x must be between 1e-300 and 1e\+300, got an integer"):
            check_positive("x", 10**400)

    def test_seeds_may_be_as_long_as_entropy(self):
        entropy = np.random.SeedSequence().entropy
        assert check_integer("rng", entropy, 0, validation.LARGEST_SEED) == entropy


def _dirichlet():
    return InContextTask(CausalGraph.chain(4), DirichletPrior(3, 1.0))


class TestMemory:
    """Known beforehand, hence refused beforehand: the machine of these tests has one MiB."""

    @pytest.fixture(autouse=True)
    def _small_machine(self, monkeypatch):
        monkeypatch.setattr(validation, "memory", lambda: 2**20)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: CausalGraph.star(10_000), "a graph of length 10000 must fit into the 1 MiB .*, got 4.2 MiB"),
            (
                lambda: DirichletPrior(1000, 1.0),
                "over vocab_size 1000 symbols must fit into the 1 MiB .*, got 7.63 MiB",
            ),
            (lambda: DirichletPrior(10, 1.0).sample(10_000), r"10000 draws from DirichletPrior\(10, 1\) must fit"),
            (lambda: OrbitPrior(np.eye(10)).sample(10_000), "10000 draws from OrbitPrior"),
            (lambda: edge_scores(_long(), epsilon=0.1), "edge_scores at length 1000 must fit into .*, got 15.3 MiB"),
            (lambda: limit_edge_scores(_long()), "limit_edge_scores at length 1000 must fit"),
            (lambda: pairwise_information(_long()), "pairwise_information at length 1000 must fit"),
            (lambda: DisentangledTransformer(300, 3), "parameters for length .* must fit"),
        ],
    )
    def test_refused(self, call, message):
        with pytest.raises(TooLargeError, match=message):
            call()

    def test_enough(self):
        check_memory("x", 2**20)
        with pytest.raises(TooLargeError, match="x must fit into the 1 MiB of memory of this machine, got 3 GiB"):
            check_memory("x", 3 * 2**30)


def _long():
    return InContextTask(CausalGraph.chain(1000), PointPrior([[0.25, 0.75], [0.5, 0.5]]))


def test_memory_of_this_machine():
    assert validation.memory() > 2**24


LONG = "1" + "0" * 400


class TestCommandLine:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("scores --length 6 --symbols 2 --epsilon 1e300", "epsilon must be between 1e-300 and 1e+06, got 1e+300"),
            ("scores --length 6 --symbols 2 --epsilon 1e-310", "epsilon must be between 1e-300 and 1e+06, got 1e-310"),
            ("scores --length 6 --symbols 2 --epsilon nan", "epsilon must be a finite number greater than 0, got nan"),
            ("scores --length 6 --symbols 2 --limit --epsilon 1e-310", "epsilon must be 0 or between"),
            ("scores --length 99999999999999999999 --symbols 2", "length must be an integer of at most"),
            ("scores --length 999999999999 --symbols 2", "a graph of length 999999999999 must fit into"),
            ("scores --length 6 --symbols 1000000000000", "over vocab_size 1000000000000 symbols must fit into"),
            ("scores --length 6 --symbols 2 --concentration 1e-320", "concentration must be between"),
            ("scores --length 6 --symbols 2 --floor nan", "floor must be a number between 0 and 1, got nan"),
            ("scores --length 6 --symbols 3 --draws 999999999999", "999999999999 draws from DirichletPrior"),
            (f"scores --length 6 --prior point --transition [[{LONG},0],[0,1]]", "an integer beyond any float"),
            ("scores --length 6 --prior point --transition [[NaN,0],[0,1]]", "got nan at (0, 0)"),
            ("sample --length 6 --symbols 2 --size 99999999999999999999", "size must be an integer of at most"),
            ("dynamics --length 6 --symbols 2 --beta0 1e-320", "beta0 must be between"),
            ("dynamics --length 6 --symbols 2 --smoothing 1e-310", "smoothing must be between"),
            (
                "train --length 6 --symbols 2 --steps 99999999999999999999 --batch-size 8 --learning-rate 1",
                "steps must be an integer of at most",
            ),
        ],
    )
    def test_one_line_by_name(self, words, message, monkeypatch, capsys):
        monkeypatch.setattr("sys.argv", ["causal-theory", *words.split()])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        assert stopped.value.code == 2
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert message in captured.err
        assert captured.err.count("\n") == 1

    @pytest.mark.parametrize(
        ("command", "text", "message"),
        [
            ("train", f"[task]\nlength = 6\nconcentration = {LONG}\n", "concentration must be between"),
            (
                "sweep",
                f'study = "margins"\n[grid]\nlength = [4]\n[settings]\nepsilon = {LONG}\n',
                "epsilon must be a fin",
            ),
            ("sweep", f'study = "margins"\n[grid]\nlength = [{LONG[:40]}]\n', "length must be an integer of at most"),
            ("sweep", f'study = "margins"\nseed = {LONG[:60]}\n[grid]\nlength = [4]\n', "seed must be an integer"),
        ],
    )
    def test_files(self, command, text, message, tmp_path, monkeypatch, capsys):
        path = tmp_path / "numbers.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr("sys.argv", ["causal-theory", command, "--config", str(path)])
        with pytest.raises(SystemExit) as stopped:
            main()
        error = capsys.readouterr().err
        assert stopped.value.code == 2
        assert message in error
        assert error.count("\n") == 1
        assert list(tmp_path.iterdir()) == [path]

    def test_what_no_check_knows(self, monkeypatch, capsys):
        """The last resort: an OverflowError from anywhere is one line as well."""

        def overflow():
            raise OverflowError("34, 'Numerical result out of range'")

        monkeypatch.setattr("causal_theory.cli.app", overflow)
        with pytest.raises(SystemExit):
            main()
        assert capsys.readouterr().err.startswith("error: a number is too large to compute with: 34")


class TestWhatIsNoNumber:
    """Values that are no numbers, in types whose comparisons raise; and settings that only floats were accepted for."""

    @pytest.mark.parametrize("nan", [Decimal("NaN"), sympy.nan, np.longdouble("nan")])
    def test_nan_of_other_kinds(self, nan):
        for name, check in (
            ("epsilon must be a finite number greater than 0", check_epsilon),
            ("x must be a finite number of at least 0", lambda value: check_positive("x", value, or_zero=True)),
            ("beta0 must be a finite number", lambda value: Stage1(beta0=value)),
            ("floor must be a number between 0 and 1", lambda value: DirichletPrior(3, 1.0, floor=value)),
            ("threshold must be a number or None", lambda value: recover_graph(ZEROS, value)),
        ):
            with pytest.raises(InvalidArgumentError, match=name):
                check(nan)

    @pytest.mark.parametrize("half", [Fraction(1, 2), Decimal("0.5"), sympy.Rational(1, 2), np.longdouble(0.5)])
    def test_levels_and_thresholds(self, half):
        plain = prediction_error(TASK, ZEROS, EYE, samples=30, level=0.5, confidence=0.5, rng=0)
        found = prediction_error(TASK, ZEROS, EYE, samples=30, level=half, confidence=half, rng=0)
        assert repr(found) == repr(plain)
        assert (found.quantile_interval, found.mean_interval) == (plain.quantile_interval, plain.mean_interval)
        scores = np.tril(np.full((4, 4), 0.25)) + np.diag([0.75] * 3, -1)
        assert recover_graph(scores, half).tolist() == recover_graph(scores, 0.5).tolist() == [-1, 0, 1, 2]

    @pytest.mark.parametrize("value", ["0.5", None, 1j, [], [0.5], 0.0, 1, 10**400, Decimal("NaN")])
    @pytest.mark.parametrize("name", ["level", "confidence"])
    def test_no_levels(self, name, value):
        message = rf"^{name} must be a number between 0 and 1, both excluded, got "
        with pytest.raises(InvalidArgumentError, match=message):
            prediction_error(TASK, ZEROS, EYE, samples=30, rng=0, **{name: value})

    @pytest.mark.parametrize("value", ["0.5", 1j, [], [0.1, 0.2]])
    def test_no_thresholds(self, value):
        with pytest.raises(InvalidArgumentError, match=r"^threshold must be a number or None, got "):
            recover_graph(ZEROS, value)

    @pytest.mark.parametrize("kind", [Fraction, Decimal, sympy.Rational])
    def test_entries_of_other_kinds(self, kind):
        rows = [[kind("0.1"), kind("0.9")], [kind("0.75"), 0.25]]
        prior = PointPrior(rows)
        assert prior.transition.tolist() == [[0.1, 0.9], [0.75, 0.25]]
        assert prior.moved == 0.0
        task = InContextTask(CausalGraph.chain(4), prior)
        same = parent_attention_loss(task, [[0.1, 0.9], [0.75, 0.25]], epsilon=0.1).value
        assert parent_attention_loss(task, rows, epsilon=0.1).value == same
        settings = {"weight_decay": kind("0.5"), "beta1": kind("0.5"), "beta2": kind("0.5")}
        found = TrainingSettings(steps=2, batch_size=2, learning_rate=1.0, **settings)
        assert [type(getattr(found, name)) for name in settings] == [float] * 3

    @pytest.mark.parametrize("rows", [[[None, 1.0], [0.5, 0.5]], [[Fraction(1, 2), "0.5"], [0.5, 0.5]]])
    def test_no_entries(self, rows):
        with pytest.raises(TransitionError, match=r"^transition must be an array of real numbers, got "):
            PointPrior(rows)

    def test_entries_beyond_doubles(self):
        with pytest.raises(TransitionError, match=r"^transition must have finite entries of at least 0, got inf"):
            PointPrior([[10**400, 0], [0, 1]])
        with pytest.raises(GraphError, match=r"^adjacency must be a square matrix of zeros and ones: int too large"):
            CausalGraph.from_adjacency([[10**400, 0], [0, 0]])

    @pytest.mark.parametrize("name", ["weight_decay", "beta1", "beta2"])
    def test_no_single_number(self, name):
        with pytest.raises(InvalidArgumentError, match=rf"^{name} must be a (finite )?number "):
            TrainingSettings(steps=2, batch_size=2, learning_rate=1.0, **{name: [0.5, 0.5]})
