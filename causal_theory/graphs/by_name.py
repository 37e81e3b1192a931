"""Make graphs of a family by its name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from causal_theory.choices import brief
from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs.families import FAMILIES
from causal_theory.graphs.graph import CausalGraph
from causal_theory.validation import SeedLike


def graph_by_name(name: str, length: int, *, rng: SeedLike = None, **options: Any) -> CausalGraph:
    """Return a graph of a named family.

    Parameters
    ----------
    name : str
        One of the keys of `FAMILIES`, or ``module:function`` of your own: it takes what it wants of ``length``,
        ``rng`` and the options, and returns a CausalGraph or what `CausalGraph.from_parents` takes.
    length : int
        T, the query included.
    rng : seed or numpy Generator, optional
        Source of the random families.
    **options : int or float
        Those of the family: ``root_probability``, ``order``, ``parents``.

    Returns
    -------
    CausalGraph
        Made by the constructor of that name.

    Raises
    ------
    InvalidArgumentError
        If the name is unknown, an argument of its constructor is out of range, or an option has no effect.

    Examples
    --------
    >>> graph_by_name("binary-tree", 6).edges
    ((0, 1), (0, 2), (1, 3), (1, 4))
    """
    return make_graph(name, options, {"length": length, "rng": rng})


def make_graph(
    name: str, options: Mapping[str, Any], common: Mapping[str, Any], extra: Mapping[str, Any] | None = None
) -> CausalGraph:
    """Return a graph from what `Registry.make` takes."""
    graph = _as_graph(name, FAMILIES.make(name, options, common, extra))
    if graph.length != common["length"] and FAMILIES.find(name).takes("length"):
        raise InvalidArgumentError(
            f"graph must have the length {common['length']} that its function is given, got {graph.length} from {name}"
        )
    return graph


def _as_graph(name: str, made: object) -> CausalGraph:
    if isinstance(made, CausalGraph):
        return made
    if isinstance(made, tuple) and len(made) == 2 and not isinstance(made[0], int):
        return CausalGraph(*made)
    if isinstance(made, list | tuple | np.ndarray):
        return CausalGraph.from_parents(made)
    raise InvalidArgumentError(f"graph must be a CausalGraph or a list of parents, got {brief(made)} from {name}")
