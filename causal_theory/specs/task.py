"""An in-context task as data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

from typing_extensions import override

from causal_theory.choices import Registry
from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs import CausalGraph, read_graph
from causal_theory.graphs.by_name import make_graph
from causal_theory.graphs.families import FAMILIES, MINIMUM_LENGTH
from causal_theory.graphs.matrices import Convention
from causal_theory.priors import Prior
from causal_theory.priors.by_name import PRIORS
from causal_theory.specs.base import Option, Spec, own_options
from causal_theory.specs.readers import flag, integer, matrix, path, positive, probability, text
from causal_theory.tasks import InContextTask, RootLaw
from causal_theory.validation import SeedLike, as_generator

GRAPH, PRIOR = "Graph", "Prior"
LENGTH = 20
OF_A_FILE = ("query", "convention")
"""Fields that say how the file of a graph is meant."""


@dataclass(frozen=True, repr=False)
class GraphSpec(Spec):
    """A graph as data: see `TaskSpec`, which has these fields too.

    Parameters
    ----------
    graph : str, optional
        A graph family by its name, or ``"module:function"``; by default ``"chain"``.
    graph_file : str, optional
        A file with the graph instead: see :func:`causal_theory.read_graph`.
    query : str, optional
        The label of the query in that file, ``"last"`` for the last position; by default a marked node, or one that is
        appended.
    convention : {"to-from", "from-to", "causal-learn"}, optional
        The orientation of an adjacency matrix in that file.
    length : int, optional
        T, the query included; by default 20.
    root_probability : float, optional
        Chance that a position of a random forest is a root; by default 0.5.
    order : int, optional
        Positions that each position of an ngram follows; by default 2.
    parents : int, optional
        Parents of each position of a random DAG; by default 2.
    graph_options : mapping, optional
        Parameters of a function of your own that are none of these.

    Examples
    --------
    >>> GraphSpec(graph="ngram", length=4, order=2).build_graph().parents
    ((), (), (0, 1), (1, 2))
    """

    REGISTRIES: ClassVar[Mapping[str, Registry[Any]]] = {"graph": FAMILIES}
    WHAT: ClassVar[str] = "graph"

    graph: Annotated[str | None, Option("Graph family, or a function of your own.", GRAPH, registry=FAMILIES)] = None
    graph_file: Annotated[
        str | None,
        Option(
            "Read the graph from a file instead: JSON, edges or a matrix in CSV, GraphML, GML, DOT, DAGitty, BIF, ...",
            GRAPH,
            path,
            metavar="FILE",
            is_file=True,
        ),
    ] = None
    query: Annotated[
        str | None,
        Option('Label of the query in the graph file; "last" for the last position.', GRAPH, text, metavar="LABEL"),
    ] = None
    convention: Annotated[
        Convention | None,
        Option(
            "Orientation of a matrix in the graph file: to-from (rows are children), from-to, causal-learn.",
            GRAPH,
            metavar="NAME",
        ),
    ] = None
    length: Annotated[
        int | None, Option("Tokens T, the query included.", GRAPH, integer(MINIMUM_LENGTH), default=LENGTH)
    ] = None
    root_probability: Annotated[
        float | None, Option("Chance that a position of a random forest is a root.", GRAPH, probability)
    ] = None
    order: Annotated[int | None, Option("Positions that each position of an ngram follows.", GRAPH, integer(1))] = None
    parents: Annotated[int | None, Option("Parents of each position of a random DAG.", GRAPH, integer(1))] = None
    graph_options: Annotated[dict[str, Any] | None, own_options(FAMILIES, GRAPH)] = None

    def build_graph(self, rng: SeedLike = None) -> CausalGraph:
        """Return the graph.

        Parameters
        ----------
        rng : seed or numpy Generator, optional
            Source of a random one.

        Returns
        -------
        CausalGraph
            Made by the constructor of that name, or read from the file.

        Raises
        ------
        InvalidArgumentError
            If an option has no effect, is missing or out of range, or the file cannot be read.
        """
        if self.graph_file is not None:
            for name, value in self._of_a_family().items():
                raise InvalidArgumentError(f"{name} must not be given together with graph_file, got {value!r}")
            try:
                return read_graph(self.graph_file, query=self.query, convention=self.convention)
            except ImportError as error:
                raise InvalidArgumentError(f"graph_file must be of a format that can be read here: {error}") from error
        for name, value in self.given(*OF_A_FILE).items():
            raise InvalidArgumentError(f"{name} must be given together with graph_file only, got {value!r}")
        common = {"length": LENGTH if self.length is None else self.length, "rng": rng}
        name = self.name_of("graph")
        if self.length is not None and FAMILIES.find(name).takes("length") is None:
            raise InvalidArgumentError(f"length must not be given together with graph {name}, got {self.length}")
        return make_graph(name, self.options("graph"), common, self.extra("graph"))

    def _of_a_family(self) -> dict[str, Any]:
        return self.given("graph", "length", *FAMILIES.options, "graph_options")

    @override
    def complete(self) -> Self:
        whole = super().complete()
        if self.graph_file is None:
            return whole if self.length is not None else replace(whole, length=LENGTH)
        return type(self)(**{key: value for key, value in whole.given().items() if key not in whole._of_a_family()})

    @override
    def over(self, lower: Self) -> Self:
        if self.graph_file is not None:
            dropped = (*lower._of_a_family(), *OF_A_FILE)
            lower = type(self)(**{key: value for key, value in lower.given().items() if key not in dropped})
        elif self.graph is not None and lower.graph_file is not None:
            of_a_file = ("graph_file", *OF_A_FILE)
            lower = type(self)(**{key: value for key, value in lower.given().items() if key not in of_a_file})
        return super().over(lower)


@dataclass(frozen=True, repr=False)
class PriorSpec(Spec):
    """A prior as data: see `TaskSpec`, which has these fields too.

    Parameters
    ----------
    prior : str, optional
        One of ``"point"``, ``"orbit"``, ``"dirichlet"``, or ``"module:Class"``.
    transition : nested sequence of float, or str, optional
        The matrix of a point or orbit prior, or the name of a file with it.
    normalise : bool, optional
        Whether its rows are divided by their sums first.
    symbols : int, optional
        S of a Dirichlet prior.
    concentration, floor : float, optional
        Of a Dirichlet prior.
    prior_options : mapping, optional
        Parameters of a class of your own that are none of these.

    Examples
    --------
    >>> PriorSpec(symbols=3).build_prior()
    DirichletPrior(3, 1)
    """

    REGISTRIES: ClassVar[Mapping[str, Registry[Any]]] = {"prior": PRIORS}
    WHAT: ClassVar[str] = "prior"

    prior: Annotated[
        str | None,
        Option(
            "Law of the transition matrix: one matrix, all relabelings of one, independent Dirichlet rows, or a class "
            "of your own.",
            PRIOR,
            registry=PRIORS,
        ),
    ] = None
    transition: Annotated[
        Any,
        Option(
            'Matrix of a point or orbit prior: JSON like "[[0.9,0.1],[0.2,0.8]]", or a .json, .csv, .tsv, .npy or .npz '
            "file, names of rows and columns allowed.",
            PRIOR,
            matrix,
            metavar="MATRIX",
            is_file=True,
        ),
    ] = None
    normalise: Annotated[
        bool | None, Option("Divide the rows of the matrix by their sums: counts, rounded rows.", PRIOR, flag)
    ] = None
    symbols: Annotated[int | None, Option("Symbols S of a Dirichlet prior.", PRIOR, integer(2))] = None
    concentration: Annotated[
        float | None, Option("Concentration of a Dirichlet prior, per entry.", PRIOR, positive())
    ] = None
    floor: Annotated[
        float | None, Option("Weight of the uniform law blended into a Dirichlet prior.", PRIOR, probability)
    ] = None
    prior_options: Annotated[dict[str, Any] | None, own_options(PRIORS, PRIOR)] = None

    @override
    def over(self, lower: Self) -> Self:
        if self.transition is not None or self.prior not in (None, lower.name_of("prior")):
            lower = replace(lower, normalise=None)  # it belongs to the replaced matrix
        return super().over(lower)

    @override
    def relevant(self) -> Self:
        found = super().relevant()
        return found if PRIORS.find(found.name_of("prior")).takes("normalise") else replace(found, normalise=None)

    def build_prior(self, rng: SeedLike = None) -> Prior:
        """Return the prior.

        Parameters
        ----------
        rng : seed or numpy Generator, optional
            For a class of your own whose constructor takes ``rng``.

        Returns
        -------
        Prior
            Made by the class of that name.

        Raises
        ------
        InvalidArgumentError
            If an option has no effect, is missing or out of range.
        """
        name = self.name_of("prior")
        if self.normalise and PRIORS.find(name).takes("normalise") is None:
            raise InvalidArgumentError(f"normalise must not be given together with prior {name}, which takes no matrix")
        common = {"rng": rng, "normalise": bool(self.normalise)}
        made: Prior = PRIORS.make(name, self.options("prior"), common, self.extra("prior"))
        return made


@dataclass(frozen=True, repr=False)
class TaskSpec(PriorSpec, GraphSpec):
    """An in-context task as data: which graph, which prior, which law of the roots.

    Every field is an option of the command line, with ``-`` for ``_``, and a key of TOML and JSON; None stands for the
    default.

    Parameters
    ----------
    graph, graph_file, query, convention, length, root_probability, order, parents, graph_options : optional
        See `GraphSpec`.
    prior, transition, normalise, symbols, concentration, floor, prior_options : optional
        See `PriorSpec`.
    root_law : {"stationary", "uniform"}, optional
        See `InContextTask`.

    Raises
    ------
    InvalidArgumentError
        If a value is of the wrong kind or out of range.

    Examples
    --------
    >>> spec = TaskSpec(graph="random-forest", length=8, symbols=3)
    >>> spec.build(rng=0).prior
    DirichletPrior(3, 1)
    >>> spec.to_dict()
    {'graph': 'random-forest', 'length': 8, 'symbols': 3}
    >>> spec.complete().root_probability
    0.5
    """

    REGISTRIES: ClassVar[Mapping[str, Registry[Any]]] = {"graph": FAMILIES, "prior": PRIORS}
    WHAT: ClassVar[str] = "task"

    root_law: Annotated[
        RootLaw | None,
        Option("Law of a root (default stationary; uniform for graphs with several parents).", PRIOR),
    ] = None

    def build(self, rng: SeedLike = None) -> InContextTask:
        """Return the task: what is random of the graph is drawn first.

        Parameters
        ----------
        rng : seed or numpy Generator, optional
            Source of a random graph.

        Returns
        -------
        InContextTask
            The task.

        Raises
        ------
        InvalidArgumentError
            If an option has no effect, is missing or out of range, or a file cannot be read.
        """
        generator = as_generator(rng)
        graph = self.build_graph(generator)
        return InContextTask(graph, self.build_prior(generator), self.root_law)
