"""Graph files that cannot be read: one line that names file, line where there is one, and remedy."""

import io
import json

import numpy as np
import pytest

from causal_theory import CausalGraph
from causal_theory.errors import FileFormatError
from causal_theory.graphs import read_graph

pytest.importorskip("networkx")


def graphml(nodes, edges, default="directed"):
    nodes = "".join(f'<node id="{node}"/>\n' for node in nodes)
    edges = "".join(f'<edge source="{edge[0]}" target="{edge[1]}"/>\n' for edge in edges)
    name = "http://graphml.graphdrawing.org/xmlns"
    return f'<graphml xmlns="{name}">\n<graph edgedefault="{default}">\n{nodes}{edges}</graph>\n</graphml>\n'


def gml(nodes, edges, more="directed 1"):
    nodes = "".join(f'node [ id {i} label "{node}" ]\n' for i, node in enumerate(nodes))
    edges = "".join(f"edge [ source {source} target {target} ]\n" for source, target in edges)
    return f"graph [\n{more}\n{nodes}{edges}]\n"


def node_link(nodes, edges):
    nodes = [node if isinstance(node, dict) else {"id": node} for node in nodes]
    links = [{"source": source, "target": target} for source, target in edges]
    return json.dumps({"directed": True, "nodes": nodes, "links": links})


def bif(*parents):
    """A network with a table of ones and zeros for each variable a, b, ... and its parents."""
    names = "abcdefg"[: len(parents)]
    text = "network x { }\n" + "".join(f"variable {name} {{ type discrete [ 1 ] {{ s }}; }}\n" for name in names)
    for name, entry in zip(names, parents, strict=True):
        text += f"probability ( {name}{' | ' * bool(entry)}{', '.join(entry)} ) {{ table 1; }}\n"
    return text


AB = '{"id": "a"}, {"id": "b"}'

CASES = {
    # Edges without a direction, and rows that may be names or comments.
    "gephi.csv": (
        "Source,Target,Type\na,b,Directed\nb,c,Undirected\n",
        r"line 3 \(table\): edges must have a direction, got 'b' and 'c' with the type 'Undirected'; decide about",
    ),
    "directed.csv": ("from,to,directed\na,b,TRUE\nb,c,FALSE\n", r"line 3 .* with the directed 'FALSE'"),
    "hash.csv": (
        "source,target\na,b\n#b,c\n",
        r"line 3 \(table\): rows that begin with # are comments, got one with 2 cells like the others, '#b, c'",
    ),
    "hash-label.csv": ("#a,b,c\n0,0,0\n1,0,0\n0,1,0\n", r"line 1 \(table\): rows that begin with # are comments"),
    # Cycles.
    "cycle.csv": ("source,target\na,b\nb,c\nc,a\n", r"cycle\.csv, line 4 \(table\): .* no cycle, got a -> b -> c -> a"),
    "loop.csv": ("source,target\na,b\nb,b\n", r"line 3 \(table\): .* no cycle, got b -> b; remove or turn"),
    "cycle.edgelist": ("a b {}\nb a {}\n", r"line 2 \(list of edges\): .* no cycle, got a -> b -> a"),
    "cycle.dot": ("digraph {\na -> b\nb -> a\n}", r"line 3 \(DOT\): .* no cycle"),
    "cycle.dagitty": ("dag {\na -> b\na <- b\n}", r"line 3 \(DAGitty\): .* no cycle"),
    "cycle.bif": (bif("b", "a"), r"line 5 \(BIF\): .* no cycle, got a -> b -> a"),
    "cycle.json": (node_link("ab", ["ab", "ba"]), r"cycle\.json \(node-link JSON\): .* no cycle"),
    "cycle.graphml": (graphml("ab", ["ab", "ba"]), r"cycle\.graphml \(GraphML\): .* no cycle"),
    "cycle.gml": (gml("ab", [(0, 1), (1, 0)]), r"cycle\.gml \(GML\): .* no cycle"),
    # Positions that are given.
    "later.csv": (
        "source,target\n0,1\n2,1\n",
        r"line 3 \(table\): parents of position 1 must be earlier .*got 2; .*sorted",
    ),
    "later.edgelist": ("0 1\n2 1\n", r"line 2 .* parents of position 1 must be earlier positions \(0 to 0\), got 2"),
    "later.dot": ("digraph { 1 -> 0 }", r"line 1 \(DOT\): parents of position 0 must be earlier"),
    "later.json": (node_link([0, 1], [(1, 0)]), "parents of position 0 must be earlier"),
    "later.gml": (gml("01", [(1, 0)]), "parents of position 0 must be earlier"),
    "later matrix.csv": (
        "0,1,0\n0,0,1\n0,0,0\n",
        'parents of position 0 .*name convention="from-to" if rows are parents',
    ),
    # The query.
    "two.dot": ("digraph {\na [role=query]\nb [role=query]\n}", r"line 3 .* one node at most .*\['a', 'b'\]; remove"),
    "two.json": (node_link([{"id": i, "role": "query"} for i in "ab"], []), r"at most must be marked as the query"),
    "two.dagitty": ("dag {\na [role=query]\nb [role=query]\n}", r"line 3 .* one node at most"),
    "children.dot": (
        "digraph {\na [role=query]\na -> b\n}",
        r"line 3 .* the query must have no children, .*'a' to 'b'",
    ),
    "default.dot": ("digraph {\nnode [role=query]\na -> b\n}", r"line 2 .* role must be given at a node"),
    # Unknown nodes, and none.
    "unknown.json": (node_link("ab", ["ab", "ac"]), r'links\[1\] must lead from one .* got \'c\'; add it to "nodes"'),
    "unknown.graphml": (graphml("ab", ["ac"]), r"got 'c' as target; declare the node"),
    "unknown.gml": (gml("ab", [(0, 7)]), r"networkx must be able to read it, got .*undefined target 7"),
    "unknown.bif": (bif("", "z"), r"line 5 \(BIF\): variables must be declared, got 'z'; add its block"),
    "none.dot": ("digraph { }", r"one node at least, got none"),
    "none.csv": ("", r"one row at least"),
    "header alone.csv": ("source,target\n", r"one edge at least"),
    # Files that end too early.
    "cut.csv": ("source,target\na,b\nb", r"line 3 \(table\): rows must have 2 cells, got 1: 'b'"),
    "cut cell.csv": ("source,target\na,b\nb,", r"line 3 .* must have a parent and a child, got 'b, '"),
    "cut quotes.csv": ('source,target\na,"b', r"line 2 .*is the file complete\?"),
    "cut matrix.csv": (",a,b,c\na,0,0,0\nb,1,0,0\n", r"line 3 .*3 columns and 2 rows; is the file complete\?"),
    "cut row.csv": (",a,b,c\na,0,0,0\nb,1,0,0\nc,1,1", r"line 4 .* rows must have 4 cells, got 3"),
    "cut.edgelist": ("a b\nc", r"line 2 .*is the file complete\?"),
    "cut attributes.edgelist": ("a b {'weight': 1", r"line 1 .* as attributes; names with blanks need another format"),
    "cut.dot": ("digraph {\na -> b\nc -> ", r"line 3 \(DOT\): must have a node.*the end of the file; is it complete\?"),
    "cut.dagitty": ("dag {\na -> b\nc", r"line 3 \(DAGitty\): must have .*is it complete\?"),
    "cut.json": (node_link("ab", ["ab"])[:-4], r"cut\.json, line 1: must be valid JSON"),
    "cut.graphml": (graphml("ab", ["ab"])[:-20], r"line \d+ \(GraphML\): must be valid XML.*is the file complete\?"),
    "cut.gml": (gml("ab", [(0, 1)])[:-4], r"\(GML\): networkx must be able to read it"),
    "cut.bif": (bif("", "a")[:-5], r"line 5 \(BIF\): must have .*is it complete\?"),
    "cut block.bif": (
        "\n".join(bif("", "a").split("\n")[:4]),
        r"line 3 .* 'b' must have a probability, got none; is the",
    ),
    # No direction.
    "undirected.dot": ("graph { a -- b }", r'line 1 \(DOT\): .*undirected graph; write "digraph" and "->"'),
    "line.dot": ("digraph {\na -- b }", r'line 2 \(DOT\): .*got "--"; write "->"'),
    "both.dot": ("digraph {\na -> b [dir=both] }", r"line 2 .* got dir=both; turn the edge"),
    "undirected.graphml": (graphml("ab", ["ab"], "undirected"), r"\(GraphML\): edges must have a direction"),
    "undirected.gml": (gml("ab", [(0, 1)], "directed 0"), r"\(GML\): edges must have a direction"),
    "no key.json": (f'{{"nodes": [{AB}], "links": []}}', r'"directed" must be true.*add "directed": true if links'),
    "bidirected.dagitty": ("dag {\na -> b\nb <-> c\n}", r"line 3 .* bidirected edge b <-> c; name the common cause"),
    "undirected.dagitty": ("dag {\na -- b\n}", r"line 2 .* undirected edge a -- b"),
    "circle.dagitty": ("dag {\na @-> b\n}", r"line 2 .* partly directed edge a @-> b"),
    "type.dagitty": ("mag { a -> b }", r"got the type 'mag'"),
    # Twice.
    "twice.csv": ("source,target\na,b\na,b\n", r"line 3 .* must be distinct, got 'a' to 'b' again; remove one"),
    "twice.dot": ("digraph {\na -> b;\na -> b }", r"line 3 .* must be distinct"),
    "twice.graphml": (graphml("ab", ["ab", "ab"]), r"must be distinct"),
    "twice.json": (node_link("aab", ["ab"]), r"nodes must differ, got 'a' again in nodes\[1\]"),
    "both keys.json": (
        node_link("ab", ["ab"]).replace('{"dir', '{"edges": [], "dir'),
        r'"edges" or "links", got edges and links',
    ),
    "no keys.json": ('{"directed": true, "nodes": []}', r'"edges" or "links", got none'),
    "no id.json": (node_link([{"name": "a"}], []), r'nodes\[0\] must have an "id"'),
    "no list.json": ('{"directed": true, "nodes": 3, "links": []}', r'"nodes" must be a list of objects, got 3'),
    "two graphs.graphml": (graphml("a", []).replace("</graphml>", "<graph/></graphml>"), "one graph, got 2"),
    "two graphs.dot": ("digraph { a -> b }\ndigraph { c }", r"line 2 \(DOT\): must have one graph only"),
    # Matrices.
    "unknown link.csv": (",a,b\na,0,0\nb,,0\n", r"zeros and ones only, got nan at \('b', 'a'\); decide about unknown"),
    "weights.csv": ("0,0,0\n0.3,0,0\n0,1,0\n", r"got 0\.3 at \(1, 0\); threshold weights first"),
    "marks.csv": ("0,-1,0\n1,0,0\n0,0,0\n", r'name convention="causal-learn"'),
    "words.csv": (",a,b\na,0,0\nb,x,0\n", r"line 3 .* zeros and ones only, got 'x'"),
    "labels.csv": (",a,b\na,0,0\nc,1,0\n", r"line 1 .* the same labels, got \['b', 'c'\]"),
    "three.csv": ("a,b,1\nb,c,2\n", r'line 1 .* a header like "source,target"'),
    # Orders.
    "order.csv": ("source,target,parent_order\na,c,0\nb,c,0\n", r"line 3 .* must differ .* got 0 on edge \('a', 'c'\)"),
    # Others.
    "network.xdsl": ("<smile/>", r"got \.xdsl; write the network as BIF"),
    "blank.csv": ("source,target\na b,c\n c d,\n", "line 3"),
}


@pytest.mark.parametrize("name", CASES)
def test_names_file_line_and_remedy(name, tmp_path):
    text, match = CASES[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(FileFormatError, match=match) as caught:
        read_graph(tmp_path / name)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / name))
    assert "\n" not in message


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"query": "z"}, r"g\.csv \(table\): query must be one of the nodes 'a', 'b', 'c', got 'z'"),
        ({"query": "a"}, r"g\.csv, line 2 \(table\): the query must have no children, got the edge 'a' to 'b'"),
        ({"query": "last"}, "'last' is for positions without labels; got 'last' and the nodes 'a', 'b', 'c'"),
        ({"convention": "from-to"}, "convention must not be given for edges"),
    ],
)
def test_options_of_edges(options, match, tmp_path):
    (tmp_path / "g.csv").write_text("source,target\na,b\nb,c\n")
    with pytest.raises(FileFormatError, match=match):
        read_graph(tmp_path / "g.csv", **options)


@pytest.mark.parametrize(
    ("query", "match"),
    [("b", "must be the node that is marked, 'c', or not be given, got 'b'"), ("c", None)],
)
def test_a_mark_and_a_name(query, match, tmp_path):
    (tmp_path / "g.dot").write_text("digraph { a -> b; c [role=query] }")
    if match is None:
        assert read_graph(tmp_path / "g.dot", query=query).labels == ("a", "b", "c")
    else:
        with pytest.raises(FileFormatError, match=match):
            read_graph(tmp_path / "g.dot", query=query)


def test_positions_have_their_query_last(tmp_path):
    (tmp_path / "g.dot").write_text("digraph {\n0 -> 1\n2 [role=query]; 0 -> 3 }")
    with pytest.raises(FileFormatError, match=r"line 3 .* the query must be the last position, 3, got 2"):
        read_graph(tmp_path / "g.dot")


class TestArrays:
    def test_cut(self, tmp_path):
        file = io.BytesIO()
        np.save(file, CausalGraph.chain(9).adjacency)
        (tmp_path / "g.npy").write_bytes(file.getvalue()[:-5])
        with pytest.raises(FileFormatError, match=r"g\.npy \(NPY\): must be an array of NumPy: .*is the file complete"):
            read_graph(tmp_path / "g.npy")

    def test_objects(self, tmp_path):
        np.save(tmp_path / "g.npy", np.array([["a"], [None]], dtype=object), allow_pickle=True)
        with pytest.raises(FileFormatError, match="must be an array of NumPy"):
            read_graph(tmp_path / "g.npy")

    def test_unknown_links(self, tmp_path):
        """As lingam marks them."""
        matrix = np.zeros((3, 3))
        matrix[2, 0] = np.nan
        np.save(tmp_path / "g.npy", matrix)
        with pytest.raises(FileFormatError, match=r"got nan at \(2, 0\); decide about unknown links"):
            read_graph(tmp_path / "g.npy")


def test_conventions_are_for_matrices(tmp_path):
    (tmp_path / "g.dot").write_text("digraph { a -> b }")
    with pytest.raises(FileFormatError, match="convention must be given for adjacency matrices only, got 'from-to'"):
        read_graph(tmp_path / "g.dot", convention="from-to")
