"""Graphs from and to the objects of other libraries, as constructors of the class of graphs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from causal_theory.graphs import convert, networks
from causal_theory.graphs.matrices import Convention, named_from_adjacency
from causal_theory.graphs.named import NamedGraph

if TYPE_CHECKING:
    from causal_theory.graphs.graph import CausalGraph


class GraphExchange:
    """Constructors of :class:`CausalGraph` from objects of other libraries, and the way back.

    All follow one convention. The node that is marked as the query is the query; without a mark a query is appended.
    ``query`` names another one.
    """

    if TYPE_CHECKING:

        def __init__(self, parents: Any, target_parents: Any = None, labels: Any = None) -> None: ...

    @classmethod
    def _from_named(cls, named: NamedGraph, query: object, target_parents: Any = None) -> Self:
        parents, targets, labels = named.sort(query, target_parents)
        return cls(parents, targets, labels)

    @classmethod
    def from_adjacency(
        cls,
        adjacency: Any,
        *,
        convention: Convention | None = None,
        labels: Iterable[object] | None = None,
        query: object = None,
        target_parents: Iterable[int | str] | None = None,
    ) -> Self:
        r"""Build a graph from an adjacency matrix.

        Libraries disagree on the orientation, and most matrices can be read either way. So the default, that of
        :attr:`causal_theory.CausalGraph.adjacency`, is taken only where parents come before children; for any other
        matrix the convention must be named.

        A matrix cannot mark its query. Where the last position has neither parent nor child, and no label or the label
        "query", as in :attr:`causal_theory.CausalGraph.adjacency`, it is the query; otherwise one is appended.

        Parameters
        ----------
        adjacency : array_like or DataFrame, shape (n, n)
            Zeros and ones. A data frame brings its labels.
        convention : {"to-from", "from-to", "causal-learn"}, default "to-from"
            The meaning of ``[i, j] = 1``: j is a parent of i (this package, results of lingam), or i is a parent of j
            (networkx, pandas, results of gcastle). ``"causal-learn"``: i is a parent of j where ``[j, i] = 1`` and
            ``[i, j] = -1``.
        labels : iterable, optional
            A name for each row. Labelled positions are sorted so that parents come first, others must be sorted.
        query : str or int, optional
            The label of the query, or ``"last"`` for the last of unlabelled positions.
        target_parents : iterable of int or str, optional
            The positions or labels that the target depends on; the query by default. No query is appended then.

        Returns
        -------
        CausalGraph
            With parents sorted.

        Raises
        ------
        GraphError
            If the matrix is not square, holds anything but zeros and ones (NaN, weights), or has a cycle; if it has a
            parent behind its child and no convention or no labels; under ``"causal-learn"`` also if an edge is
            undirected, bidirected or ends in a circle. The message names the entry and the remedy.
        InvalidArgumentError
            If the convention is unknown.

        Examples
        --------
        >>> from causal_theory import CausalGraph
        >>> graph = CausalGraph.star(6)
        >>> CausalGraph.from_adjacency(graph.adjacency) == graph
        True
        >>> named = CausalGraph.from_adjacency([[0, 0], [1, 0]], convention="from-to", labels=["wet", "rain"])
        >>> named.labels, named.edges
        (('rain', 'wet', 'query'), ((0, 1),))
        """
        return cls._from_named(named_from_adjacency(adjacency, convention, labels), query, target_parents)

    @classmethod
    def from_networkx(
        cls, graph: Any, *, query: object = None, target_parents: Iterable[int | str] | None = None
    ) -> Self:
        """Build a graph from one of networkx.

        Nodes 0..n-1, or these numbers as text, are positions. Other nodes are sorted so that parents come first, in the
        order that the graph stores where it can be kept, and their names become the labels.

        The node that carries ``role="query"`` is the query. Without one a query is appended, unless nodes say what the
        target depends on. What :meth:`to_networkx` returns comes back as it was, also from a file.

        Parameters
        ----------
        graph : networkx.DiGraph
            Edges lead from parent to child. When they carry ``parent_order``, the parents of every position are in that
            order: 0, 1, ... Otherwise they are sorted.
        query : node, optional
            The query, a node without children; ``"last"`` for the last of unlabelled positions.
        target_parents : iterable of int or str, optional
            The positions or labels that the target depends on. By default the nodes that carry ``target_order``, in
            that order; else the graph attribute ``target_parents``; else the query.

        Returns
        -------
        CausalGraph
            With labels, unless its nodes are positions.

        Raises
        ------
        InvalidArgumentError
            If ``graph`` is not a directed graph without multiple edges.
        GraphError
            If there is a cycle, a position has a later parent, two nodes are marked as the query or the query has
            children, or an order has gaps or repeats itself; the message names the node or the edge.
        ImportError
            If networkx is not installed.

        Examples
        --------
        >>> import networkx
        >>> from causal_theory import CausalGraph
        >>> graph = CausalGraph.from_networkx(networkx.DiGraph([("wet", "slippery"), ("rain", "wet")]))
        >>> graph.labels, graph.edges
        (('rain', 'wet', 'slippery', 'query'), ((0, 1), (1, 2)))
        >>> CausalGraph.from_networkx(networkx.DiGraph([(0, 1)]), query="last")
        CausalGraph(length=2, edges=1, roots=1)
        """
        named = convert.named_from_networkx(graph)
        if target_parents is None:
            target_parents = convert.targets_of_networkx(graph, named)
        return cls._from_named(named, query, target_parents)

    @classmethod
    def from_bayesian_network(cls, network: Any, *, query: object = None) -> Self:
        """Build a graph from a network of pgmpy or pyAgrum.

        Neither library is imported: what counts is that the object has their public methods. Where a node has a table,
        its parents are in the order of the table, which is that of the axes of a transition tensor.

        Parameters
        ----------
        network : object
            A ``DAG`` or ``DiscreteBayesianNetwork`` of pgmpy; a ``BayesNet`` or ``DAG`` of pyAgrum.
        query : str, optional
            The name of the query, a node without children; by default a query is appended.

        Returns
        -------
        CausalGraph
            With the names of the network as labels.

        Raises
        ------
        InvalidArgumentError
            If the object is of another kind, or has edges without a direction.
        GraphError
            If there is a cycle, or the query is unknown or has children.

        Examples
        --------
        >>> from causal_theory import CausalGraph
        >>> CausalGraph.from_bayesian_network(object())
        Traceback (most recent call last):
        causal_theory.errors.InvalidArgumentError: network must be a network of pgmpy or pyAgrum, got object
        """
        return cls._from_named(networks.named_from_network(network), query)

    def to_networkx(self: "CausalGraph") -> Any:  # type: ignore[misc]
        """Return the graph as one of networkx.

        Returns
        -------
        networkx.DiGraph
            Nodes are labels, or positions where there are none. Edges lead from parent to child and carry
            ``parent_order``: the place of the parent among those of its child, from 0. Nodes carry ``role``:
            ``"root"``, ``"child"`` or ``"query"``; those that the target depends on carry ``target_order``: their place
            among its parents. All values are ``int`` or ``str``, which GraphML, GML and JSON keep.

        Raises
        ------
        ImportError
            If networkx is not installed.

        Examples
        --------
        >>> from causal_theory import CausalGraph
        >>> graph = CausalGraph([(), (), (1, 0)], target_parents=(2, 0))
        >>> sorted(graph.to_networkx().edges(data="parent_order"))
        [(0, 2, 1), (1, 2, 0)]
        >>> CausalGraph.from_networkx(graph.to_networkx()) == graph
        True
        """
        return convert.networkx_from_graph(self)
