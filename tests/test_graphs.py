"""The causal graph, its families, its derived arrays and its conversions."""

import pickle
import sys
from collections import Counter
from dataclasses import FrozenInstanceError
from itertools import product

import numpy as np
import pytest
from scipy import stats

from causal_theory.errors import GraphError, InvalidArgumentError
from causal_theory.graphs import CausalGraph
from tests.helpers import assert_close

TWO_PARENTS = CausalGraph.from_parents([-1, -1, (0, 1)])

FORESTS = [
    CausalGraph.from_parents([-1]),
    CausalGraph.from_parents([-1, -1, -1, -1]),
    CausalGraph.chain(9),
    CausalGraph.pairs(10),
    CausalGraph.star(8),
    CausalGraph.binary_tree(12),
    CausalGraph([(), (0,), (), (1,), (2,), (1,)]),
    *(CausalGraph.random_forest(15, probability, rng=seed) for seed, probability in enumerate([0.0, 0.2, 0.5, 0.8])),
]


def shortest_paths(graph: CausalGraph) -> np.ndarray:
    """All distances by relaxation over every middle point (Floyd and Warshall)."""
    size = graph.length
    distance = np.full((size, size), np.inf)
    np.fill_diagonal(distance, 0.0)
    for parent, child in graph.edges:
        distance[parent, child] = distance[child, parent] = 1.0
    for middle in range(size):
        distance = np.minimum(distance, distance[:, [middle]] + distance[[middle], :])
    return distance


class TestConstruction:
    def test_context_shorthand(self):
        graph = CausalGraph.from_parents([-1, 0, [0, 1], (), (3,)])
        assert graph.parents == ((), (0,), (0, 1), (), (3,), ())
        assert graph.target_parents == (5,)
        assert graph.length == 6

    def test_numpy_integers_become_python_integers(self):
        graph = CausalGraph.from_parents(np.array([-1, 0, 1]))
        assert graph == CausalGraph.chain(4)
        assert all(type(parent) is int for entry in graph.parents for parent in entry)
        assert CausalGraph([np.array([], dtype=np.int64), np.array([0])]).parents == ((), (0,))

    def test_last_position_may_be_a_child(self):
        graph = CausalGraph([(), (0,), (1,)], target_parents=[0])
        assert not graph.has_query
        assert graph.target_parents == (0,)

    @pytest.mark.parametrize(
        ("graph", "expected"),
        [
            (CausalGraph.chain(4), True),
            (TWO_PARENTS, True),
            (CausalGraph([(), (0,)]), False),
            (CausalGraph([(), ()], (0,)), False),
            (CausalGraph([(), ()], (0, 1)), False),
        ],
    )
    def test_query(self, graph, expected):
        assert graph.has_query is expected

    def test_equality_and_hash_are_by_value_and_keep_the_order_of_parents(self):
        one = CausalGraph.from_parents([-1, -1, (0, 1)])
        assert one == TWO_PARENTS
        assert hash(one) == hash(TWO_PARENTS)
        assert one != CausalGraph.from_parents([-1, -1, (1, 0)])
        assert one != CausalGraph.from_parents([-1, -1, (0, 1)], target_parents=(0,))

    def test_immutable(self):
        graph = CausalGraph.chain(4)
        with pytest.raises(FrozenInstanceError):
            graph.parents = ()
        for array in (graph.adjacency, graph.parent_array, graph.tree_index, graph.depth, graph.distances):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0

    def test_pickle_keeps_the_graph_and_its_protection(self):
        graph = CausalGraph([(), (0,), (0, 1)], (0, 2))
        assert graph.adjacency.sum() == 3
        again = pickle.loads(pickle.dumps(graph))
        assert again == graph
        assert not again.adjacency.flags.writeable

    def test_repr_is_short(self):
        assert repr(CausalGraph.chain(5000)) == "CausalGraph(length=5000, edges=4998, roots=1, query=4999)"
        assert repr(CausalGraph([(), ()], (0,))) == "CausalGraph(length=2, edges=0, roots=2, target_parents=(0,))"


class TestBadInput:
    @pytest.mark.parametrize(
        ("parents", "match"),
        [
            ([(), (1,)], r"position 1 must be earlier positions \(0 to 0\), got 1"),
            ([(), (), (3,)], "position 2 must be earlier positions .* got 3"),
            ([(), (-1,)], "position 1 must be earlier positions .* got -1"),
            ([(0,), ()], "position 0 must be earlier"),
            ([(), (0, 0)], "position 1 must be distinct"),
            ([(), (0.0,)], "position 1 must be integers, got 0.0"),
            ([(), (True,)], "position 1 must be integers, got True"),
            ([(), "0"], "position 1 must be a sequence of integers"),
            ([(), None], "position 1 must be a sequence of integers"),
            ([(), np.array(0)], "position 1 must be a sequence of integers"),
            ([()], "at least 2 positions, got 1"),
            ([], "at least 2 positions, got 0"),
            ("ab", "one sequence of integers per position"),
            (7, "one sequence of integers per position"),
        ],
    )
    def test_parents(self, parents, match):
        with pytest.raises(GraphError, match=match):
            CausalGraph(parents)

    @pytest.mark.parametrize(
        ("parents", "match"),
        [
            ([-1, 1], "position 1 must be earlier positions"),
            ([-1, -2], "position 1 must be earlier positions .* got -2"),
            ([-1, (0, -1)], "position 1 must be earlier positions .* got -1"),
            ([-1, 0.0], "position 1 must be a sequence of integers, got 0.0"),
            ([-1, True], "position 1 must be a sequence of integers, got True"),
            ([], "at least 2 positions, got 1"),
            ("-1", "one entry per context position"),
            (3, "one entry per context position"),
        ],
    )
    def test_from_parents(self, parents, match):
        with pytest.raises(GraphError, match=match):
            CausalGraph.from_parents(parents)

    @pytest.mark.parametrize("targets", [(), (3,), (-1,), (0, 0), (0.5,), 2, "2"])
    def test_target_parents(self, targets):
        with pytest.raises(GraphError, match="target_parents must be"):
            CausalGraph.from_parents([-1, 0], target_parents=targets)

    @pytest.mark.parametrize("family", ["chain", "pairs", "star", "binary_tree", "random_forest", "recursive_forest"])
    @pytest.mark.parametrize("length", [1, 0, -3, 2.0, "5", True])
    def test_length(self, family, length):
        with pytest.raises(InvalidArgumentError, match="length must be an integer of at least 2"):
            getattr(CausalGraph, family)(length)

    @pytest.mark.parametrize("probability", [-0.1, 1.5, np.nan, "x"])
    def test_root_probability(self, probability):
        with pytest.raises(InvalidArgumentError, match="root_probability must be"):
            CausalGraph.random_forest(5, probability, rng=0)

    @pytest.mark.parametrize(
        "use",
        [
            lambda graph: graph.parent_array,
            lambda graph: graph.tree_index,
            lambda graph: graph.depth,
            lambda graph: graph.distances,
            lambda graph: graph.leaf_effective_length,
            lambda graph: graph.mixing_effective_length(0.5),
        ],
    )
    def test_several_parents(self, use):
        assert not TWO_PARENTS.is_forest
        with pytest.raises(GraphError, match=r"needs a forest.*position 2 has the parents \(0, 1\)"):
            use(TWO_PARENTS)

    @pytest.mark.parametrize("decay", [-0.1, 1.1, np.nan, None])
    def test_decay(self, decay):
        with pytest.raises(InvalidArgumentError, match="decay must be a number between 0 and 1"):
            CausalGraph.chain(4).mixing_effective_length(decay)


class TestFamilies:
    def test_parents_at_length_eight(self):
        assert CausalGraph.chain(8) == CausalGraph.from_parents([-1, 0, 1, 2, 3, 4, 5])
        assert CausalGraph.pairs(8) == CausalGraph.from_parents([-1, 0, -1, 2, -1, 4, -1])
        assert CausalGraph.star(8) == CausalGraph.from_parents([-1, 0, 0, 0, 0, 0, 0])
        assert CausalGraph.binary_tree(8) == CausalGraph.from_parents([-1, 0, 0, 1, 1, 2, 2])

    @pytest.mark.parametrize("family", ["chain", "pairs", "star", "binary_tree", "random_forest", "recursive_forest"])
    @pytest.mark.parametrize("length", [2, 3, 4, 11])
    def test_all_have_a_query(self, family, length):
        graph = getattr(CausalGraph, family)(length)
        assert graph.length == length
        assert graph.has_query
        assert graph.is_forest
        assert graph.parents[0] == ()

    def test_random_forest_extremes_and_seed(self):
        assert CausalGraph.random_forest(30, 1.0, rng=0).edges == ()
        assert CausalGraph.random_forest(30, 0.0, rng=0).roots == (0, 29)
        assert CausalGraph.random_forest(30, 0.5, rng=3) == CausalGraph.random_forest(30, 0.5, np.random.default_rng(3))
        assert CausalGraph.random_forest(30, 0.5, rng=3) != CausalGraph.random_forest(30, 0.5, rng=4)

    def test_recursive_forest_has_the_stated_law(self):
        """Each of the i + 1 choices of position i has the same frequency, within five standard errors."""
        rng = np.random.default_rng(5)
        draws = np.array([CausalGraph.recursive_forest(7, rng).parent_array[:-1] for _ in range(4000)])
        assert (draws[:, 0] == -1).all()
        for i in range(1, 6):
            counts = np.bincount(draws[:, i] + 1, minlength=i + 1)
            assert len(counts) == i + 1
            chance = 1 / (i + 1)
            assert np.abs(counts / 4000 - chance).max() < 5 * np.sqrt(chance * (1 - chance) / 4000)

    def test_random_forest_has_the_stated_law(self):
        """Chi-square test over all 24 forests of three choices; false alarm probability 1e-6, fixed seed."""
        draws, keep = 20_000, 0.7
        generator = np.random.default_rng(11)
        seen = Counter(CausalGraph.random_forest(5, 1.0 - keep, generator).parents for _ in range(draws))
        expected = {}
        for choice in product([-1, 0], [-1, 0, 1], [-1, 0, 1, 2]):
            factors = [1.0 - keep if parent < 0 else keep / i for i, parent in enumerate(choice, start=1)]
            expected[CausalGraph.from_parents([-1, *choice]).parents] = draws * np.prod(factors)
        assert set(seen) <= set(expected)
        observed = [seen[key] for key in expected]
        assert stats.chisquare(observed, list(expected.values())).pvalue > 1e-6


class TestDerived:
    @pytest.mark.parametrize("graph", FORESTS)
    def test_arrays_follow_from_the_parents(self, graph):
        for i, entry in enumerate(graph.parents):
            assert np.flatnonzero(graph.adjacency[i]).tolist() == sorted(entry)
            assert graph.parent_array[i] == (entry[0] if entry else -1)
            if entry:
                assert graph.tree_index[i] == graph.tree_index[entry[0]]
                assert graph.depth[i] == graph.depth[entry[0]] + 1
                assert (entry[0], i) in graph.edges
            else:
                assert i in graph.roots
                assert graph.depth[i] == 0
        assert graph.adjacency.shape == (graph.length, graph.length)
        assert graph.adjacency.sum() == len(graph.edges)
        assert graph.tree_index[list(graph.roots)].tolist() == list(range(len(graph.roots)))

    @pytest.mark.parametrize("graph", FORESTS)
    def test_distances(self, graph):
        assert_close(graph.distances, shortest_paths(graph), rtol=0.0)

    @pytest.mark.parametrize("graph", FORESTS)
    def test_leaf_effective_length(self, graph):
        parents = {parent for parent, _ in graph.edges}
        leaves = Counter(int(graph.tree_index[i]) for i in range(graph.length) if i not in parents)
        assert graph.leaf_effective_length == graph.length / max(leaves.values())

    @pytest.mark.parametrize("graph", FORESTS)
    @pytest.mark.parametrize("decay", [0.0, 0.3, 0.9, 1.0])
    def test_mixing_effective_length(self, graph, decay):
        """Against the double sum of the definition."""
        total = sum(decay ** int(d) for d in shortest_paths(graph).ravel() if np.isfinite(d))
        assert_close(graph.mixing_effective_length(decay), graph.length**2 / total, rtol=1e-14)

    def test_mixing_effective_length_limits(self):
        """Independent tokens count fully; at decay 1 each tree counts once: T^2 / sum of squared tree sizes."""
        chain = CausalGraph.chain(11)
        assert chain.mixing_effective_length(0.0) == 11
        assert_close(chain.mixing_effective_length(1.0), 121 / (10**2 + 1), rtol=1e-15)

    def test_long_graphs(self):
        """Sizes of the reports: no recursion, nothing quadratic in time where it need not be."""
        star = CausalGraph.star(200_000)
        assert star.leaf_effective_length == 200_000 / 199_998
        chain = CausalGraph.chain(200_000)
        # Exact sum over a chain of n = T - 1: n + 2 sum_d (n - d) 2^-d = 3n - 4 + 2^(2 - n), plus one for the query.
        assert_close(chain.mixing_effective_length(0.5), 4e10 / (3 * 199_999 - 4 + 1), rtol=1e-11)


class TestConversions:
    @pytest.mark.parametrize("graph", [*FORESTS, TWO_PARENTS, CausalGraph([(), (0,), (0, 1)], (0, 2))])
    def test_round_trips(self, graph):
        assert CausalGraph.from_adjacency(graph.adjacency, target_parents=graph.target_parents) == graph
        assert CausalGraph.from_networkx(graph.to_networkx()) == graph

    def test_networkx_roles(self):
        roles = dict(CausalGraph.from_parents([-1, 0, -1]).to_networkx().nodes(data="role"))
        assert roles == {0: "root", 1: "child", 2: "root", 3: "query"}
        assert CausalGraph([(), (0,)]).to_networkx().nodes[1]["role"] == "child"

    def test_networkx_parents_are_sorted_and_targets_can_be_given(self):
        networkx = pytest.importorskip("networkx")
        source = networkx.DiGraph([(1, 2), (0, 2)])
        assert CausalGraph.from_networkx(source, target_parents=(0, 1)) == CausalGraph([(), (), (0, 1)], (0, 1))

    def test_networkx_bad_input(self):
        networkx = pytest.importorskip("networkx")
        with pytest.raises(InvalidArgumentError, match=r"graph must be a networkx\.DiGraph, got Graph"):
            CausalGraph.from_networkx(networkx.path_graph(3))
        with pytest.raises(InvalidArgumentError, match=r"graph must be a networkx\.DiGraph, got list"):
            CausalGraph.from_networkx([(0, 1)])
        with pytest.raises(GraphError, match=r"no cycle, got a -> b -> a; remove or turn one"):
            CausalGraph.from_networkx(networkx.DiGraph([("a", "b"), ("b", "a"), ("b", "c")]))
        with pytest.raises(GraphError, match="position 0 must be earlier"):
            CausalGraph.from_networkx(networkx.DiGraph([(1, 0)]))

    def test_networkx_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "networkx", None)
        with pytest.raises(ImportError, match=r"\.\[plot\]"):
            CausalGraph.chain(4).to_networkx()
        with pytest.raises(ImportError, match=r"\.\[plot\]"):
            CausalGraph.from_networkx(object())

    @pytest.mark.parametrize(
        ("matrix", "match"),
        [
            ([[0, 0], [0.5, 0]], r"zeros and ones only, got 0.5 at \(1, 0\)"),
            ([[0, 0], [np.nan, 0]], "zeros and ones only, got nan"),
            ([[0, 1], [0, 0]], "position 0 must be earlier"),
            ([[0, 0], [0, 1]], "position 1 must be earlier"),
            ([[0, 0, 0], [1, 0, 0]], r"square matrix, got shape \(2, 3\)"),
            ([0, 1], r"square matrix, got shape \(2,\)"),
            ([["a"]], "square matrix of zeros and ones"),
            ([[0]], "at least 2 positions"),
        ],
    )
    def test_adjacency_bad_input(self, matrix, match):
        with pytest.raises(GraphError, match=match):
            CausalGraph.from_adjacency(matrix)
