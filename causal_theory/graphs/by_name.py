"""Graph families by name, with the options that some of them have: the command line and studies read them here."""

from collections.abc import Callable, Mapping

from causal_theory.graphs.graph import CausalGraph
from causal_theory.validation import SeedLike, check_choice

__all__ = ["GRAPH_NAMES", "graph_by_name"]

_Maker = Callable[[int, float, int, int, SeedLike], CausalGraph]

_MAKERS: Mapping[str, _Maker] = {
    "chain": lambda length, *_: CausalGraph.chain(length),
    "pairs": lambda length, *_: CausalGraph.pairs(length),
    "star": lambda length, *_: CausalGraph.star(length),
    "binary-tree": lambda length, *_: CausalGraph.binary_tree(length),
    "random-forest": lambda length, share, _order, _parents, rng: CausalGraph.random_forest(length, share, rng),
    "recursive-forest": lambda length, _share, _order, _parents, rng: CausalGraph.recursive_forest(length, rng),
    "ngram": lambda length, _share, order, *_: CausalGraph.ngram(length, order),
    "binary-tree-and-previous": lambda length, *_: CausalGraph.binary_tree_and_previous(length),
    "random-dag": lambda length, _share, _order, parents, rng: CausalGraph.random_dag(length, parents, rng),
}

GRAPH_NAMES = tuple(_MAKERS)
"""The names, as on the command line."""


def graph_by_name(
    name: str,
    length: int,
    *,
    root_probability: float = 0.5,
    order: int = 2,
    parents: int = 2,
    rng: SeedLike = None,
) -> CausalGraph:
    """Return a graph of a named family.

    Parameters
    ----------
    name : str
        One of ``GRAPH_NAMES``.
    length : int
        T, the query included.
    root_probability : float, default 0.5
        Chance that a position of a random forest is a root; others ignore it.
    order : int, default 2
        Positions that each position of an ngram follows; others ignore it.
    parents : int, default 2
        Parents of each position of a random DAG; others ignore it.
    rng : seed or numpy Generator, optional
        Source of the random families.

    Returns
    -------
    CausalGraph
        Made by the constructor of that name.

    Raises
    ------
    InvalidArgumentError
        If the name is unknown, or an argument of its constructor is out of range.

    Examples
    --------
    >>> graph_by_name("binary-tree", 6).edges
    ((0, 1), (0, 2), (1, 3), (1, 4))
    """
    make = _MAKERS[check_choice("graph", name, GRAPH_NAMES)]
    return make(length, root_probability, order, parents, rng)
