"""Maps over two parameters: where cells, borders and marks stand, and what the legend says of them."""

import matplotlib as mpl
import numpy as np
import pytest

from causal_theory.errors import InvalidArgumentError
from causal_theory.plotting import plot_phase_diagram
from causal_theory.plotting.cells import cell_borders, is_geometric, threshold_segments

from .helpers import assert_close

mpl.use("agg")
from matplotlib import pyplot

X, Y = [1.0, 2.0, 3.0], [10.0, 100.0, 1000.0]
VALUES = np.array([[0.1, 0.4, 0.9], [0.2, 0.6, np.nan], [0.3, 0.7, 1.0]])
LABELS = {"xlabel": "trace", "ylabel": "length T (tokens)", "label": "share (0 to 1)"}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def draw(values=VALUES, x=X, y=Y, **options):
    return plot_phase_diagram(x, y, values, **LABELS, **options)


def mesh_of(ax):
    (mesh,) = [item for item in ax.collections if type(item).__name__ == "QuadMesh"]
    return mesh


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def marks_of(ax, label):
    """Places of the marks with that label."""
    (line,) = [line for line in ax.get_lines() if line.get_label() == label]
    return np.transpose(line.get_data()).tolist()


class TestScales:
    @pytest.mark.parametrize(
        ("values", "geometric"),
        [
            ([1.0, 2.0, 3.0, 4.0], False),
            ([1.0, 2.0, 4.0, 8.0], True),
            ([10.0, 20.0, 50.0, 100.0, 200.0], True),
            (np.geomspace(1e-3, 1.0, 40), True),
            (np.linspace(0.2, 1.8, 9), False),
            ([0.0, 1.0, 10.0], False),
            ([-1.0, 1.0, 10.0], False),
            ([1.0, 1000.0], False),
            ([5.0], False),
        ],
    )
    def test_geometric_spacing_is_seen(self, values, geometric):
        assert is_geometric(np.array(values)) == geometric

    @pytest.mark.parametrize(
        ("values", "geometric", "borders"),
        [
            ([1.0, 2.0, 4.0], False, [0.5, 1.5, 3.0, 5.0]),
            ([1.0, 4.0, 16.0], True, [0.5, 2.0, 8.0, 32.0]),
            ([3.0], False, [2.5, 3.5]),
        ],
    )
    def test_borders_lie_half_way(self, values, geometric, borders):
        assert_close(cell_borders(np.array(values), geometric=geometric), borders, rtol=1e-14)

    def test_axes_follow_the_spacing(self):
        ax = draw()
        assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
        assert_close(ax.get_xlim(), [0.5, 3.5], rtol=1e-14)
        assert_close(ax.get_ylim(), [10.0**0.5, 10.0**3.5], rtol=1e-14)

    def test_a_few_values_have_a_tick_each(self):
        ax = draw()
        assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "2", "3"]
        assert [text.get_text() for text in ax.get_yticklabels()] == ["10", "100", "1000"]
        assert not ax.yaxis.get_minorticklocs().size

    @pytest.mark.parametrize("x", [np.arange(4.0, 104.0), np.geomspace(1e-3, 1.0, 50)])
    def test_many_values_have_few_ticks(self, x):
        ax = draw(np.zeros((1, len(x))), x=x, y=[1.0])
        inside = [tick for tick in ax.get_xticks() if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
        assert 2 <= len(inside) <= 12


class TestCells:
    def test_values_stand_at_their_parameters(self):
        ax = draw()
        shown = mesh_of(ax).get_array()
        assert np.array_equal(shown.filled(-1.0), np.where(np.isnan(VALUES), -1.0, VALUES))
        corners = mesh_of(ax).get_coordinates()
        assert_close(corners[0, :, 0], [0.5, 1.5, 2.5, 3.5], rtol=1e-14)
        assert_close(corners[:, 0, 1], np.sqrt([10.0, 1e3, 1e5, 1e7]), rtol=1e-14)

    def test_labels(self):
        ax = draw()
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("trace", "length T (tokens)")
        (bar,) = ax.child_axes
        assert bar.get_ylabel() == "share (0 to 1)"

    def test_draws_on_the_given_axes(self):
        ax = pyplot.figure().subplots()
        assert draw(ax=ax) is ax

    def test_what_was_not_computed_is_hatched(self):
        ax = draw()
        (ground,) = ax.patches
        assert ground.get_hatch()
        assert ground.zorder < mesh_of(ax).zorder
        assert legend_of(ax) == ["not computed (1)"]
        full = draw(np.ones((3, 3)))
        assert not full.patches
        assert full.get_legend() is None

    def test_nothing_computed(self):
        ax = draw(np.full((3, 3), np.nan), boundary=0.0, errors=np.full((3, 3), np.nan))
        assert legend_of(ax) == [
            "boundary at 0, not crossed",
            "within 2 errors of the boundary (0)",
            "not computed (9)",
        ]
        ax.figure.draw_without_rendering()

    def test_colour_scales(self):
        assert mesh_of(draw()).get_clim() == (0.1, 1.0)
        assert mesh_of(draw(limits=(0, 1))).get_clim() == (0.0, 1.0)
        signed = mesh_of(draw(VALUES - 0.3))
        assert_close(signed.get_clim(), [-0.7, 0.7], rtol=1e-14)
        assert signed.get_cmap().name == "indigo_grey_yellow"
        assert mesh_of(draw(limits=(-0.2, 1.0))).get_clim() == (-1.0, 1.0)

    @pytest.mark.parametrize(
        ("limits", "extend"), [((0.0, 1.0), "neither"), ((0.2, 1.0), "min"), ((0.0, 0.9), "max"), ((0.2, 0.5), "both")]
    )
    def test_values_beyond_the_limits_are_told(self, limits, extend):
        assert mesh_of(draw(limits=limits)).colorbar.extend == extend


class TestBoundary:
    def test_runs_along_borders_of_cells(self):
        """By hand, for values of at least 0.5: cells of the upper right, but for the one that was not computed."""
        above = VALUES[:2, :2]
        segments = threshold_segments(above, 0.5, np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0]))
        assert sorted(map(np.ndarray.tolist, segments)) == [[[1, 1], [1, 2]], [[1, 1], [2, 1]]]

    def test_a_value_at_the_threshold_is_above(self):
        x = np.array([0.0, 1.0, 2.0])
        for values, count in (([[0.5, 0.4]], 1), ([[0.5, 0.6]], 0)):
            assert len(threshold_segments(np.array(values), 0.5, x, np.array([0.0, 1.0]))) == count

    @pytest.mark.parametrize("seed", range(5))
    def test_separates_every_pair_of_neighbours(self, seed):
        """As many pieces as there are pairs of neighbours on two sides, each between the two."""
        rng = np.random.default_rng(seed)
        values = np.where(rng.random((6, 7)) < 0.2, np.nan, rng.standard_normal((6, 7)))
        expected = set()
        for k in range(6):
            for m in range(7):
                for n, q, ends in ((k, m + 1, ((m + 1, k), (m + 1, k + 1))), (k + 1, m, ((m, k + 1), (m + 1, k + 1)))):
                    if n < 6 and q < 7 and (values[k, m] - 0.1) * (values[n, q] - 0.1) < 0.0:
                        expected.add(ends)
        segments = threshold_segments(values, 0.1, np.arange(8.0), np.arange(7.0))
        assert {tuple(map(tuple, segment)) for segment in segments} == expected
        assert len(segments) == len(expected)

    def test_is_told(self):
        assert "boundary at 0.5" in legend_of(draw(boundary=0.5))
        assert "boundary at -3, not crossed" in legend_of(draw(boundary=-3))


class TestMarks:
    def test_certified_cells(self):
        certain = VALUES > 0.65
        ax = draw(certified=certain)
        assert marks_of(ax, "certified (3 of 8)") == [[3.0, 10.0], [2.0, 1000.0], [3.0, 1000.0]]

    def test_cells_that_the_errors_do_not_decide(self):
        """0.4 and 0.6 are within two errors of 0.06 of the boundary 0.5; 0.3 and 0.7 are not."""
        errors = np.where(np.isnan(VALUES), np.nan, 0.06)
        ax = draw(errors=errors, boundary=0.5)
        assert marks_of(ax, "within 2 errors of the boundary (2)") == [[2.0, 10.0], [2.0, 100.0]]

    def test_errors_without_a_boundary_are_told(self):
        assert "errors up to 0.06" in legend_of(draw(errors=np.full((3, 3), 0.06)))

    def test_marks_fit_their_cells(self):
        """Sixty cells along each side of four inches."""
        side = np.arange(60.0)
        ax = draw(np.ones((60, 60)), x=side, y=side, certified=np.ones((60, 60), dtype=bool))
        cell = np.diff(ax.transData.transform([(0.0, 0.0), (1.0, 0.0)])[:, 0])[0] * 72.0 / ax.figure.dpi
        assert all(line.get_markersize() + line.get_markeredgewidth() < cell for line in ax.get_lines())


class TestCategories:
    NAMES = ("none", "some", "all")

    def test_each_has_a_colour_and_a_name(self):
        kinds = np.array([[0, 1, 2], [2, 1, 0], [np.nan, 2, 2]])
        ax = draw(kinds, categories=self.NAMES)
        (bar,) = ax.child_axes
        assert [text.get_text() for text in bar.get_yticklabels()] == list(self.NAMES)
        assert mesh_of(ax).get_clim() == (-0.5, 2.5)
        ax.figure.canvas.draw()
        colours = mesh_of(ax).get_facecolors()
        assert len(np.unique(colours[:6], axis=0)) == 3
        assert np.array_equal(colours[0], colours[5])

    @pytest.mark.parametrize(
        ("values", "options", "message"),
        [
            (np.full((3, 3), 3), {}, "values must be numbers of categories, 0 to 2, got 3"),
            (np.full((3, 3), 0.5), {}, "values must be numbers of categories, 0 to 2, got 0.5"),
            (
                np.zeros((3, 3)),
                {"boundary": 1.0},
                "boundary must be None when .* categories, got 1.0",
            ),
            (np.zeros((3, 3)), {"limits": (0, 1)}, r"limits must be None .* got \(0, 1\)"),
            (np.zeros((3, 3)), {"errors": np.zeros((3, 3))}, "errors must be None"),
        ],
    )
    def test_bad_input(self, values, options, message):
        with pytest.raises(InvalidArgumentError, match=message):
            draw(values, categories=self.NAMES, **options)

    @pytest.mark.parametrize("names", [(), "abc", (1, 2)])
    def test_bad_names(self, names):
        with pytest.raises(InvalidArgumentError, match="categories must be a sequence of at least one name, got"):
            draw(np.zeros((3, 3)), categories=names)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": [1.0, 3.0, 2.0]}, r"x must be finite and increasing, got \[1.0, 3.0, 2.0\]"),
        ({"x": [1.0, 1.0, 2.0]}, "x must be finite and increasing"),
        ({"y": [1.0, np.inf, 2.0]}, "y must be finite and increasing"),
        ({"y": [np.nan]}, "y must be finite and increasing"),
        ({"x": []}, r"x must be a sequence of numbers, got shape \(0,\)"),
        ({"x": 3.0}, r"x must be a sequence of numbers, got shape \(\)"),
        ({"x": ["a"]}, "x must be an array of real numbers"),
        ({"x": [1.0, 2.0]}, r"values must have shape \(3, 2\), one row for each y, got shape \(3, 3\)"),
        ({"values": np.full((3, 3), np.inf)}, "values must be finite, or NaN where nothing was computed"),
        ({"errors": np.ones((2, 3))}, r"errors must have shape \(3, 3\), one row for each y, got shape \(2, 3\)"),
        ({"errors": np.full((3, 3), -1.0)}, "errors must be finite and at least 0 where values are, got -1.0"),
        ({"errors": np.full((3, 3), np.nan)}, "errors must be finite and at least 0 where values are, got nan"),
        (
            {"certified": np.ones((3, 3), dtype=bool)},
            r"certified must be False where values is NaN, .* at \(1, 2\)",
        ),
        ({"certified": np.ones((3, 3))}, r"certified must be an array of bool of shape \(3, 3\), got float64"),
        ({"certified": np.zeros(3, dtype=bool)}, r"got bool of shape \(3,\)"),
        ({"boundary": np.nan}, "boundary must be a finite number, got nan"),
        ({"boundary": [1.0]}, r"boundary must be a finite number, got \[1.0\]"),
        ({"limits": (1.0, 0.0)}, r"limits must be two finite numbers, the smaller one first, got \(1.0, 0.0\)"),
        ({"limits": (0.0, 1.0, 2.0)}, "limits must be two finite numbers"),
        ({"limits": (0.0, np.inf)}, "limits must be two finite numbers"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        draw(**options)
    assert not pyplot.get_fignums()
