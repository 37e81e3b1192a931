"""Labels of positions: their order, the trips that they survive, and the tables and figures that use them."""

import copy
import json
import pickle

import numpy as np
import pytest

from causal_theory import CausalGraph, EdgeReport, InContextTask, OrbitPrior, edge_scores
from causal_theory.cli.options import describe
from causal_theory.errors import GraphError
from causal_theory.graphs import read_graph, write_graph
from causal_theory.training.record import describe_task

from .programs import run_program

LABELS = ("rain", "wet <b>", "slip$_$", "[mud]", "query")
GRAPH = CausalGraph.from_parents([-1, 0, 1, 0], labels=LABELS)
PLAIN = CausalGraph.from_parents([-1, 0, 1, 0])
PRIOR = OrbitPrior([[0.2, 0.8], [0.8, 0.2]])


class TestGraphs:
    def test_do_not_take_part_in_equality(self):
        assert GRAPH == PLAIN
        assert hash(GRAPH) == hash(PLAIN)
        assert PLAIN.labels is None

    def test_of_the_context_are_completed(self):
        assert CausalGraph.from_parents([-1, 0], labels=["a", "b"]).labels == ("a", "b", "query")
        assert CausalGraph.from_parents([-1, 0], labels=["a", "query"]).labels == ("a", "query", "query 2")

    def test_that_are_the_positions_are_none(self):
        assert CausalGraph([(), (0,)], labels=["0", "1"]).labels is None

    def test_name(self):
        assert [GRAPH.name(i) for i in range(5)] == list(LABELS)
        assert PLAIN.name(3) == "3"

    @pytest.mark.parametrize(
        ("labels", "match"),
        [
            (["a"], "labels must be one for each of 3 positions, the last .* got 1"),
            (["a", "a", "b"], "labels must differ, got 'a' twice"),
            (["a", " ", "b"], "texts that are not blank, got ' ' for position 1"),
            (["a", 1, "b"], "texts that are not blank, got 1 for position 1"),
            (["a", "\udc00", "b"], "texts that are not blank, got '.udc00' for position 1"),
            ("abc", "must be a sequence of texts, got 'abc'"),
            (7, "must be a sequence of texts, got 7"),
            (["1", "0", "2"], "must not be the positions in another order, got 1, 0, 2"),
        ],
    )
    def test_bad_labels(self, labels, match):
        with pytest.raises(GraphError, match=match):
            CausalGraph([(), (), ()], labels=labels)

    def test_repr_counts_the_query_by_itself(self):
        assert repr(GRAPH) == "CausalGraph(length=5, edges=3, roots=1, query=4, labels=('rain', 'wet <b>', ...))"
        assert repr(CausalGraph([(), (), (1, 0)])) == "CausalGraph(length=3, edges=2, roots=2)"


TRIPS = {
    "pickle": lambda graph, _: pickle.loads(pickle.dumps(graph)),
    "copy": lambda graph, _: copy.deepcopy(graph),
    "networkx": lambda graph, _: CausalGraph.from_networkx(graph.to_networkx()),
}


@pytest.mark.parametrize(
    "graph",
    [
        GRAPH,
        PLAIN,
        CausalGraph([(), (0,), (1, 0)], (2, 0), ["a", "b", "c"]),
        CausalGraph.from_parents([-1, 0], labels=["1", "0"]),
    ],
    ids=["labels", "none", "target", "numbers"],
)
class TestTrips:
    @pytest.mark.parametrize("trip", TRIPS.values(), ids=TRIPS)
    def test_objects(self, trip, graph, tmp_path):
        again = trip(graph, tmp_path)
        assert again == graph
        assert again.labels == graph.labels

    def test_files(self, graph, tmp_path):
        write_graph(tmp_path / "graph.json", graph)
        assert read_graph(tmp_path / "graph.json") == graph
        assert read_graph(tmp_path / "graph.json").labels == graph.labels


class TestIdentity:
    def test_is_that_of_the_graph_without_labels(self):
        """Checkpoints and sweeps compare runs by it, and no number depends on labels."""
        with_labels, without = (describe_task(InContextTask(graph, PRIOR)) for graph in (GRAPH, PLAIN))
        assert with_labels == without

    def test_pickles_of_graphs_without_labels_are_as_before(self):
        assert PLAIN.__reduce__() == (CausalGraph, (PLAIN.parents, PLAIN.target_parents))

    def test_output_says_them(self):
        assert describe(InContextTask(GRAPH, PRIOR))["labels"] == list(LABELS)
        assert "labels" not in describe(InContextTask(PLAIN, PRIOR))


class TestCommands:
    def test_tables_speak_in_labels(self, tmp_path):
        write_graph(tmp_path / "graph.json", GRAPH)
        options = ("--prior", "orbit", "--transition", "[[0.2,0.8],[0.8,0.2]]")
        shown = run_program("scores", "--graph-file", str(tmp_path / "graph.json"), *options).stdout.decode()
        assert "order of positions: rain, wet <b>, slip$_$, [mud], query" in shown
        rows = [line for line in shown.splitlines() if line.endswith(("right", "wrong"))]
        names = [[line[:12].strip(), line[12:25].strip(), line[25:38].strip()] for line in rows]
        assert max(map(len, rows)) <= 80
        assert ["[mud]", "rain", "rain"] in names
        assert ["rain", "root", "root"] in names
        assert ["query", "query", "query"] in names

    def test_query_and_convention(self, tmp_path):
        (tmp_path / "graph.csv").write_text(",a,b,q\na,0,1,0\nb,0,0,0\nq,0,0,0\n")
        options = ("--prior", "orbit", "--transition", "[[0.2,0.8],[0.8,0.2]]", "--json")
        file = ("--graph-file", str(tmp_path / "graph.csv"), "--convention", "from-to", "--query", "q")
        task = json.loads(run_program("scores", *file, *options).stdout)["task"]
        assert (task["parents"], task["labels"]) == ([-1, 0, -1], ["a", "b", "q"])
        wrong = run_program("scores", *file[:4], "--query", "z", *options)
        assert "query must be one of the nodes 'a', 'b', 'q', got 'z'" in wrong.stderr.decode()
        alone = run_program("scores", "--query", "z", *options)
        assert "query must be given together with graph_file only, got 'z'" in alone.stderr.decode()


class TestEdgeReport:
    def test_wrong_edges_by_name(self):
        """Every position is predicted to follow position 0: right for "wet <b>" and "[mud]" only."""
        scores = np.zeros((5, 5))
        scores[1:4, 0] = [0.5, 0.75, 1.0]
        report = EdgeReport(scores, GRAPH)
        assert report.missed == (("wet <b>", "slip$_$"),)
        assert report.false == (("rain", "slip$_$"),)
        assert "smallest_margin=-0.75 at 'slip$_$', exact_match=False" in repr(report)
        plain = EdgeReport(scores, PLAIN)
        assert (plain.missed, plain.false) == ((("1", "2"),), (("0", "2"),))
        assert "smallest_margin=-0.75, exact_match=False" in repr(plain)

    def test_diagonal_is_no_false_edge(self):
        report = EdgeReport(np.eye(5) + np.tri(5, k=-1) * 0.9, GRAPH)
        assert report.false == ()
        assert len(report.missed) == 3


class TestNotebook:
    def test_drawing_escapes_labels(self):
        shown = GRAPH._repr_svg_()
        assert "wet &lt;b&gt;" in shown
        assert "wet <b>" not in shown
        assert "edges rain to wet &lt;b&gt;" in shown

    def test_table_of_wrong_positions(self):
        scores = edge_scores(InContextTask(GRAPH, PRIOR), epsilon=0.01)
        shown = EdgeReport(scores, GRAPH, threshold=1e9)._repr_html_()
        assert "slip$_$" in shown
        assert "[mud]" in shown


class TestFigures:
    @pytest.fixture(autouse=True)
    def backend(self):
        pytest.importorskip("matplotlib").use("agg")
        from matplotlib import pyplot

        yield
        pyplot.close("all")

    def test_ticks(self):
        from causal_theory.plotting import plot_graph, plot_scores

        scores = edge_scores(InContextTask(GRAPH, PRIOR), epsilon=0.01)
        ax = plot_scores(scores, graph=GRAPH)
        ax.figure.canvas.draw()  # a formula in a label must not be parsed
        for axis in (ax.xaxis, ax.yaxis, plot_graph(GRAPH).xaxis):
            assert [text.get_text() for text in axis.get_ticklabels()] == list(LABELS)

    def test_long_labels_are_left_out(self):
        from causal_theory.plotting import plot_scores

        labels = ["a" * 40, *"bcd"]
        graph = CausalGraph.from_parents([-1, 0, 1, 0], labels=labels)
        ax = plot_scores(np.zeros((5, 5)), graph=graph)
        assert "b" not in [text.get_text() for text in ax.get_xticklabels()]

    def test_legend_stays_clear_of_labels(self):
        from causal_theory.plotting import plot_graph

        labels = [f"temperature {i:02d}" for i in range(12)]
        ax = plot_graph(CausalGraph.from_parents([-1, *range(11)], labels=labels))
        ax.figure.canvas.draw()
        lowest = min(text.get_window_extent().y0 for text in ax.get_xticklabels())
        assert ax.get_legend().get_window_extent().y1 < lowest
