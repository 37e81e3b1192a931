"""Figures of sweeps: the numbers drawn are means over rows, and the figure says what was left out."""

import matplotlib as mpl
import numpy as np
import pytest

from causal_theory.errors import InvalidArgumentError
from causal_theory.plotting import plot_sweep
from causal_theory.plotting.groups import average_groups

from ..helpers import assert_close

mpl.use("agg")
from matplotlib import pyplot

LENGTHS, LEVELS, REPEATS = (8, 16, 32), (0.1, 1.0), 5


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


@pytest.fixture
def table():
    """A row for each length, level and repeat, in no order."""
    rng = np.random.default_rng(0)
    rows = [(length, level, repeat) for length in LENGTHS for level in LEVELS for repeat in range(REPEATS)]
    order = rng.permutation(len(rows))
    length, level, repeat = (np.array(column)[order] for column in zip(*rows, strict=True))
    return {
        "length": length,
        "level": level,
        "repeat": repeat,
        "kind": np.array(["a", "b"])[repeat % 2],
        "won": rng.random(len(rows)) < 0.5,
        "margin": rng.normal(size=len(rows)),
    }


def rows_of(table, name, **wanted):
    """By hand: the entries of a column in the rows that have certain values."""
    count = len(table[name])
    return [table[name][k] for k in range(count) if all(table[key][k] == one for key, one in wanted.items())]


def mesh_of(ax):
    (mesh,) = [item for item in ax.collections if type(item).__name__ == "QuadMesh"]
    return np.ma.filled(mesh.get_array(), np.nan)


def legend_of(ax):
    return [] if ax.get_legend() is None else [text.get_text() for text in ax.get_legend().get_texts()]


def bars_of(ax):
    """Half the lengths of the error bars of each curve."""
    segments = [item.get_segments() for item in ax.collections if type(item).__name__ == "LineCollection"]
    return [[(end - start)[1] / 2.0 for start, end in curve] for curve in segments]


class TestMaps:
    def test_cells_are_means(self, table):
        shown = mesh_of(plot_sweep(table, "margin", x="level", y="length"))
        for k, length in enumerate(LENGTHS):
            for j, level in enumerate(LEVELS):
                assert_close(shown[k, j], np.mean(rows_of(table, "margin", length=length, level=level)), rtol=1e-12)

    def test_errors_mark_what_is_undecided(self, table):
        table["margin"] = np.where(table["level"] == 1.0, 1.0, 0.0) + 0.01 * table["repeat"]
        ax = plot_sweep(table, "margin", x="level", y="length", boundary=0.02)
        # Repeats 0 to 4: the mean of the lower level is 0.02, its standard error 0.01 sqrt(2.5/5).
        assert "within 2 errors of the boundary (3)" in legend_of(ax)
        assert "errors up to 0.0071" in legend_of(plot_sweep(table, "margin", x="level", y="length"))

    def test_shares_have_their_scale(self, table):
        ax = plot_sweep(table, "won", x="level", y="length")
        (mesh,) = [item for item in ax.collections if type(item).__name__ == "QuadMesh"]
        assert mesh.get_clim() == (0.0, 1.0)

    def test_a_cell_that_was_not_computed(self, table):
        kept = ~((table["length"] == 16) & (table["level"] == 1.0))
        ax = plot_sweep({name: column[kept] for name, column in table.items()}, "won", x="level", y="length")
        assert np.isnan(mesh_of(ax)).tolist() == [[False, False], [False, True], [False, False]]
        assert "not computed (1)" in legend_of(ax)

    def test_no_errors_where_one_row_is_alone(self, table):
        first = table["repeat"] == 0
        ax = plot_sweep({name: column[first] for name, column in table.items()}, "margin", x="level", y="length")
        assert legend_of(ax) == []


class TestCurves:
    def test_points_and_bars(self, table):
        ax = plot_sweep(table, "margin", x="length")
        own = [rows_of(table, "margin", length=length) for length in LENGTHS]
        line = ax.get_lines()[0]
        assert line.get_xdata().tolist() == list(LENGTHS)
        assert_close(line.get_ydata(), [np.mean(one) for one in own], rtol=1e-12)
        assert_close(bars_of(ax)[0], [np.std(one, ddof=1) / np.sqrt(len(one)) for one in own], rtol=1e-9)
        assert ax.get_xscale() == "log"

    def test_bars_of_a_share(self, table):
        ax = plot_sweep(table, "won", x="level")
        own = [rows_of(table, "won", level=level) for level in LEVELS]
        guess = [(sum(one) + 1.0) / (len(one) + 2.0) for one in own]
        assert_close(bars_of(ax)[0], [np.sqrt(g * (1.0 - g) / 15.0) for g in guess], rtol=1e-9)
        assert ax.get_ylabel() == "share of won (0 to 1)"

    def test_one_line_for_each_kind(self, table):
        ax = plot_sweep(table, "margin", x="length", lines="kind", labels={"kind": "family"})
        named = {line.get_label(): line for line in ax.get_lines() if line.get_label().startswith("family")}
        assert list(named) == ["family: a", "family: b"]
        own = [np.mean(rows_of(table, "margin", length=length, kind="b")) for length in LENGTHS]
        assert_close(named["family: b"].get_ydata(), own, rtol=1e-12)
        assert "bars: one standard error" in legend_of(ax)

    def test_boundary(self, table):
        assert "boundary at 0.5" in legend_of(plot_sweep(table, "won", x="length", boundary=0.5))


class TestRows:
    def test_selected(self, table):
        ax = plot_sweep(table, "margin", x="length", where={"level": 0.1, "kind": "a"})
        own = [np.mean(rows_of(table, "margin", length=length, level=0.1, kind="a")) for length in LENGTHS]
        assert_close(ax.get_lines()[0].get_ydata(), own, rtol=1e-12)

    def test_without_a_finite_value(self, table):
        table["margin"][[0, 1]] = np.nan, np.inf
        kept = np.isfinite(table["margin"])
        ax = plot_sweep(table, "margin", x="length")
        assert "rows without a finite value left out (2)" in legend_of(ax)
        other = plot_sweep({name: column[kept] for name, column in table.items()}, "margin", x="length")
        assert_close(ax.get_lines()[0].get_ydata(), other.get_lines()[0].get_ydata(), rtol=1e-14)

    def test_missing_truth_values(self, table):
        """A unit that failed has none, and the column then holds objects."""
        wanted = average_groups([table["length"][2:]], table["won"][2:].astype(float), share=True).means
        table["won"] = table["won"].astype(object)
        table["won"][:2] = None
        ax = plot_sweep(table, "won", x="length")
        assert_close(ax.get_lines()[0].get_ydata(), wanted, rtol=1e-12)
        assert ax.get_ylabel() == "share of won (0 to 1)"

    def test_a_data_frame_will_do(self, table):
        pandas = pytest.importorskip("pandas")
        shown = mesh_of(plot_sweep(pandas.DataFrame(table), "won", x="level", y="length"))
        assert_close(shown, mesh_of(plot_sweep(table, "won", x="level", y="length")), rtol=1e-14)


BAD = [
    ({"value": "speed"}, "'speed' must be a column of the table"),
    ({"x": "speed"}, "'speed' must be a column of the table"),
    ({"value": "kind"}, "kind must be an array of real numbers"),
    ({"x": "kind"}, "kind must be an array of real numbers"),
    ({"y": "level", "lines": "kind"}, "lines must be None together with y, got 'kind'"),
    ({"lines": "margin"}, "lines must have at most 6 values, got 30"),
    (
        {"where": {"level": 7.0}},
        r"won must have a finite value in some row, got none in 0 of 30 rows with level = 7\.0",
    ),
    ({"value": "short"}, r"column length must have one entry in each of 2 rows, got \(30,\)"),
    ({"value": "square"}, r"column square must have one entry in each of any number of rows, got \(30, 30\)"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_mistakes(table, change, message):
    table |= {"short": np.ones(2), "square": np.ones((30, 30))}
    options = {"value": "won", "x": "length"} | change
    with pytest.raises(InvalidArgumentError, match=message):
        plot_sweep(table, options.pop("value"), **options)
