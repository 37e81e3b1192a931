"""Drawings in notebooks: graphs, sparklines and heat maps as SVG."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from causal_theory import (
    CausalGraph,
)
from causal_theory.notebook import heat_map, sparkline
from causal_theory.notebook.graphs import LONGEST, SHOWN, draw_graph
from causal_theory.notebook.svg import MOST_CELLS, NEGATIVE, POSITIVE, block_size
from causal_theory.testing import forests
from tests.test_notebook import SEVERAL, SVG, check, parse, words


def arrows(drawing):
    """Start and end of each arc, from the path of its line."""
    found = []
    for path in parse(drawing.markup).iter(f"{SVG}path"):
        curve = re.fullmatch(r"M(\S+) (\S+)C(\S+) \S+ (\S+) \S+ (\S+) (\S+)", path.get("d"))
        if curve:
            found.append((float(curve[1]), float(curve[5])))
    return found


class TestGraph:
    @given(forests(max_length=30))
    def test_shapes_say_what_a_position_is(self, graph):
        root = check(graph._repr_svg_())
        children = sum(map(bool, graph.parents))
        assert len(list(root.iter(f"{SVG}circle"))) == children
        # The query, a root, is a diamond.
        assert len(list(root.iter(f"{SVG}rect"))) == len(graph.roots) - 1
        assert [text.text for text in root.iter(f"{SVG}text")] == [*map(str, range(graph.length)), "query"]

    @given(forests(max_length=30))
    def test_one_arc_for_each_edge(self, graph):
        drawing = draw_graph(graph)
        ends = arrows(drawing)
        places = self.places(drawing)
        # Rounding to a tenth of a pixel cannot reach the neighbour, 28 pixels away.
        found = sorted(tuple(min(places, key=lambda i, x=x: abs(places[i] - x)) for x in arc) for arc in ends)
        assert found == sorted(graph.edges)

    @staticmethod
    def places(drawing):
        texts = parse(drawing.markup).iter(f"{SVG}text")
        return {int(text.text): float(text.get("x")) for text in texts if text.text.isdigit()}

    @given(forests(max_length=30))
    def test_nothing_is_cut_off(self, graph):
        root = parse(draw_graph(graph, false=[(0, graph.length - 1)]).markup)[0]
        _, _, width, height = map(float, root.get("viewBox").split())
        down = float(re.search(r"translate\(0 (\S+)\)", root.find(f"{SVG}g").get("transform"))[1])
        for path in root.iter(f"{SVG}path"):
            curve = re.fullmatch(r"M(\S+) (\S+)C(\S+) (\S+) (\S+) (\S+) (\S+) (\S+)", path.get("d"))
            if curve:
                x0, y0, _, y1, _, y2, x3, y3 = map(float, curve.groups())
                middle = (y0 + 3.0 * y1 + 3.0 * y2 + y3) / 8.0
                assert 0.0 <= min(x0, x3) <= max(x0, x3) <= width
                assert down + min(middle, y0, y3) >= 0.0
                assert down + max(middle, y0, y3) <= height

    def test_several_parents(self):
        assert len(arrows(draw_graph(SEVERAL))) == 7
        assert "edges 0 to 2, 1 to 2, 0 to 3, 2 to 3, 1 to 4, 2 to 4, 3 to 4" in parse(SEVERAL._repr_svg_())[0][0].text

    def test_arcs_at_one_position_do_not_cross(self):
        """Long arcs enclose short ones: they leave further left and arrive further right; arrivals are on the left."""
        ends = dict(zip(SEVERAL.edges, arrows(draw_graph(SEVERAL)), strict=True))
        assert ends[1, 2][1] < ends[0, 2][1] < ends[2, 4][0] < ends[2, 3][0]
        assert ends[3, 4][1] < ends[2, 4][1] < ends[1, 4][1]
        assert len({x for arc in ends.values() for x in arc}) == 2 * len(ends)

    def test_other_targets_are_marked(self):
        drawing = draw_graph(CausalGraph([(), (0,), (1,), (0, 2)], (1, 2)))
        assert [text.text for text in parse(drawing.markup).iter(f"{SVG}text")].count("y") == 2
        assert "positions marked y" in drawing.legend

    def test_long_graphs_are_shortened_in_words(self):
        whole = draw_graph(CausalGraph.chain(LONGEST))
        assert len(self.places(whole)) == LONGEST
        graph = CausalGraph.chain(LONGEST + 1)
        drawing = draw_graph(graph)
        assert sorted(self.places(drawing)) == [*range(SHOWN), LONGEST]
        assert f"{LONGEST - SHOWN} are left out" in drawing.legend
        assert f"… {LONGEST - SHOWN} more …" in words(drawing.markup)
        assert len(arrows(drawing)) == SHOWN - 1

    def test_wide_ones_scroll(self):
        assert parse(CausalGraph.chain(60)._repr_html_()).find(".//div[@tabindex]") is not None
        assert parse(CausalGraph.chain(6)._repr_html_()).find(".//div[@tabindex]") is None

    def test_wrong_edges_are_told_apart(self):
        drawing = draw_graph(CausalGraph.chain(5), missed=[(1, 2)], false=[(0, 3)])
        dashed = {
            path.get("stroke-dasharray"): path.get("stroke")
            for path in parse(drawing.markup).iter(f"{SVG}path")
            if path.get("stroke-dasharray")
        }
        assert dashed == {"4 3": NEGATIVE, "1.5 2.5": POSITIVE}
        assert "Dashed: edges that were not found. Dotted, below: found, but no edges." in drawing.legend
        assert "1 edges not found, 1 false ones" in drawing.markup


class TestSparkline:
    @staticmethod
    def points(markup):
        path = parse(markup).findall(f".//{SVG}path")[-1].get("d")
        return [
            [tuple(map(float, point.split())) for point in piece.split("L")]
            for piece in path.removeprefix("M").split("M")
        ]

    def test_heights_follow_the_values(self):
        ((a, b, c),) = self.points(sparkline([1.0, 3.0, 2.0], "title"))
        assert a[0] < b[0] < c[0]
        assert a[1] - c[1] == pytest.approx(c[1] - b[1], abs=0.11)  # a tenth of a pixel
        assert a[1] > b[1]

    def test_gaps(self):
        pieces = self.points(sparkline([1.0, 2.0, np.nan, 3.0, np.inf, np.inf, 2.0, 2.5], "title"))
        assert [len(piece) for piece in pieces] == [2, 2, 2]
        assert pieces[1][0] == pieces[1][1]

    def test_nothing_to_draw(self):
        assert sparkline([], "title") == sparkline([1.0], "title") == sparkline([np.nan, 1.0, np.inf], "title") == ""

    def test_values_at_the_end_of_the_range(self):
        ((a, b, c),) = self.points(sparkline([-1.7e308, 0.0, 1.7e308], "title"))
        assert a[1] - b[1] == pytest.approx(b[1] - c[1], abs=0.11)

    def test_lines_to_compare_with(self):
        drawn = sparkline([2.0, 1.0], "title", lines=[0.0, np.nan])
        (dashed, curve) = parse(drawn).findall(f".//{SVG}path")
        assert dashed.get("stroke-dasharray")
        height = float(re.match(r"M\S+ ([\d.]+)H", dashed.get("d"))[1])
        assert height > max(float(y) for y in re.findall(r"[ML]\S+ ([\d.]+)", curve.get("d")))

    def test_many_values_are_thinned(self):
        assert len(sparkline(np.arange(100_000.0), "title")) < 6_000


class TestHeatMap:
    @staticmethod
    def areas(markup):
        """Number of squares of each colour and opacity."""
        root = parse(markup)
        paths = [path for path in root.iter(f"{SVG}path") if path.get("fill-opacity")]
        runs = {
            (path.get("fill"), path.get("fill-opacity")): re.findall(r"h(\d+)v(\d+)", path.get("d")) for path in paths
        }
        return {key: sum(int(width) // int(side) for width, side in found) for key, found in runs.items()}

    def test_squares(self):
        found = self.areas(heat_map(np.array([[1.0, 1.0, 0.0], [-0.5, 1.0, -0.01]]), "title"))
        assert found == {(POSITIVE, "1"): 3, (NEGATIVE, "0.5"): 1}

    def test_blocks_show_their_largest_entry(self):
        matrix = np.zeros((MOST_CELLS + 1, MOST_CELLS + 1))
        matrix[0, 0], matrix[1, 1], matrix[MOST_CELLS, 0] = 0.5, -1.0, 1.0
        assert block_size(matrix.shape) == 2
        assert self.areas(heat_map(matrix, "title")) == {(NEGATIVE, "1"): 1, (POSITIVE, "1"): 1}

    @given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=50)))
    def test_anything_can_be_drawn(self, matrix):
        check(heat_map(matrix, "title"))
