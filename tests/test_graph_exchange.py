"""Graphs through networkx and its files: orders survive, labels come back as text, what cannot be is refused."""

import io
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import CausalGraph, InContextTask, PointPrior, pairwise_joint
from causal_theory.errors import GraphError
from causal_theory.testing import causal_graphs

networkx = pytest.importorskip("networkx")

TWELVE = CausalGraph(
    [(), (), (1, 0), (), (2, 0, 1), (4, 3), (), (6,), (7, 5), (), (9, 2, 8), (10, 1)], target_parents=(10, 2, 11)
)


def _graphml(graph, **options):
    file = io.BytesIO()
    networkx.write_graphml(graph, file)
    return networkx.read_graphml(io.BytesIO(file.getvalue()), **options)


def _gml(graph, **options):
    file = io.BytesIO()
    networkx.write_gml(graph, file)
    return networkx.read_gml(io.BytesIO(file.getvalue()), **options)


def _gexf(graph):
    file = io.BytesIO()
    networkx.write_gexf(graph, file)
    return networkx.read_gexf(io.BytesIO(file.getvalue()))


def _node_link(graph, edges):
    return networkx.node_link_graph(json.loads(json.dumps(networkx.node_link_data(graph, edges=edges))), edges=edges)


TRIPS = {
    "object": lambda graph: graph,
    "GraphML": _graphml,
    "GraphML, integers": lambda graph: _graphml(graph, node_type=int),
    "GML": _gml,
    "GML, integers": lambda graph: _gml(graph, destringizer=int),
    "GEXF": _gexf,
    "node-link, edges": lambda graph: _node_link(graph, "edges"),
    "node-link, links": lambda graph: _node_link(graph, "links"),
    "adjacency JSON": lambda graph: networkx.adjacency_graph(json.loads(json.dumps(networkx.adjacency_data(graph)))),
    "pickle": lambda graph: pickle.loads(pickle.dumps(graph)),
}


def shuffled(graph, order):
    """Return the same graph with nodes and edges in another order, as another program may write them."""
    result = networkx.DiGraph()
    result.add_nodes_from((node, graph.nodes[node]) for node in order)
    result.add_edges_from(sorted(graph.edges(data=True), key=lambda edge: (order.index(edge[0]), -edge[1])))
    return result


@pytest.mark.parametrize("trip", TRIPS.values(), ids=TRIPS)
class TestRoundTrips:
    @given(graph=causal_graphs(max_length=6, max_parents=3), data=st.data())
    def test_keeps_every_order(self, trip, graph, data):
        """A graph, written by networkx with nodes in any order and read again, is the graph."""
        order = data.draw(st.permutations(range(graph.length)))
        assert CausalGraph.from_networkx(trip(shuffled(graph.to_networkx(), order))) == graph

    def test_two_digits(self, trip):
        """As text "10" comes before "2"."""
        order = [11, 3, 10, 0, 2, 1, 9, 4, 8, 5, 7, 6]
        assert CausalGraph.from_networkx(trip(shuffled(TWELVE.to_networkx(), order))) == TWELVE


def test_gml_read_by_number():
    assert CausalGraph.from_networkx(_gml(TWELVE.to_networkx(), label="id")) == TWELVE


def test_text_of_edges_keeps_parents():
    graph = CausalGraph([(), (), (1, 0), (2, 1)])
    lines = list(networkx.generate_edgelist(graph.to_networkx(), data=True))
    again = networkx.parse_edgelist(lines, create_using=networkx.DiGraph)
    assert CausalGraph.from_networkx(again, query="last") == graph


def test_a_law_is_the_same_after_the_trip():
    """P(s_2 = 1, s_0 = 0) = sum_b P(s_0 = 0) P(s_1 = b) k[b, 0, 1]: the first axis is the first parent, position 1."""
    kernel = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.4, 0.6]]])
    graph = CausalGraph.from_networkx(_gml(CausalGraph([(), (), (1, 0)], (2, 0)).to_networkx()))
    joint = pairwise_joint(InContextTask(graph, PointPrior({2: kernel}))).value
    assert joint[2, 0, 1, 0] == 0.25 * 0.1 + 0.25 * 0.5


def test_attributes_are_of_plain_types():
    graph = CausalGraph([(), np.array([0], dtype=np.int64), np.array([1, 0])], np.array([2, 0])).to_networkx()
    values = [value for _, data in graph.nodes(data=True) for value in data.values()]
    values += [value for *_, data in graph.edges(data=True) for value in data.values()]
    assert {type(value) for value in values} == {int, str}
    assert {type(node) for node in graph} == {int}


class TestWithoutOrders:
    def test_parents_are_sorted_and_a_query_is_appended(self):
        graph = networkx.DiGraph([(1, 2), (0, 2)])
        assert CausalGraph.from_networkx(graph) == CausalGraph([(), (), (0, 1), ()])
        assert CausalGraph.from_networkx(graph, query="last") == CausalGraph([(), (), (0, 1)])

    def test_graph_attribute(self):
        assert CausalGraph.from_networkx(networkx.DiGraph([(0, 1)], target_parents=[1, 0])).target_parents == (1, 0)


def changed(change, graph=TWELVE):
    result = graph.to_networkx()
    change(result)
    return result


class TestBadOrders:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda g: g.edges[0, 4].pop("parent_order"), r"parent_order must be .* on edge \(0, 4\).* got None"),
            (lambda g: g.add_edge(3, 4), r"on edge \(3, 4\), as position 4 has 4 parents, got None"),
            (
                lambda g: g.edges[1, 2].update(parent_order=1),
                r"must differ .* got 1 on edge \(0, 2\) and on edge \(1, 2\)",
            ),
            (lambda g: g.remove_edge(2, 4), r"parent_order must be an integer from 0 to 1 on edge \(1, 4\).* got 2"),
            (lambda g: g.edges[0, 2].update(parent_order=-1), r"on edge \(0, 2\).* got -1"),
            (lambda g: g.edges[0, 2].update(parent_order=1.0), r"on edge \(0, 2\).* got 1\.0"),
            (lambda g: g.edges[0, 2].update(parent_order=True), r"on edge \(0, 2\).* got True"),
            (lambda g: g.edges[0, 2].update(parent_order="first"), r"on edge \(0, 2\).* got 'first'"),
            (
                lambda g: g.edges[6, 7].update(parent_order=1),
                r"must be 0 on edge \(6, 7\), as position 7 has 1 parent, ",
            ),
            (
                lambda g: g.nodes[2].pop("target_order"),
                "must be an integer from 0 to 1 on node 11, as 2 nodes have one",
            ),
            (lambda g: g.nodes[2].update(target_order=0), "target_order must differ .* got 0 on nodes 2 and 10"),
            (lambda g: g.nodes[2].update(target_order="x"), "target_order must be .* on node 2.* got 'x'"),
            (lambda g: g.graph.update(target_parents=(1,)), r"target_parents must be \(10, 2, 11\).* got \(1,\)"),
            (lambda g: g.graph.update(target_parents=3), r"target_parents must be \(10, 2, 11\).* got 3"),
        ],
    )
    def test_name_the_edge_or_the_node(self, change, words):
        with pytest.raises(GraphError, match=words):
            CausalGraph.from_networkx(changed(change))

    def test_targets_that_are_given_override(self):
        graph = changed(lambda g: g.nodes[2].update(target_order="x"))
        assert CausalGraph.from_networkx(graph, target_parents=(3,)).target_parents == (3,)

    @pytest.mark.parametrize(
        ("nodes", "words"),
        [
            (["0", 0], "one node for each position, got '0' and 0"),
            (["0", "\ud800"], r"labels must be texts that are not blank, got '\\ud800'"),
            (["a", ""], "labels must be texts that are not blank, got ''"),
        ],
    )
    def test_labels(self, nodes, words):
        graph = networkx.DiGraph()
        graph.add_nodes_from(nodes)
        with pytest.raises(GraphError, match=words):
            CausalGraph.from_networkx(graph)


@pytest.mark.parametrize("parent", [0, 5, -1, -2])
def test_the_first_position_has_no_parents(parent):
    words = f"parents of position 0 must be earlier positions, of which there are none, got {parent}"
    with pytest.raises(GraphError, match=words):
        CausalGraph([(parent,), ()])
