"""Reading and writing graph files."""

import json
import os

import pytest

from causal_theory.errors import FileFormatError, OutputError
from causal_theory.graphs import CausalGraph, read_graph, write_graph

GRAPHS = [
    CausalGraph.chain(6),
    CausalGraph.random_forest(30, 0.5, rng=1),
    CausalGraph.from_parents([-1, -1, (1, 0), 2]),
    CausalGraph.from_parents([-1, 0], target_parents=(0, 2)),
    CausalGraph([(), (0,)]),
    CausalGraph([(), (), (0, 1)], (1,)),
]


@pytest.mark.parametrize("graph", GRAPHS)
def test_written_graphs_are_read_back_equal(tmp_path, graph):
    path = tmp_path / "graph.json"
    write_graph(path, graph)
    assert read_graph(path) == graph
    assert os.listdir(tmp_path) == ["graph.json"]


def test_writing_replaces(tmp_path):
    path = tmp_path / "graph.json"
    for graph in GRAPHS:
        write_graph(str(path), graph)
    assert read_graph(str(path)) == GRAPHS[-1]


@pytest.mark.parametrize(
    ("text", "graph"),
    [
        ('{"parents": [-1, 0, 1]}', CausalGraph.chain(4)),
        ('\n  {"parents": [-1, [0], []], "target_parents": [0]}', CausalGraph([(), (0,), (), ()], (0,))),
        ('{"parents": [-1, -1, [0, 1]], "target_parents": null}', CausalGraph([(), (), (0, 1), ()])),
        ('{"parents": [-1, 0], "length": 2}', CausalGraph([(), (0,)])),
        ('{"parents": [-1, 0], "length": 3}', CausalGraph.chain(3)),
        ("length 4\n0 1\n1 2\n", CausalGraph.chain(4)),
        ("# a chain\n\n length   4 # T\n1 2\n\t0 1 # out of order\n#0 2", CausalGraph.chain(4)),
        ("length 3\r\n0 2\r\n1 2\r\n", CausalGraph([(), (), (0, 1)])),
        ("length 2", CausalGraph.from_parents([-1])),
        ("\ufefflength 2", CausalGraph.from_parents([-1])),
    ],
)
def test_accepted_texts(tmp_path, text, graph):
    path = tmp_path / "graph.any"
    path.write_bytes(text.encode())
    assert read_graph(path) == graph


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"parents": [-1,\n 0,,]}', "line 2: must be valid JSON"),
        ('{"parents": [-1, 0]', "line 1: must be valid JSON"),
        ('{"parents": [-1], "parents": [-1, 0]}', "keys must be distinct"),
        ("[" * 100_000, "must be valid JSON"),
        ('{"parents": [' + "9" * 5000 + "]}", "must be valid JSON"),
        ("[-1, 0]", 'an object with a list "parents"'),
        ('{"parent": [-1, 0]}', 'an object with a list "parents"'),
        ('{"parents": 3}', 'an object with a list "parents"'),
        ('{"parents": [-1, 0], "eps": 1}', r"keys must be .* got \['eps'\]"),
        ('{"parents": [-1, 1]}', "position 1 must be earlier"),
        ('{"parents": [-1, 0.0]}', "position 1 must be a sequence of integers"),
        ('{"parents": [-1, true]}', "position 1 must be a sequence of integers"),
        ('{"parents": [-1, null]}', "position 1 must be a sequence of integers"),
        ('{"parents": [-1, "0"]}', "position 1 must be a sequence of integers"),
        ('{"parents": [-1, -1.0], "length": 2}', "position 1 must be a sequence of integers"),
        ('{"parents": []}', "at least 2 positions"),
        ('{"parents": [-1, 0], "target_parents": [3]}', "target_parents must be"),
        ('{"parents": [-1, 0], "target_parents": 1}', "target_parents must be"),
        ('{"parents": [-1, 0], "length": 4}', '"length" must be the number of entries'),
        ('{"parents": [-1, 0], "length": true}', '"length" must be the number of entries'),
        ('{"parents": [-1, 0], "length": 2.0}', '"length" must be the number of entries'),
        ("", 'must start with a line "length T"'),
        ("# nothing\n\n", 'must start with a line "length T"'),
        ("0 1\n", r"line 1: must be \"length T\""),
        ("\nlength\n", r"line 2: must be \"length T\""),
        ("length 1\n", "line 1: must be .* T from 2"),
        ("length -4\n", "line 1: must be .* T from 2"),
        ("length 4 5\n", "line 1: must be .* T from 2"),
        ("length 4.0\n", "line 1: must be .* T from 2"),
        ("length 99999999999\n", "line 1: must be .* T from 2"),
        ("length 999999999\n", "line 1: must be .* T from 2"),
        ("length \u0664\n", "line 1: must be .* T from 2"),
        ("length 4\n0 1\n2\n", r"line 3: must be \"parent child\".*got '2'"),
        ("length 4\n0 1 2\n", "line 2: must be .parent child"),
        ("length 4\n0 4\n", "line 2: must be .parent child. with 0 <= parent < child < 4, got '0 4'"),
        ("length 4\n1 1\n", "line 2: must be .parent child"),
        ("length 4\n2 1\n", "line 2: must be .parent child"),
        ("length 4\n-1 1\n", "line 2: must be .parent child"),
        ("length 4\n0 one\n", "line 2: must be .parent child"),
        ("length 4\n0 1\n# x\n0 1\n", "line 4: edges must be distinct"),
    ],
)
def test_malformed_files_are_named_with_line_and_requirement(tmp_path, text, match):
    path = tmp_path / "bad.graph"
    path.write_bytes(text.encode())
    with pytest.raises(FileFormatError, match=match) as caught:
        read_graph(path)
    assert str(path) in str(caught.value)


def test_unreadable_files(tmp_path):
    with pytest.raises(FileFormatError, match=r"none\.json: cannot be read: No such file"):
        read_graph(tmp_path / "none.json")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_graph(tmp_path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"length 4\n\xff\xfe")
    with pytest.raises(FileFormatError, match="must be a UTF-8 text file"):
        read_graph(binary)


class TestOutputErrors:
    def test_missing_folder(self, tmp_path):
        with pytest.raises(OutputError, match=r"path must be a file that can be written, got .*No such file"):
            write_graph(tmp_path / "none" / "graph.json", CausalGraph.chain(4))
        assert os.listdir(tmp_path) == []

    def test_folder_in_the_way(self, tmp_path):
        (tmp_path / "graph.json").mkdir()
        with pytest.raises(OutputError, match="path must be a file that can be written"):
            write_graph(tmp_path / "graph.json", CausalGraph.chain(4))
        assert os.listdir(tmp_path) == ["graph.json"]

    def test_impossible_name(self):
        with pytest.raises(OutputError, match="path must be a file that can be written"):
            write_graph("graph\0.json", CausalGraph.chain(4))

    def test_a_failure_leaves_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "graph.json"
        write_graph(path, CausalGraph.chain(4))
        before = path.read_text()

        def full(*_args, **_kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.replace", full)
        with pytest.raises(OutputError, match="No space left on device"):
            write_graph(path, CausalGraph.star(9))
        assert path.read_text() == before
        assert os.listdir(tmp_path) == ["graph.json"]


def test_json_is_what_the_documentation_says(tmp_path):
    path = tmp_path / "graph.json"
    write_graph(path, CausalGraph.from_parents([-1, 0, (0, 1)]))
    assert json.loads(path.read_text()) == {"parents": [-1, 0, [0, 1]]}
