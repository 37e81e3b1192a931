"""Matrices as people have them: data frames, tables with names, archives, counts and rounded rows."""

import json
import math
import pickle

import numpy as np
import pytest
from typer.testing import CliRunner

from causal_theory import CausalGraph, OrbitPrior, PointPrior, TaskSpec, estimate_transition, stationary_distribution
from causal_theory.cli import app
from causal_theory.errors import InvalidArgumentError, TransitionError
from causal_theory.specs import PriorSpec
from tests.helpers import assert_close

MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]
NAMES = ["rain", "snow", "sun"]
COUNTS = [[40, 140, 20], [21, 99, 80], [125, 15, 60]]


def rows(separator=",", names=False, columns=False, corner="", matrix=MATRIX):
    """A table as text, with or without names."""
    lines = [
        separator.join(([name] if names else []) + [repr(cell) for cell in row])
        for name, row in zip(NAMES, matrix, strict=True)
    ]
    if columns:
        lines.insert(0, separator.join(([corner] if names and corner is not None else []) + NAMES))
    return "\n".join(lines) + "\n"


class TestTables:
    @pytest.mark.parametrize(
        ("suffix", "text"),
        [
            ("csv", rows()),
            ("csv", rows(columns=True)),
            ("csv", rows(names=True)),
            ("csv", rows(names=True, columns=True)),
            ("csv", rows(names=True, columns=True, corner="from")),
            ("csv", rows(names=True, columns=True, corner=None)),
            ("csv", rows(";", names=True, columns=True)),
            ("csv", rows("\t")),
            ("tsv", rows("\t")),
            ("tsv", rows("\t", names=True, columns=True)),
            ("tab", rows("\t", columns=True)),
            ("csv", "\ufeff" + rows(columns=True)),
            ("csv", ",0,1,2\n" + "".join(f"{k},{','.join(map(str, row))}\n" for k, row in enumerate(MATRIX))),
            ("csv", "0,1,2\n" + rows()),
            ("csv", "".join(f"{k},{','.join(map(str, row))}\n" for k, row in enumerate(MATRIX, start=1))),
            ("csv", rows(names=True, columns=True).replace("rain", '"rain, cold"')),
            ("csv", rows().replace("\n", "\r\n\r\n")),
        ],
    )
    def test_are_read(self, tmp_path, suffix, text):
        path = tmp_path / f"pi.{suffix}"
        path.write_bytes(text.encode())
        assert PointPrior(path).transition.tolist() == MATRIX
        assert OrbitPrior(str(path)).transition.tolist() == MATRIX
        assert PriorSpec(prior="point", transition=path).build_prior().transition.tolist() == MATRIX

    def test_every_digit_counts(self, tmp_path):
        """Floats of 17 digits come back to the last bit, which readers of tables do not promise."""
        drawn = np.random.default_rng(0).dirichlet(np.ones(30), size=30)
        path = tmp_path / "pi.csv"
        path.write_text("\n".join(",".join(map(repr, row)) for row in drawn.tolist()))
        assert np.array_equal(PointPrior(path).transition, PointPrior(drawn).transition)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("x,a,b\nb,0.9,0.1\na,0.2,0.8\n", "rows and columns in one order, got rows b, a and columns a, b"),
            (",0,1\n1,0.9,0.1\n0,0.2,0.8\n", "rows and columns in one order, got rows 1, 0"),
            ("x,a,b\nc,0.9,0.1\nd,0.2,0.8\n", "rows and columns of the same names, got rows c, d and columns a, b"),
            ("a,a\n0.9,0.1\n0.2,0.8\n", "rows of different names, got a, a"),
            ("0.9,0.x\n0.2,0.8\n", "got '0.9,0.x' in line 1"),
            ("0.9,\n0.2,0.8\n", "got '0.9,' in line 1"),
            ("a,b\n0.9,0.1\n0.2,zero\n", "got '0.2,zero' in line 3"),
            ("0,9;0,1\n0,2;0,8\n", "decimal points"),
            ("a,0.9,0.x\nb,0.2,0.8\n", "got '0.9,0.x' in line 1"),
            ("0.9,0.1_0\n0.2,0.8\n", "got '0.9,0.1_0' in line 1"),
            ("a,b\n0.9,nan\n0.2,0.8\n", r"finite entries of at least 0, got nan at \(0, 1\)"),
        ],
    )
    def test_refused(self, tmp_path, text, message):
        path = tmp_path / "pi.csv"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TransitionError, match=message):
            PointPrior(path)

    def test_a_text_that_names_no_file_is_no_matrix(self):
        with pytest.raises(TransitionError, match=r"readable file, got 'missing\.csv'"):
            PointPrior("missing.csv")
        with pytest.raises(TransitionError, match="array of real numbers"):
            PointPrior("missing")
        assert PointPrior(json.dumps(MATRIX)).transition.tolist() == MATRIX


class TestArchives:
    def test_one_array(self, tmp_path):
        np.savez(tmp_path / "one.npz", MATRIX)
        assert PointPrior(tmp_path / "one.npz").transition.tolist() == MATRIX

    def test_several_arrays(self, tmp_path):
        path = tmp_path / "laws.npz"
        np.savez(path, first=np.eye(2), pi=MATRIX)
        assert PointPrior(f"{path}:pi").transition.tolist() == MATRIX
        with pytest.raises(TransitionError, match=r"archive of several: 'first, pi'; name one .* laws.npz:first"):
            PointPrior(path)
        with pytest.raises(TransitionError, match="must name one of its arrays, 'first, pi'"):
            PointPrior(f"{path}:third")
        np.savez(path, first=np.eye(2), transition=MATRIX)
        assert PointPrior(path).transition.tolist() == MATRIX

    def test_what_is_none(self, tmp_path):
        (tmp_path / "pi.npz").write_bytes(b"PK\x03\x04 cut")
        with pytest.raises(TransitionError, match="readable file that holds one array"):
            PointPrior(tmp_path / "pi.npz")


class Polars:
    """What polars hands out: names of columns, no index."""

    def __init__(self, columns, cells):
        self.columns, self._cells = columns, cells

    def to_numpy(self):
        return np.array(self._cells, dtype=object if isinstance(self._cells[0][0], str) else None)


class TestFrames:
    @pytest.fixture
    def pandas(self):
        return pytest.importorskip("pandas", reason="needs the extra sweep")

    @pytest.mark.parametrize("make", [PointPrior, OrbitPrior])
    def test_pandas(self, pandas, make):
        for index, columns in [(None, None), (None, NAMES), (NAMES, None), (NAMES, NAMES)]:
            frame = pandas.DataFrame(MATRIX, index=index, columns=columns)
            assert make(frame).transition.tolist() == MATRIX
        named = pandas.DataFrame(MATRIX, columns=NAMES)
        named.insert(0, "from", NAMES)
        assert make(named).transition.tolist() == MATRIX

    @pytest.mark.parametrize("order", [[1, 0, 2], [2, 1, 0]])
    def test_order_is_never_silent(self, pandas, order):
        shuffled = [NAMES[k] for k in order]
        frame = pandas.DataFrame(MATRIX, index=NAMES, columns=NAMES)
        wrong = frame.loc[shuffled]
        for call in (PointPrior, stationary_distribution, lambda one: PriorSpec(prior="point", transition=one)):
            with pytest.raises(TransitionError, match=r"one order, got rows .*frame.loc\[frame.columns\]"):
                call(wrong)
        assert PointPrior(wrong.loc[wrong.columns]).transition.tolist() == MATRIX
        both = frame.loc[shuffled, shuffled]
        assert PointPrior(both).transition[0, 0] == MATRIX[order[0]][order[0]]
        counting = pandas.DataFrame(MATRIX, columns=order)
        with pytest.raises(TransitionError, match="one order"):
            PointPrior(counting)

    def test_counts_of_a_frame(self, pandas):
        frame = pandas.DataFrame(COUNTS, index=NAMES, columns=NAMES)
        assert_close(estimate_transition(frame).value, np.array(COUNTS) / 200.0, rtol=0.0)
        with pytest.raises(InvalidArgumentError, match="one order"):
            estimate_transition(frame.iloc[::-1])

    def test_sequences_may_have_any_names(self, pandas):
        tokens = [[0, 1, 0, 1], [1, 0, 1, 0]]
        frame = pandas.DataFrame(tokens, columns=[3, 2, 1, 0])
        found = estimate_transition(frame, CausalGraph.chain(4), smoothing=1)
        assert np.array_equal(found.value, estimate_transition(tokens, CausalGraph.chain(4), smoothing=1).value)

    def test_missing_entries_are_refused(self, pandas):
        with pytest.raises(TransitionError, match="got nan at"):
            PointPrior(pandas.DataFrame([[0.5, None], [0.5, 0.5]]))

    def test_columns_alone(self):
        assert PointPrior(Polars(["column_0", "column_1"], [[0.9, 0.1], [0.2, 0.8]])).transition[1, 0] == 0.2
        named = Polars(["from", "a", "b"], [["a", 0.9, 0.1], ["b", 0.2, 0.8]])
        assert PointPrior(named).transition.tolist() == [[0.9, 0.1], [0.2, 0.8]]
        with pytest.raises(TransitionError, match="one order"):
            PointPrior(Polars(["from", "a", "b"], [["b", 0.9, 0.1], ["a", 0.2, 0.8]]))

    def test_polars(self):
        polars = pytest.importorskip("polars", reason="polars is not installed")
        frame = polars.DataFrame(dict(zip(NAMES, np.transpose(MATRIX), strict=True)))
        assert PointPrior(frame).transition.tolist() == MATRIX
        named = frame.with_columns(polars.Series("from", NAMES)).select("from", *NAMES)
        assert PointPrior(named).transition.tolist() == MATRIX
        with pytest.raises(TransitionError, match="one order"):
            PointPrior(named.reverse())


def test_a_tensor_that_needs_a_gradient_says_what_to_do():
    class Tensor:
        """What PyTorch does with a tensor that requires a gradient."""

        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")

    with pytest.raises(TransitionError, match=r"transition must be an array of real numbers: .*detach\(\)"):
        PointPrior(Tensor())


class TestNormalise:
    def test_counts(self):
        prior = PointPrior(COUNTS, normalise=True)
        assert_close(prior.transition, np.array(COUNTS) / 200.0, rtol=1e-15)
        assert [math.fsum(row) for row in prior.transition] == [1.0, 1.0, 1.0]
        assert prior.row_sums == (200.0, 200.0)
        assert "row_sums=(200, 200)" in repr(prior)
        assert "rows divided by their sums, 200 to 200" in prior._repr_html_()
        assert prior.to_dict()["row_sums"] == [200.0, 200.0]
        assert pickle.loads(pickle.dumps(prior)).row_sums == (200.0, 200.0)

    def test_single_precision(self):
        logits = np.random.default_rng(1).normal(size=(50, 50)).astype(np.float32)
        soft = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert soft.dtype == np.float32
        with pytest.raises(
            TransitionError, match=r"sum to 1 .*; pass normalise=True \(--normalise\) for counts or rou"
        ):
            OrbitPrior(soft)
        prior = OrbitPrior(soft, normalise=True)
        assert_close(prior.transition, soft.astype(float), rtol=1e-6)
        assert prior.moved < 1e-7

    def test_laws_stay_as_they_are(self):
        prior = PointPrior(MATRIX, normalise=True)
        assert prior.transition.tolist() == MATRIX
        assert prior.row_sums is None
        assert "row_sums" not in prior.to_dict()

    def test_tensors(self):
        counts = np.random.default_rng(2).integers(1, 9, size=(2, 2, 2))
        prior = PointPrior({1: [[1, 3], [2, 2]], 2: counts}, normalise=True)
        assert_close(prior.transitions[2], counts / counts.sum(axis=-1, keepdims=True), rtol=1e-15)
        assert prior.row_sums == (min(4, counts.sum(axis=-1).min()), max(4, counts.sum(axis=-1).max()))

    @pytest.mark.parametrize(
        ("matrix", "message"),
        [
            ([[1, 2], [0, 0]], r"finite sum above 0, got 0.0 in row 1; leave out .* estimate_transition"),
            ([[1, -2], [1, 1]], r"at least 0, got -2.0 at \(0, 1\)"),
            ([[1, np.nan], [1, 1]], r"at least 0, got nan at \(0, 1\)"),
            ([[1, np.inf], [1, 1]], r"at least 0, got inf at \(0, 1\)"),
            ([[1.5e308, 1.5e308], [1, 1]], "finite sum above 0, got inf in row 0"),
            ([[1, 2, 3], [1, 2, 3]], r"square matrix with at least 2 symbols, got shape \(2, 3\)"),
            (3, r"rows of numbers, got shape \(\)"),
        ],
    )
    def test_refused(self, matrix, message):
        with pytest.raises(TransitionError, match=message):
            PointPrior(matrix, normalise=True)

    def test_command_line_says_so(self, tmp_path):
        path = tmp_path / "counts.csv"
        path.write_text(rows(names=True, columns=True, matrix=COUNTS), encoding="utf-8")
        arguments = ["scores", "--prior", "orbit", "--transition", str(path), "--length", "6"]
        with pytest.raises(TransitionError, match="--normalise"):
            raise CliRunner().invoke(app, arguments).exception
        done = CliRunner().invoke(app, [*arguments, "--normalise", "--json"])
        assert done.exit_code == 0, done.output
        assert done.stderr.strip() == "rows of the transition matrix were divided by their sums, from 200 to 200"
        assert json.loads(done.stdout)["task"]["prior"]["row_sums"] == [200.0, 200.0]

    def test_specs(self):
        spec = PriorSpec(prior="point", transition=COUNTS, normalise=True)
        assert PriorSpec.from_dict(spec.to_dict()).build_prior().row_sums == (200.0, 200.0)
        assert PriorSpec(symbols=3, normalise=False) == PriorSpec(symbols=3)
        assert PriorSpec(symbols=3, normalise=True).relevant() == PriorSpec(symbols=3)
        with pytest.raises(InvalidArgumentError, match="normalise must not be given together with prior dirichlet"):
            PriorSpec(symbols=3, normalise=True).build_prior()
        with pytest.raises(InvalidArgumentError, match="normalise must be true or false, got 'yes'"):
            PriorSpec(normalise="yes")

    def test_another_prior_leaves_it_behind(self):
        lower = TaskSpec(prior="point", transition=COUNTS, normalise=True)
        assert TaskSpec(prior="dirichlet").over(lower).normalise is None
        assert TaskSpec(transition=MATRIX).over(lower).normalise is None
        assert TaskSpec(length=5).over(lower).normalise is True
