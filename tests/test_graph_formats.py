"""Graphs in the formats of other libraries: what each of them writes is read back as the same graph."""

import json

import numpy as np
import pytest

from causal_theory import CausalGraph, TaskSpec
from causal_theory.errors import FileFormatError, InvalidArgumentError
from causal_theory.graphs import read_graph, write_graph

from .graphs_for_tests import EDGES, FOREST, NAMES, PARENTS, named_edges, networkx_forest

networkx = pytest.importorskip("networkx")


def _node_link(path, edges):
    path.write_text(json.dumps(networkx.node_link_data(networkx_forest(), edges=edges)))


def _adjacency_csv(path, **options):
    pandas = pytest.importorskip("pandas")
    matrix = FOREST.adjacency[:30, :30].astype(int)
    pandas.DataFrame(matrix, index=NAMES, columns=NAMES).to_csv(path, **options)


def _dot(path):
    pytest.importorskip("pydot")
    networkx.nx_pydot.write_dot(networkx_forest(), path)


def _pyagrum(path):
    pytest.importorskip("pyagrum")
    import pyagrum

    network = pyagrum.BayesNet()
    for name in NAMES:
        network.add(pyagrum.LabelizedVariable(name.replace(" ", "_"), "", 2))
    for edge in EDGES:
        network.addArc(*(name.replace(" ", "_") for name in edge))
    network.generateCPTs()
    network.saveBIF(str(path))


WRITERS = {
    "own.json": lambda path: write_graph(path, FOREST),
    "edges.json": lambda path: _node_link(path, "edges"),
    "links.json": lambda path: _node_link(path, "links"),
    "graph.graphml": lambda path: networkx.write_graphml(networkx_forest(), path),
    "graph.gml": lambda path: networkx.write_gml(networkx_forest(), path),
    "graph.xml": lambda path: networkx.write_graphml(networkx_forest(), path),
    "gml": lambda path: networkx.write_gml(networkx_forest(), path),
    "graph.dot": _dot,
    "dot": _dot,
    "matrix.csv": _adjacency_csv,
    "matrix.tsv": lambda path: _adjacency_csv(path, sep="\t"),
    "semicolons.csv": lambda path: _adjacency_csv(path, sep=";"),
    "without-index.csv": lambda path: _adjacency_csv(path, index=False),
    "network.bif": _pyagrum,
}


class TestWholeForest:
    @pytest.mark.parametrize("name", WRITERS)
    def test_graph_and_labels(self, name, tmp_path):
        WRITERS[name](tmp_path / name)
        graph = read_graph(tmp_path / name)
        assert graph == FOREST
        assert tuple(label.replace("_", " ") for label in graph.labels) == (*NAMES, "query")

    def test_numpy(self, tmp_path):
        """The matrix has no labels; its last position, the query, has neither parent nor child."""
        np.save(tmp_path / "graph.npy", FOREST.adjacency)
        assert read_graph(tmp_path / "graph.npy") == FOREST
        assert read_graph(tmp_path / "graph.npy").labels is None

    def test_numpy_without_the_query(self, tmp_path):
        chain = CausalGraph.chain(6)
        np.save(tmp_path / "graph.npy", chain.adjacency[:5, :5])
        assert read_graph(tmp_path / "graph.npy") == chain
        assert read_graph(tmp_path / "graph.npy", query="last") == CausalGraph(chain.parents[:5])

    def test_text_of_a_matrix(self, tmp_path):
        np.savetxt(tmp_path / "graph.csv", FOREST.adjacency, delimiter=",")
        assert read_graph(tmp_path / "graph.csv") == FOREST


class TestEdgesAlone:
    """A list of edges has no isolated nodes: what comes back is the rest of the forest, in the order of the file."""

    @pytest.mark.parametrize("header", [("source", "target"), ("from", "to"), ("Parent", "Child"), None])
    @pytest.mark.parametrize("ending", [".csv", ".tsv", ""])
    def test_table(self, header, ending, tmp_path):
        pandas = pytest.importorskip("pandas")
        path = tmp_path / f"edges{ending}"
        separator = "\t" if ending == ".tsv" else ","
        pandas.DataFrame(EDGES, columns=header).to_csv(path, index=False, header=header is not None, sep=separator)
        graph = read_graph(path)
        assert named_edges(graph) == set(EDGES)
        assert graph.length == len({name for edge in EDGES for name in edge}) + 1

    def test_pandas_with_index_and_swapped_columns(self, tmp_path):
        pandas = pytest.importorskip("pandas")
        frame = networkx.to_pandas_edgelist(networkx_forest())
        assert isinstance(frame, pandas.DataFrame)
        frame.assign(weight=1.5)[["weight", "target", "source"]].to_csv(tmp_path / "edges.csv")
        assert named_edges(read_graph(tmp_path / "edges.csv")) == set(EDGES)

    @pytest.mark.parametrize("data", [True, False])
    @pytest.mark.parametrize("ending", [".edgelist", ".txt"])
    def test_networkx(self, data, ending, tmp_path):
        networkx.write_edgelist(networkx_forest("_"), tmp_path / f"graph{ending}", data=data)
        graph = read_graph(tmp_path / f"graph{ending}")
        assert {tuple(name.replace("_", " ") for name in edge) for edge in named_edges(graph)} == set(EDGES)

    def test_networkx_weights(self, tmp_path):
        (tmp_path / "graph.edgelist").write_text("a b 0.5\nb c 2\n")
        assert read_graph(tmp_path / "graph.edgelist").labels == ("a", "b", "c", "query")

    def test_networkx_keeps_the_order_of_parents(self, tmp_path):
        graph = CausalGraph([(), (), (1, 0), (2, 1), ()])
        networkx.write_edgelist(graph.to_networkx(), tmp_path / "graph.edgelist")
        assert read_graph(tmp_path / "graph.edgelist") == graph

    def test_dagitty(self, tmp_path):
        lines = [f'"{parent}" -> "{child}"' for parent, child in EDGES]
        nodes = " ".join(f'"{name}" [pos="0.{i},0.1"]' for i, name in enumerate(NAMES))
        (tmp_path / "graph.txt").write_text('dag {\nbb="0,0,1,1"\n' + nodes + "\n" + "\n".join(lines) + "\n}\n")
        graph = read_graph(tmp_path / "graph.txt")
        assert graph == FOREST
        assert graph.labels == FOREST.labels


class TestQuery:
    """A marked node is the query, in every format that has marks; otherwise one is appended."""

    EXPORTS = (FOREST, CausalGraph.from_parents(PARENTS), CausalGraph([(), (), (1, 0)], (2, 0), ["a", "b", "c"]))

    @pytest.mark.parametrize("graph", EXPORTS, ids=["labels", "positions", "target"])
    @pytest.mark.parametrize("ending", [".graphml", ".gml", ".json", ".dot"])
    def test_own_exports_come_back_as_they_were(self, graph, ending, tmp_path):
        path = tmp_path / f"graph{ending}"
        if ending == ".dot":
            pytest.importorskip("pydot")
            networkx.nx_pydot.write_dot(graph.to_networkx(), path)
        elif ending == ".json":
            path.write_text(json.dumps(networkx.node_link_data(graph.to_networkx(), edges="links")))
        else:
            getattr(networkx, f"write_{ending[1:]}")(graph.to_networkx(), path)
        again = read_graph(path)
        assert again == graph
        assert again.labels == graph.labels

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("g.dot", "digraph { Q [role=query]; b -> c; a -> b }"),
            ("g.txt", "dag { Q [role=query] b -> c c <- b2 a -> b }".replace("c <- b2 ", "")),
            (
                "g.json",
                json.dumps(
                    {
                        "directed": True,
                        "nodes": [{"id": "Q", "role": "query"}, {"id": "b"}, {"id": "c"}, {"id": "a"}],
                        "links": [{"source": "b", "target": "c"}, {"source": "a", "target": "b"}],
                    }
                ),
            ),
        ],
    )
    def test_a_mark_moves_the_node_to_the_end(self, name, text, tmp_path):
        (tmp_path / name).write_text(text)
        assert read_graph(tmp_path / name).labels == ("a", "b", "c", "Q")
        assert read_graph(tmp_path / name).has_query

    def test_a_label(self, tmp_path):
        (tmp_path / "g.csv").write_text("source,target\nq,b\nq,c\nb,y\n")
        assert read_graph(tmp_path / "g.csv", query="c").labels == ("q", "b", "y", "c")
        assert read_graph(tmp_path / "g.csv", query="y").parents == ((), (0,), (0,), (1,))

    def test_own_files(self, tmp_path):
        write_graph(tmp_path / "g.json", FOREST)
        assert read_graph(tmp_path / "g.json", query="query") == read_graph(tmp_path / "g.json", query="last") == FOREST
        with pytest.raises(FileFormatError, match=r"g\.json: the query must be query, .* got 'gene 01'"):
            read_graph(tmp_path / "g.json", query="gene 01")


class TestOrder:
    @pytest.mark.parametrize(
        ("text", "labels"),
        [
            ("c,d\na,b\nb,c\n", "abcd"),
            ("a,b\nx,y\nb,c\n", "abxyc"),
            ("z,y\ny,x\n", "zyx"),
        ],
    )
    def test_is_that_of_the_file_where_it_can_be(self, text, labels, tmp_path):
        (tmp_path / "g.csv").write_text(text)
        assert read_graph(tmp_path / "g.csv").labels == (*labels, "query")


class TestDot:
    @pytest.mark.parametrize(
        ("text", "edges"),
        [
            ("digraph { subgraph cluster_0 { label=x; a -> b; subgraph cluster_1 { b -> c } } c -> d }", "ab bc cd"),
            ("digraph { P:s -> Q:port:n; P -> R }", "PQ PR"),
            ("digraph { a -> {b c} -> d }", "ab ac bd cd"),
            ("digraph { subgraph { a b } -> c }", "ac bc"),
            ('strict digraph "g" { a -> b; a -> b [color=red] /* twice */ ; // end\n }', "ab"),
            ("# made by hand\nDIGRAPH{node [shape=box]; rankdir=LR; a->b->c[label=<<b>x</b>>,w=.5]}", "ab bc"),
        ],
    )
    def test_reads(self, text, edges, tmp_path):
        (tmp_path / "g.gv").write_text(text)
        assert named_edges(read_graph(tmp_path / "g.gv")) == {tuple(edge) for edge in edges.split()}

    def test_names_in_quotes(self, tmp_path):
        (tmp_path / "g.dot").write_text('digraph { "P:s" -> "say \\"x\\""; é -> "a" + "b"; -1.5 -> 2 }')
        assert read_graph(tmp_path / "g.dot").labels == ("P:s", 'say "x"', "é", "ab", "-1.5", "2", "query")

    def test_clusters_of_pydot(self, tmp_path):
        """Its bridge to networkx drops them."""
        pytest.importorskip("pydot")
        import pydot

        graph, cluster = pydot.Dot("g", graph_type="digraph"), pydot.Cluster("c", label="inside")
        cluster.add_edge(pydot.Edge("a", "b"))
        graph.add_subgraph(cluster)
        graph.add_edge(pydot.Edge("b", "c"))
        graph.write(str(tmp_path / "g.dot"))
        assert named_edges(read_graph(tmp_path / "g.dot")) == {("a", "b"), ("b", "c")}


class TestDagitty:
    def test_in_a_file_that_is_named_as_one_of_dot(self, tmp_path):
        (tmp_path / "g.dot").write_text("dag { a <- b }")
        assert read_graph(tmp_path / "g.dot").labels == ("b", "a", "query")

    def test_chains_groups_and_roles(self, tmp_path):
        text = (
            "dag G {\n exposure1 [exposure] ; latent_x [latent]\n a -> b <- {c d} // why\n b -> e [beta=-.3]\n lone\n}"
        )
        (tmp_path / "g.dagitty").write_text(text)
        graph = read_graph(tmp_path / "g.dagitty")
        assert named_edges(graph) == {("a", "b"), ("c", "b"), ("d", "b"), ("b", "e")}
        assert graph.labels == ("exposure1", "latent_x", "a", "c", "d", "b", "e", "lone", "query")


class TestMatrices:
    def test_convention_of_networkx(self, tmp_path):
        pytest.importorskip("pandas")
        networkx.to_pandas_adjacency(networkx_forest(), dtype=int).to_csv(tmp_path / "g.csv")
        assert read_graph(tmp_path / "g.csv", convention="from-to") == FOREST
        with pytest.raises(
            FileFormatError, match=r"g\.csv \(table\): parents of .* name convention=\"from-to\" if rows"
        ):
            read_graph(tmp_path / "g.csv")

    def test_own_labelled_graph(self, tmp_path):
        pytest.importorskip("pandas")
        networkx.to_pandas_adjacency(FOREST.to_networkx(), dtype=int).to_csv(tmp_path / "g.csv")
        again = read_graph(tmp_path / "g.csv", convention="from-to")
        assert again == FOREST
        assert again.labels == FOREST.labels

    def test_rows_in_another_order(self, tmp_path):
        (tmp_path / "g.csv").write_text(",a,b,c\nc,0,1,0\na,0,0,0\nb,1,0,0\n")
        assert read_graph(tmp_path / "g.csv").edges == ((0, 1), (1, 2))

    @pytest.mark.parametrize("index", [True, False])
    def test_numbers_as_labels(self, index, tmp_path):
        pandas = pytest.importorskip("pandas")
        pandas.DataFrame(FOREST.adjacency.astype(int)).to_csv(tmp_path / "g.csv", index=index)
        assert read_graph(tmp_path / "g.csv") == FOREST
        assert read_graph(tmp_path / "g.csv").labels is None

    def test_words(self, tmp_path):
        (tmp_path / "g.csv").write_text(",a,b\na,False,False\nb,True,False\n")
        assert read_graph(tmp_path / "g.csv").labels == ("a", "b", "query")


def test_a_number_sign_inside_a_name_of_a_list_of_edges(tmp_path):
    (tmp_path / "g.edgelist").write_text("# made by hand\na c#1 {} # twice\n")
    assert read_graph(tmp_path / "g.edgelist").labels == ("a", "c#1", "query")


def test_labels_in_brackets(tmp_path):
    (tmp_path / "g.csv").write_text("[z],y\n0,0\n1,0\n")
    assert read_graph(tmp_path / "g.csv").labels == ("[z]", "y", "query")


def test_a_small_matrix_of_words(tmp_path):
    (tmp_path / "g.csv").write_text("a,b\nFalse,False\nTrue,False\n")
    assert read_graph(tmp_path / "g.csv").edges == ((0, 1),)


def test_names_that_igraph_keeps_beside_numbers(tmp_path):
    text = 'graph [\n directed 1\n node [ id 0 name "rain" ]\n node [ id 1 name "wet" ]\n edge [ source 0 target 1 ]\n]'
    (tmp_path / "g.gml").write_text(text)
    assert read_graph(tmp_path / "g.gml").labels == ("rain", "wet", "query")


def test_whole_objects_at_the_ends_of_links(tmp_path):
    """D3 puts the nodes themselves there once it has drawn a graph."""
    content = {"directed": True, "nodes": [{"id": 7}, {"id": 8}], "links": [{"source": {"id": 7}, "target": {"id": 8}}]}
    (tmp_path / "g.json").write_text(json.dumps(content))
    assert read_graph(tmp_path / "g.json").labels == ("7", "8", "query")


def test_networkx_is_asked_for_by_name(tmp_path, monkeypatch):
    (tmp_path / "g.gml").write_text("graph [ directed 1 ]")
    monkeypatch.setitem(__import__("sys").modules, "networkx", None)
    with pytest.raises(ImportError, match=r"\.\[plot\]"):
        read_graph(tmp_path / "g.gml")
    with pytest.raises(InvalidArgumentError, match=r"graph_file must be of a format .* here: .* networkx"):
        TaskSpec(graph_file=str(tmp_path / "g.gml")).build_graph()
