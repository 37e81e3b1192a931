"""Results as data frames and in LaTeX: their numbers, what is undefined, and what a missing package is called."""

import sys

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    EdgeReport,
    InContextTask,
    OrbitPrior,
    Stage2,
    check_assumptions,
    edge_scores,
    learning_curve,
    subset_informations,
    train_population,
)
from causal_theory.falsification import trace_map
from tests.helpers import assert_close

pandas = pytest.importorskip("pandas", reason="needs the extra sweep")

PRIOR = OrbitPrior([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]])
TASK = InContextTask(CausalGraph.chain(6), PRIOR)


@pytest.fixture(scope="module")
def report():
    return EdgeReport(edge_scores(TASK, epsilon=0.01), TASK.graph)


class TestFrames:
    def test_report(self, report):
        frame = report.to_pandas()
        expected = ["position", "parent", "predicted", "best_key", "best_rival", "margin", "margin_error"]
        assert frame.columns.tolist() == expected
        assert frame["position"].tolist() == list(range(6))
        assert frame["parent"].tolist() == [-1, 0, 1, 2, 3, -1]
        assert_close(frame["margin"].to_numpy()[1:5], report.margin[1:5], rtol=0.0)

    def test_assumptions(self):
        checked = check_assumptions(DirichletPrior(3, 1.0))
        frame = checked.to_pandas()
        assert frame["name"].tolist() == [check.name for check in checked]
        assert frame["holds"].tolist() == [False, False, True, True]

    def test_sets_come_by_falling_information(self):
        found = subset_informations(TASK, 3, 2)
        frame = found.to_pandas()
        assert frame["subset"][0] == ", ".join(map(str, found.best))
        assert frame["information"].is_monotonic_decreasing
        assert frame["information"][0] == found.of(found.best)

    def test_learning_curve(self):
        curve = learning_curve(lambda length: InContextTask(CausalGraph.chain(length), PRIOR), [4, 8])
        frame = curve.to_pandas()
        assert frame["length"].tolist() == [4, 8]
        assert_close(frame["normalised_excess"].to_numpy(), curve.normalised_excess, rtol=0.0)

    def test_both_stages(self):
        run = train_population(TASK, epsilon=0.1, stage2=Stage2(steps=3))
        first, second = run.stage1.to_pandas(), run.stage2.to_pandas()
        assert first.columns.tolist() == ["step", *(f"attention_of_{i}" for i in (1, 2, 3, 4))]
        assert_close(first["attention_of_3"].to_numpy(), run.stage1.attention_on_parents[:, 3], rtol=0.0)
        assert_close(second["loss"].to_numpy(), run.stage2.losses, rtol=0.0)

    def test_map_has_one_row_for_each_cell(self):
        found = trace_map("chain", [4, 6], ["1/2", 1, 2])
        frame = found.to_pandas()
        assert len(frame) == found.values.size
        row = frame[(frame["x"] == found.x[1]) & (frame["y"] == found.y[0])]
        assert row["value"].tolist() == [found.values[0, 1]]


class TestLatex:
    @pytest.fixture(autouse=True)
    def _jinja2(self):
        pytest.importorskip("jinja2", reason="needs the extra verify")

    def test_has_a_line_for_each_position(self, report):
        lines = report.to_latex().splitlines()
        assert lines[0].startswith(r"\begin{tabular}")
        assert lines[2].startswith(r"position & parent & predicted & best\_key")
        rows = [line.removesuffix(r" \\").split(" & ") for line in lines[4:-2]]
        assert [row[0] for row in rows] == [str(i) for i in range(6)]
        assert rows[2][5] == f"{report.margin[2]:.6g}"
        assert rows[0][5] == "" or rows[0][5].isspace()

    def test_caption_and_label(self, report):
        text = report.to_latex(caption="Margins", label="tab:margins")
        assert r"\caption{Margins}" in text
        assert r"\label{tab:margins}" in text

    def test_texts_are_escaped(self):
        assert r"E[pi] = 11\textasciicircum T/S" in check_assumptions(PRIOR).to_latex()


@pytest.mark.parametrize(("package", "call"), [("pandas", "to_pandas"), ("pandas", "to_latex"), ("jinja2", "to_latex")])
def test_missing_packages_are_named_with_what_installs_them(package, call, report, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] in (package, "pandas.io.formats.style")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("pandas.io.formats.style", "pandas.io.formats.style_render"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'{package}: pip install "\.\[\w+\]" in the folder of the sources'):
        getattr(report, call)()


def test_numbers_of_one_type_stay_numbers(report):
    assert report.to_pandas()["margin"].dtype == np.float64
