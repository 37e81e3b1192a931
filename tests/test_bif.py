"""Bayesian networks in BIF: the graph with the order of parents, and tables to the last digit."""

import numpy as np
import pytest

from causal_theory import CausalGraph
from causal_theory.errors import FileFormatError
from causal_theory.graphs import read_graph, read_tables

HEAD = """network "of three" { property author me; }
// comments, as pyAgrum writes them
variable a { type discrete [ 2 ] { no, yes }; }
variable b { type discrete[3] {0, 1, 2}; property position = (1, 2); }
variable "c d" { type discrete [ 2 ] { "low, very", high }; }
probability ( a ) { table 0.3333333333333333 0.6666666666666667; }
probability ( b ) { table 0.2, 0.3, 0.5 ; }
"""
LAWS = np.array([[[1 / 3, 2 / 3], [0.1, 0.9]], [[1e-20, 1.0], [0.25, 0.75]], [[0.5, 0.5], [0.125, 0.875]]])
"""P(c | b, a), axes b, a, c."""


def written(body):
    return HEAD + 'probability ( "c d" | b, a ) {\n' + body + "\n}\n"


def numbers(values):
    return ", ".join(repr(float(value)) for value in values)


BODIES = {
    "rows": "\n".join(f"({b}, {a}) {numbers(LAWS[b, i])};" for b in range(3) for i, a in enumerate(["no", "yes"])),
    "table, child slowest": f"table {numbers(np.moveaxis(LAWS, -1, 0).ravel())};",
    "default": f"default {numbers(LAWS[0, 0])};\n"
    + "\n".join(
        f"({b}, {a}) {numbers(LAWS[b, i])};" for b in range(3) for i, a in enumerate(["no", "yes"]) if (b, i) != (0, 0)
    ),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
class TestTables:
    def test_every_digit(self, body, tmp_path):
        (tmp_path / "g.bif").write_text(written(body))
        tables = read_tables(tmp_path / "g.bif")
        assert list(tables) == ["a", "b", "c d"]
        assert tables["a"].values.tolist() == [1 / 3, 0.6666666666666667]
        assert tables["c d"].parents == ("b", "a")
        assert tables["c d"].states == ("low, very", "high")
        assert tables["c d"].values.tolist() == LAWS.tolist()

    def test_graph(self, body, tmp_path):
        (tmp_path / "g.bif").write_text(written(body))
        graph = read_graph(tmp_path / "g.bif")
        assert graph.labels == ("a", "b", "c d", "query")
        assert graph == CausalGraph([(), (), (1, 0), ()])


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("table 0.5, 0.5;", r"line 9 \(BIF\): there must be 12 probabilities here for 'c d', got 2"),
        (
            "(0, no) 0.5, 0.5;",
            r"line 8 \(BIF\): the law of 'c d' must be given for all states, got none for \(0, yes\)",
        ),
        ("default 0.5, 0.5;\n(0, maybe) 0.5, 0.5;", r"line 10 .* must name a state of each parent, got \(0, maybe\)"),
        ("default 0.5, 0.5;\n(0) 0.5, 0.5;", r"line 10 .* must name a state of each parent, got \(0\)"),
        ("default 0.5, 0.5;\n(0, no) 0.5, 0.5;\n(0, no) 1, 0;", r"line 11 .* must differ, got \(0, no\) again"),
        ("default 0.5, half;", r"line 9 .* numbers of at least 0, got '0\.5 half'"),
        ("default 1.5, -0.5;", "line 9 .* numbers of at least 0"),
        ("default nan, 0.5;", "line 9 .* numbers of at least 0"),
        ("default 0.5, 0.6;", r"line 8 .* must sum to 1, got 1\.1 for one of them"),
        ("default 0.5, 0.5", r"must have .* behind numbers, got"),
    ],
)
def test_tables_that_are_wrong(body, match, tmp_path):
    (tmp_path / "g.bif").write_text(written(body))
    with pytest.raises(FileFormatError, match=match):
        read_tables(tmp_path / "g.bif")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("discrete [ 2 ] { no, yes }", "discrete [ 3 ] { no, yes }", r"line 3 .* 3 different states, got no, yes"),
        ("discrete [ 2 ] { no, yes }", "continuous", r'line 3 .* must have "discrete", got'),
        ("variable b", "variable a", r"line 4 .* variables must differ, got 'a' again"),
        ("probability ( b )", "probability ( a )", r"line 7 .* one probability for each variable, got 'a' again"),
        ("| b, a", "| b, b", r"line 8 .* parents of 'c d' must differ"),
        ("network", "graph", r'line 1 .* must have "network"'),
    ],
)
def test_networks_that_are_wrong(old, new, match, tmp_path):
    (tmp_path / "g.bif").write_text(written(BODIES["rows"]).replace(old, new, 1))
    with pytest.raises(FileFormatError, match=match):
        read_tables(tmp_path / "g.bif")


class TestPyagrum:
    def test_asymmetric_tables(self, tmp_path):
        """Parents of unequal size and laws that differ: a transposed table could not be the same."""
        pyagrum = pytest.importorskip("pyagrum")
        network = pyagrum.BayesNet()
        for name, states in (("a", 2), ("b", 3), ("c", 2)):
            network.add(pyagrum.LabelizedVariable(name, "", states))
        for parent in ("b", "a"):
            network.addArc(parent, "c")
        network.cpt("a").fillWith([1 / 3, 2 / 3])
        network.cpt("b").fillWith([0.2, 0.3, 0.5])
        for b in range(3):
            for a in range(2):
                network.cpt("c")[{"b": b, "a": a}] = LAWS[b, a].tolist()
        network.saveBIF(str(tmp_path / "g.bif"))
        tables = read_tables(tmp_path / "g.bif")
        order = [tables["c"].parents.index(name) for name in "ba"]
        found = np.transpose(tables["c"].values, (*order, 2))
        # What the library writes of a number is its own; what it has written is read exactly.
        np.testing.assert_allclose(found, LAWS, rtol=1e-6, atol=1e-8)
        assert CausalGraph.from_bayesian_network(network).labels == ("a", "b", "c", "query")
        assert CausalGraph.from_bayesian_network(network) == read_graph(tmp_path / "g.bif")
