"""The instances of the library: matrices with small denominators, graphs up to 20 tokens."""

from collections.abc import Iterator
from dataclasses import dataclass

from causal_theory import CausalGraph
from causal_theory.graphs.by_name import graph_by_name

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Instance:
    """A task to certify, under a name that says the family, S, T and the matrix."""

    name: str
    family: str
    graph: CausalGraph
    transition: Rows
    epsilon: str


def _rows(text: str, denominator: int) -> Rows:
    return tuple(tuple(f"{entry}/{denominator}" for entry in row.split()) for row in text.split(";"))


MATRICES: dict[str, Rows] = {
    # Trace 1, gamma = 1/10, two or more different rows: all assumptions hold.
    "turning": _rows("2 7 1; 1 5 4; 6 1 3", 10),
    "cyclic": _rows("5 8 2; 2 5 8; 8 2 5", 15),
    "skewed": _rows("1 6 3; 5 4 1; 4 1 5", 10),
    "four": _rows("4 8 2 2; 2 4 8 2; 2 2 4 8; 8 2 2 4", 16),
    "uneven-four": _rows("5 3 1 1; 1 2 6 1; 4 1 2 3; 2 5 2 1", 10),
    # Two symbols that change more often than they stay: trace below 1, and the parent wins all the same.
    "alternating": _rows("1 4; 4 1", 5),
    "uneven-alternating": _rows("1 3; 2 2", 4),
    # Zeros, trace 1: the lower bound fails, mixing does not.
    "zeros": _rows("0 1 1; 0 1 1; 1 0 1", 2),
    "sparse": _rows("1 3 0; 0 1 3; 2 0 2", 4),
    # Trace above 1: the diagonal wins, but for the slight excess of the fourth.
    "sticky": _rows("4 1; 1 4", 5),
    "hardly-sticky": _rows("11 9; 9 11", 20),
    "sticky-three": _rows("5 2 1; 1 5 2; 2 1 5", 8),
    "slightly-sticky": _rows("4 4 2; 3 4 3; 2 4 4", 10),
    "sticky-four": _rows("4 1 2 1; 1 4 1 2; 2 1 4 1; 1 2 1 4", 8),
    # Rows that do not differ, or hardly: tokens are (nearly) independent.
    "independent": _rows("5 3 2; 5 3 2; 5 3 2", 10),
    "independent-four": _rows("2 1 1 1; 2 1 1 1; 2 1 1 1; 2 1 1 1", 5),
    "nearly-independent": _rows("84 12 4; 83 12 5; 84 12 4", 100),
    # A cycle of two symbols that is never left, reached from two others: no mixing, and no lower bound.
    "periodic": _rows("1 2 1 0; 1 3 0 0; 0 0 0 4; 0 0 4 0", 4),
    "periodic-uneven": _rows("3 0 1 1; 1 2 1 1; 0 0 0 5; 0 0 5 0", 5),
    # Three common symbols that are nearly independent, and two rare ones that follow each other and carry nearly all of
    # the dependence: zeros, but trace 1, ||B|| >= gamma and mixing.
    "rare-pair": _rows(
        "150 1350 1497 3 0; 300 1350 1350 0 0; 300 1200 1500 0 0; 400 400 400 0 1800; 1000 1000 1000 0 0", 3000
    ),
    # All assumptions hold, with the mass on one symbol.
    "top-heavy": _rows("6 2 2; 5 2 3; 5 3 2", 10),
    "top-heavy-four": _rows("9 2 2 2; 6 2 5 2; 6 2 2 5; 6 5 2 2", 15),
    "faint": _rows("84 12 4; 77 12 11; 84 12 4", 100),
    "faint-four": _rows("25 847 60 68; 27 922 26 25; 56 848 25 71; 61 831 80 28", 1000),
    "star-breaker": _rows("7 2 11; 9 8 3; 2 13 5", 20),
    "star-breaker-four": _rows("5 8 2 5; 2 6 3 9; 6 6 7 1; 1 1 16 2", 20),
}

FORESTS: dict[int, tuple[list[int], ...]] = {
    8: ([-1, 0, 0, 1, 3, 4, 0], [-1, -1, -1, 2, 0, -1, -1]),
    12: ([-1, 0, -1, -1, -1, 1, 2, -1, 3, 0, 3], [-1, 0, -1, 1, 2, 4, 3, -1, -1, 2, 0]),
    20: ([-1, -1, 1, 0, 0, 1, 1, 5, -1, 5, 0, -1, -1, 5, -1, 7, 4, 2, 12],),
}
"""Parents of random forests, drawn once."""

GROWING = ("chain", "pairs", "binary tree")


def _make(family: str, length: int, matrix: str, epsilon: str = "1/100") -> Instance:
    words = family.replace(" ", "-")
    loud = "" if epsilon == "1/100" else f"-eps{epsilon}"
    return Instance(f"{words}-{length}-{matrix}{loud}", family, graph_by_name(words, length), MATRICES[matrix], epsilon)


def _forests(length: int, matrix: str) -> Iterator[Instance]:
    for k, parents in enumerate(FORESTS[length]):
        name, graph = f"random-forest-{k + 1}-{length}-{matrix}", CausalGraph.from_parents(parents)
        yield Instance(name, "random forest", graph, MATRICES[matrix], "1/100")


def _recovered() -> Iterator[Instance]:
    """Yield instances that satisfy every condition, and some that recover their edges without."""
    for matrix in ("turning", "cyclic", "skewed"):
        for length in (8, 12):
            yield from (_make(family, length, matrix) for family in GROWING)
            yield from _forests(length, matrix)
    yield from (_make(family, 20, "turning") for family in GROWING)
    yield from _forests(20, "turning")
    for matrix in ("four", "uneven-four"):
        yield from (_make(family, 10, matrix) for family in GROWING)
    yield from _forests(8, "four")
    yield from (_make("chain", length, "alternating") for length in (10, 20))
    yield from (_make(family, 12, "uneven-alternating") for family in ("pairs", "binary tree"))
    yield from (_make("chain", 12, matrix) for matrix in ("zeros", "sparse"))
    yield _make("binary tree", 12, "sparse")
    yield _make("chain", 12, "slightly-sticky")
    # The same matrices lose edges in shorter sequences, see below.
    yield from (_make(family, 12, "faint-four") for family in GROWING)
    yield _make("binary tree", 12, "faint")
    yield _make("chain", 20, "nearly-independent")


def _lost() -> Iterator[Instance]:
    """Yield instances that lose an edge, grouped by the one condition that they violate."""
    yield from (_make("chain", length, "sticky") for length in (10, 20))
    yield _make("binary tree", 12, "hardly-sticky")
    yield _make("binary tree", 12, "sticky-three")
    yield _make("pairs", 10, "sticky-four")
    yield from _forests(8, "sticky-three")
    yield from (_make(family, 12, "independent") for family in GROWING)
    yield _make("chain", 10, "independent-four")
    yield _make("chain", 20, "independent")
    yield from (_make(family, 12, "nearly-independent") for family in GROWING)
    yield from (_make(family, 12, "periodic") for family in ("chain", "binary tree"))
    yield _make("chain", 20, "periodic-uneven")
    yield from (_make(family, 10, "rare-pair") for family in ("chain", "binary tree"))
    yield from (_make("star", length, "star-breaker") for length in (12, 20))
    yield _make("star", 16, "star-breaker-four")
    yield from (_make(family, 10, "top-heavy-four", "10") for family in GROWING)
    yield _make("chain", 12, "top-heavy", "10")
    yield from (_make(family, 6, "faint-four") for family in GROWING)
    yield _make("binary tree", 6, "faint")


INSTANCES = (*_recovered(), *_lost())
