"""Strategies that draw tasks."""

from collections.abc import Sequence

from hypothesis import strategies as st

from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs import CausalGraph
from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior, Prior
from causal_theory.tasks import InContextTask, RootLaw
from causal_theory.testing.bounds import check_entries, check_sizes
from causal_theory.testing.graphs import causal_graphs, forests
from causal_theory.testing.matrices import draw_tensor, transition_matrix
from causal_theory.validation import check_choice

PRIOR_KINDS = ("point", "orbit", "dirichlet")
"""Names of the priors that `tasks` can draw."""


@st.composite
def _tensor_task(
    draw: st.DrawFn, graphs: st.SearchStrategy[CausalGraph], sizes: tuple[int, int], options: tuple[bool, bool]
) -> InContextTask:
    graph = draw(graphs, label="graph")
    size = draw(st.integers(*sizes), label="S")
    return InContextTask(graph, PointPrior({k: draw(draw_tensor(k, size, *options)) for k in graph.in_degrees}))


def tensor_tasks(
    *,
    max_length: int = 5,
    max_size: int = 3,
    max_parents: int = 2,
    zeros: bool = True,
    near_deterministic: bool = True,
) -> st.SearchStrategy[InContextTask]:
    """Draw tasks with several parents under point priors: a transition tensor for each number of parents in the graph.

    Parameters
    ----------
    max_length : int
        Largest T, at least 2.
    max_size : int
        Largest number of symbols S, at least 2.
    max_parents : int
        Largest number of parents, at least 1.
    zeros, near_deterministic : bool
        As for :func:`transition_matrices`.

    Returns
    -------
    SearchStrategy of InContextTask
        Graphs come from :func:`causal_graphs`, tensors from :func:`transition_tensors`; roots are uniform.

    Raises
    ------
    InvalidArgumentError
        If a bound is too small, or tensors could have more than 2**22 entries.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from causal_theory import pairwise_information
    >>> @settings(max_examples=10, deadline=None)
    ... @given(tensor_tasks(max_length=4))
    ... def check(task):
    ...     assert (pairwise_information(task, "tv").value >= 0.0).all()
    >>> check()
    """
    graphs = causal_graphs(max_length=max_length, max_parents=max_parents)
    sizes = check_sizes(2, max_size)
    check_entries("max_size", sizes[1], "max_parents", min(max_parents, max_length))
    return _tensor_task(graphs, sizes, (zeros, near_deterministic))


@st.composite
def _task(
    draw: st.DrawFn,
    graphs: st.SearchStrategy[CausalGraph],
    sizes: tuple[int, int],
    root_laws: tuple[RootLaw, ...],
    priors: tuple[str, ...],
    matrix_options: dict[str, bool],
) -> InContextTask:
    graph = draw(graphs, label="graph")
    root_law = draw(st.sampled_from(root_laws), label="root law")
    kind = draw(st.sampled_from(priors), label="prior")
    prior: Prior
    if kind == "dirichlet":
        size = draw(st.integers(*sizes), label="S")
        concentration = draw(st.sampled_from([1.0, 0.3, 3.0]), label="concentration")
        prior = DirichletPrior(size, concentration, floor=draw(st.sampled_from([0.0, 0.25]), label="floor"))
    else:
        matrix = draw(transition_matrix(sizes, unique_stationary=root_law == "stationary", **matrix_options))
        prior = PointPrior(matrix) if kind == "point" else OrbitPrior(matrix)
    return InContextTask(graph, prior, root_law)


def tasks(
    *,
    max_length: int = 6,
    max_size: int = 3,
    root_laws: Sequence[RootLaw] = ("stationary", "uniform"),
    priors: Sequence[str] = ("point",),
    zeros: bool = True,
    near_deterministic: bool = True,
) -> st.SearchStrategy[InContextTask]:
    """Draw tasks on forests with an independent query.

    Parameters
    ----------
    max_length : int
        Largest T, at least 2.
    max_size : int
        Largest number of symbols S, at least 2.
    root_laws : sequence of {"stationary", "uniform"}
        The laws of the roots to draw from. With uniform roots the matrix may have several closed classes.
    priors : sequence of {"point", "orbit", "dirichlet"}
        The kinds of priors to draw from; the default has an exact expectation for every quantity.
    zeros, near_deterministic : bool
        As for :func:`transition_matrices`.

    Returns
    -------
    SearchStrategy of InContextTask
        Graphs come from :func:`forests`, matrices from :func:`transition_matrices`.

    Raises
    ------
    InvalidArgumentError
        If a bound is below 2 or too large, or a sequence is empty or holds an unknown name.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from causal_theory import pairwise_information
    >>> @settings(max_examples=10, deadline=None)
    ... @given(tasks(max_length=4))
    ... def check(task):
    ...     assert (pairwise_information(task, "tv").value >= 0.0).all()
    >>> check()
    """
    for name, values, allowed in (("root_laws", root_laws, ("stationary", "uniform")), ("priors", priors, PRIOR_KINDS)):
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise InvalidArgumentError(f"{name} must be a sequence of at least one name, got {values!r}")
        for value in values:
            check_choice(name, value, allowed)
    sizes = check_sizes(2, max_size)
    options = {"zeros": zeros, "near_deterministic": near_deterministic}
    return _task(forests(max_length=max_length), sizes, tuple(root_laws), tuple(priors), options)
