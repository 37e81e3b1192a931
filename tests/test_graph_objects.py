"""Graphs from objects of other libraries: conventions are named, names become labels, nothing is guessed."""

import numpy as np
import pytest

from causal_theory import CausalGraph
from causal_theory.errors import GraphError, InvalidArgumentError

from .graphs_for_tests import EDGES, FOREST, NAMES, named_edges, networkx_forest

TO_FROM = FOREST.adjacency[:30, :30]


def causal_learn(matrix):
    """An arrowhead at the child, a tail at the parent."""
    return matrix - matrix.T


class TestMatrices:
    @pytest.mark.parametrize(
        ("convention", "matrix"),
        [("to-from", TO_FROM), ("from-to", TO_FROM.T), ("causal-learn", causal_learn(TO_FROM)), (None, TO_FROM)],
    )
    def test_conventions(self, convention, matrix):
        assert CausalGraph.from_adjacency(matrix, convention=convention, query=None).edges == FOREST.edges
        graph = CausalGraph.from_adjacency(matrix, convention=convention, labels=NAMES)
        assert graph == FOREST
        assert graph.labels == FOREST.labels

    @pytest.mark.parametrize("convention", ["to-from", "from-to", "causal-learn"])
    def test_labelled_positions_are_sorted(self, convention):
        order = np.random.default_rng(0).permutation(30)
        matrix = TO_FROM[np.ix_(order, order)]
        matrix = {"to-from": matrix, "from-to": matrix.T, "causal-learn": causal_learn(matrix)}[convention]
        graph = CausalGraph.from_adjacency(matrix, convention=convention, labels=[NAMES[i] for i in order])
        assert named_edges(graph) == set(EDGES)
        assert set(graph.labels) == {*NAMES, "query"}

    def test_frames_bring_labels(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(TO_FROM, index=NAMES, columns=NAMES)
        assert CausalGraph.from_adjacency(frame).labels == FOREST.labels
        assert CausalGraph.from_adjacency(frame.sample(frac=1.0, random_state=0)) == FOREST
        with pytest.raises(GraphError, match=r"must have the same labels in rows and columns.*index_col=0"):
            CausalGraph.from_adjacency(frame.reset_index())

    def test_sparse(self):
        from scipy.sparse import csr_array

        assert CausalGraph.from_adjacency(csr_array(FOREST.adjacency)) == FOREST

    def test_last_position_alone_is_the_query(self):
        assert CausalGraph.from_adjacency(FOREST.adjacency) == FOREST
        assert CausalGraph.from_adjacency([[0, 0], [1, 0]]).length == 3
        assert CausalGraph.from_adjacency([[0, 0], [1, 0]], query="last").length == 2
        assert CausalGraph.from_adjacency([[0, 0], [0, 0]], labels=["a", "b"]).labels == ("a", "b", "query")

    @pytest.mark.parametrize(
        ("matrix", "options", "match"),
        [
            (TO_FROM.T, {}, 'parents of position .* name convention="from-to" if rows are parents'),
            (TO_FROM.T, {"labels": NAMES}, 'parents of .gene .* name convention="from-to" if rows are parents'),
            (TO_FROM.T, {"convention": "to-from"}, "parents of position .* or name them to have them sorted"),
            (TO_FROM * 0.3, {}, r"got 0\.3 at .*; threshold weights first: abs\(weights\) > t"),
            ([[0, 0], [np.nan, 0]], {}, r"got nan at \(1, 0\); decide about unknown links first"),
            ([[0, 2], [1, 0]], {}, 'got 2.0 .*name convention="causal-learn"'),
            ([[0, 1], [1, 0]], {"convention": "from-to", "labels": "ab"}, "no cycle, got a -> b -> a"),
            (TO_FROM * 1j, {}, "adjacency must be a square matrix of zeros and ones: got complex numbers"),
            (np.zeros((2, 2)), {"labels": ["a"]}, "labels must be one for each of 2 rows, got 1"),
            (np.zeros((2, 2)), {"labels": ["a", "a"]}, "labels must differ, got 'a' twice"),
        ],
    )
    def test_refused(self, matrix, options, match):
        with pytest.raises(GraphError, match=match):
            CausalGraph.from_adjacency(matrix, **options)

    @pytest.mark.parametrize(
        ("ends", "match"),
        [
            ((-1, -1), r"got tail and tail at \(0, 1\) and \(1, 0\); decide about undirected, bidirected and circled"),
            ((1, 1), "got arrowhead and arrowhead"),
            ((2, 1), "got circle and arrowhead"),
            ((2, 2), "got circle and circle"),
            ((np.nan, 1), "got nan and arrowhead"),
            ((0, 1), "got 0 and arrowhead"),
        ],
    )
    def test_ends_that_causal_learn_leaves_open(self, ends, match):
        matrix = np.zeros((3, 3))
        matrix[0, 1], matrix[1, 0] = ends
        with pytest.raises(GraphError, match=match):
            CausalGraph.from_adjacency(matrix, convention="causal-learn")

    def test_unknown_convention(self):
        with pytest.raises(InvalidArgumentError, match="convention must be one of 'to-from', "):
            CausalGraph.from_adjacency(TO_FROM, convention="row-column")


class TestNetworkx:
    @pytest.fixture(autouse=True)
    def networkx(self):
        return pytest.importorskip("networkx")

    def test_names_become_labels(self):
        graph = CausalGraph.from_networkx(networkx_forest())
        assert graph == FOREST
        assert graph.labels == FOREST.labels

    def test_any_hashable(self, networkx):
        source = networkx.DiGraph([((0, 1), "b"), ("b", frozenset({2}))])
        assert CausalGraph.from_networkx(source).labels == ("(0, 1)", "b", "frozenset({2})", "query")
        assert CausalGraph.from_networkx(source, query=frozenset({2})).length == 3

    def test_numpy_integers_are_positions(self, networkx):
        source = networkx.DiGraph([(np.int64(0), np.int64(1))])
        assert CausalGraph.from_networkx(source) == CausalGraph.chain(3)

    def test_nodes_in_any_order(self, networkx):
        source = networkx.DiGraph([("c", "d"), ("a", "b"), ("b", "c")])
        assert CausalGraph.from_networkx(source).labels == ("a", "b", "c", "d", "query")

    def test_order_of_parents(self, networkx):
        source = networkx.DiGraph()
        source.add_edge("a", "c", parent_order=1)
        source.add_edge("b", "c", parent_order=0)
        assert CausalGraph.from_networkx(source).parents == ((), (), (1, 0), ())

    def test_query(self, networkx):
        source = networkx.DiGraph([("a", "b")])
        source.add_node("q", role="query")
        assert CausalGraph.from_networkx(source).labels == ("a", "b", "q")
        assert CausalGraph.from_networkx(source, query="q").length == 3
        with pytest.raises(GraphError, match="query must be the node that is marked, 'q', or not be given, got 'b'"):
            CausalGraph.from_networkx(source, query="b")
        source.nodes["b"]["role"] = "query"
        with pytest.raises(GraphError, match=r"one node at most must be marked as the query, got \['b', 'q'\]"):
            CausalGraph.from_networkx(source)

    def test_targets_by_label(self, networkx):
        source = networkx.DiGraph([("b", "c"), ("a", "b")])
        graph = CausalGraph.from_networkx(source, target_parents=["c", "a"])
        assert (graph.labels, graph.target_parents) == (("a", "b", "c"), (2, 0))
        with pytest.raises(GraphError, match="target_parents must be integers, got 'z'"):
            CausalGraph.from_networkx(source, target_parents=["z"])


class TestBayesianNetworks:
    def test_pyagrum(self):
        pyagrum = pytest.importorskip("pyagrum")
        network = pyagrum.fastBN("b->c<-a;c->d;e")
        graph = CausalGraph.from_bayesian_network(network)
        names = [network.variable(node).name() for node in sorted(network.nodes())]
        assert set(graph.labels) == {*names, "query"}
        parents = [graph.name(parent) for parent in graph.parents[graph.labels.index("c")]]
        assert parents == list(network.cpt("c").names)[1:]
        assert CausalGraph.from_bayesian_network(network, query="d").labels[-1] == "d"

    def test_pyagrum_without_names(self):
        pyagrum = pytest.importorskip("pyagrum")
        dag = pyagrum.DAG()
        first, second = dag.addNode(), dag.addNode()
        dag.addArc(first, second)
        assert CausalGraph.from_bayesian_network(dag) == CausalGraph.chain(3)

    def test_pyagrum_with_edges_of_no_direction(self):
        pyagrum = pytest.importorskip("pyagrum")
        mixed = pyagrum.PDAG()
        first, second = mixed.addNode(), mixed.addNode()
        mixed.addEdge(first, second)
        with pytest.raises(InvalidArgumentError, match="directed edges only, got PDAG with others"):
            CausalGraph.from_bayesian_network(mixed)

    def test_pgmpy(self):
        models = pytest.importorskip("pgmpy.models")
        discrete = pytest.importorskip("pgmpy.factors.discrete")
        network = models.DiscreteBayesianNetwork([("a", "c"), ("b", "c")])
        table = np.full((2, 6), 0.5)
        network.add_cpds(discrete.TabularCPD("c", 2, table, evidence=["b", "a"], evidence_card=[3, 2]))
        assert CausalGraph.from_bayesian_network(network).parents == ((), (), (1, 0), ())

    def test_as_pgmpy_has_it(self):
        """Its networks are graphs of networkx with tables, ``variables`` of which begin with the child."""
        networkx = pytest.importorskip("networkx")

        class Table:
            def __init__(self, *variables):
                self.variables = list(variables)

        class Network(networkx.DiGraph):
            def get_cpds(self):
                return [Table("a"), Table("b"), Table("c", "b", "a")]

        graph = CausalGraph.from_bayesian_network(Network([("a", "c"), ("b", "c"), ("c", "d")]))
        assert graph.labels == ("a", "b", "c", "d", "query")
        assert graph.parents == ((), (), (1, 0), (2,), ())

    @pytest.mark.parametrize("network", [object(), {"nodes": []}, CausalGraph, np.eye(2)])
    def test_others(self, network):
        with pytest.raises(InvalidArgumentError, match="network must be a network of pgmpy or pyAgrum, got "):
            CausalGraph.from_bayesian_network(network)
