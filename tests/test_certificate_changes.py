"""Certificates with one field changed: never valid, never an exception; their files likewise."""

import json
import pickle
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import count

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from causal_theory import CausalGraph, certify_edge_scores, verify_certificate
from causal_theory.certificates.certificate import Certificate, ExactMargin, GivenNumbers
from causal_theory.certificates.files import certificate_from_dict, certificate_to_dict
from causal_theory.errors import CausalTheoryError, FileFormatError, InvalidArgumentError, TooLargeError
from causal_theory.testing import forests, transition_matrices

EXACT = [["1/5", "7/10", "1/10"], ["1/10", "1/2", "2/5"], ["3/5", "1/10", "3/10"]]
PLAIN = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]
MIXED = [["1/5", 0.8], ["3/5", Fraction(2, 5)]]
ODD = [[2**0.5 - 1, 2 - 2**0.5], [0.5, 0.5]]
FOREST = CausalGraph.from_parents([-1, 0, 1, -1])


@st.composite
def certificates(draw):
    """Certificates of rational numbers, of floats, and of both."""
    graph = draw(forests(max_length=5))
    matrix = draw(
        st.sampled_from([EXACT, PLAIN, MIXED, ODD, [[0, 1], [1, 0]], [["1", "0"], ["1/2", "1/2"]]])
        | transition_matrices(max_size=3, near_deterministic=False)
    )
    epsilon = draw(st.sampled_from(["1/10", Fraction(3), 0.1, 2**-0.5, 1e-300, Decimal("0.05")]))
    return certify_edge_scores(graph, matrix, epsilon, root_law=draw(st.sampled_from(["stationary", "uniform"])))


def places(value, path=()):
    """Yield the path of everything in a certificate, fields within fields included."""
    yield path
    if is_dataclass(value) and not isinstance(value, CausalGraph):
        for field in fields(value):
            yield from places(getattr(value, field.name), (*path, field.name))
    elif isinstance(value, tuple):
        for k, entry in enumerate(value):
            yield from places(entry, (*path, k))


def at(value, path):
    for step in path:
        value = getattr(value, step) if isinstance(step, str) else value[step]
    return value


def put(value, path, new):
    """Return a copy with ``new`` at the path."""
    if not path:
        return new
    step, *rest = path
    inner = put(at(value, (step,)), rest, new)
    return replace(value, **{step: inner}) if isinstance(step, str) else (*value[:step], inner, *value[step + 1 :])


OTHERS = [
    None,
    0,
    1,
    -1,
    True,
    0.5,
    float("nan"),
    float("inf"),
    "1/2",
    "stationary",
    "uniform",
    "\ud800",
    b"1",
    (),
    [],
    {},
    Fraction(0),
    Fraction(-1),
    Fraction(1, 10**30),
    Fraction(10**5000, 3),
    Decimal("0.5"),
    1j,
    np.float64(0.5),
    np.int64(1),
    np.array([0.5, 0.5]),
    np.array(["stationary", "uniform"]),
    GivenNumbers(None, None),
    GivenNumbers(((None, None), (None, None)), Fraction(1, 10)),
    ExactMargin(1, 0, 1, Fraction(1)),
    CausalGraph.chain(4),
    object(),
]


@st.composite
def changes(draw, value):
    """Something else in the place of a value."""
    other = st.sampled_from(OTHERS)
    if isinstance(value, Fraction):
        near = st.fractions(max_denominator=10**6).map(lambda x: value + x)
        other |= near | st.just(-value) | st.just(float(value)) | st.just(value + Fraction(1, 10**40))
    elif isinstance(value, tuple):
        other |= st.just(list(value)) | st.just(value[:-1]) | st.just((*value, *value[-1:])) | st.just(value[::-1])
        if value and isinstance(value[0], tuple):
            other |= st.just(tuple(zip(*value, strict=False)))
    elif isinstance(value, int):
        other |= st.integers(-3, 8)
    elif isinstance(value, CausalGraph):
        other |= forests(max_length=6) | st.just(CausalGraph(value.parents, (0,)))
    return draw(other)


def as_float(value):
    """Return the float or the long double that a fraction is."""
    if Fraction(float(value)) == value:
        return float(value)
    return np.ldexp(np.longdouble(str(value.numerator)), 1 - value.denominator.bit_length())


def is_what_it_says(certificate):
    """Whether a certificate is the one of the numbers that it says were given."""
    try:
        given = certificate.given or GivenNumbers(None, None)
        floats = given.transition or [[None] * len(certificate.transition)] * len(certificate.transition)
        rows = [
            [entry if old is None else as_float(old) for entry, old in zip(row, olds, strict=True)]
            for row, olds in zip(certificate.transition, floats, strict=True)
        ]
        epsilon = certificate.epsilon if given.epsilon is None else as_float(given.epsilon)
        again = certify_edge_scores(certificate.graph, rows, epsilon, root_law=certificate.root_law)
    except (CausalTheoryError, TypeError, ValueError, AttributeError, OverflowError):
        return False
    return repr(again) == repr(certificate) and again == certificate


class TestOneChange:
    @settings(deadline=None)
    @given(certificate=certificates())
    def test_true_ones_are_valid(self, certificate):
        assert verify_certificate(certificate).valid
        assert certificate_from_dict(json.loads(json.dumps(certificate_to_dict(certificate)))) == certificate
        assert pickle.loads(pickle.dumps(certificate)) == certificate

    @settings(deadline=None, max_examples=300)
    @given(data=st.data(), certificate=certificates())
    def test_is_never_valid(self, data, certificate):
        """A certificate with one change anywhere is not valid, unless it is that of the changed input: no scores at all
        where nothing can be learned, whatever epsilon is."""
        path = data.draw(st.sampled_from(list(places(certificate))[1:]))
        value = at(certificate, path)
        new = data.draw(changes(value))
        assume(not (type(new) is type(value) and new == value))
        changed = put(certificate, path, new)
        found = verify_certificate(changed)
        assert found.valid == (not found.failures)
        assert all("\n" not in line and line for line in found.failures)
        if found.valid:
            assert path[0] in ("graph", "transition", "epsilon", "given")
            assert is_what_it_says(changed)

    @settings(deadline=None)
    @given(data=st.data(), certificate=certificates())
    def test_in_a_file_is_one_line_or_not_valid(self, data, certificate):
        content = json.loads(json.dumps(certificate_to_dict(certificate)))
        places_in_file = list(_json_places(content))
        path = data.draw(st.sampled_from(places_in_file))
        old = content
        for step in path:
            old = old[step]
        new = data.draw(
            st.sampled_from([None, 0, 1.5, True, "1/3", "-1", "1/0", "x", "\ud800", [], {}, [[]], "1e999999999"])
        )
        assume(new != old)
        inner = content
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = new
        try:
            changed = certificate_from_dict(content)
        except FileFormatError as error:
            changed, line = None, str(error)
        else:
            line = "; ".join(verify_certificate(changed).failures)
        assert "\n" not in line
        assert line.encode() or is_what_it_says(changed)


def _json_places(value, path=()):
    if path:
        yield path
    if isinstance(value, dict | list):
        for step in value if isinstance(value, dict) else range(len(value)):
            yield from _json_places(value[step], (*path, step))


def says(certificate, **change):
    """Return the first failure after a change."""
    found = verify_certificate(replace(certificate, **change))
    assert not found.valid
    return found.failures[0]


class TestEveryField:
    exact = certify_edge_scores(FOREST, [["1/5", "4/5"], ["3/5", "2/5"]], "1/10")
    plain = certify_edge_scores(FOREST, [[0.2, 0.8], [0.6, 0.4]], 0.1)
    uniform = certify_edge_scores(FOREST, [["1/5", "4/5"], ["3/5", "2/5"]], "1/10", root_law="uniform")

    @pytest.mark.parametrize(
        ("graph", "words"),
        [
            (CausalGraph([(), (0,), (1,), (), (2,)]), "graph: must be a forest with an independent query"),
            (CausalGraph([(), (0,), (1, 0), (), ()]), "graph: must be a forest with an independent query"),
            (CausalGraph([(), (0,), (1,), (), ()], (3,)), "graph: must be a forest with an independent query"),
            (CausalGraph([(), (0,), (1,), (), ()], (4, 0)), "graph: must be a forest with an independent query"),
            (CausalGraph.chain(4), "scores: must have 4 rows, one for each position, got 5"),
            (CausalGraph.from_parents([-1, 0, 1, 0]), "margins: the certificate has 2, the graph has 3 edges"),
            ([-1, 0, 1, -1], "graph: must be a CausalGraph, got list"),
        ],
    )
    def test_graph(self, graph, words):
        assert says(self.exact, graph=graph).startswith(words)

    def test_moved(self):
        """The distance of 4/5, 3/5, 2/5, 1/5 and 1/10 from the doubles next to them, by hand."""
        floats = (0.2, 0.8, 0.6, 0.4, 0.1)
        true = max(abs(Fraction(value).limit_denominator(10) - Fraction(value)) for value in floats)
        assert self.plain.moved == true
        assert says(self.plain, moved=2 * true).startswith("moved: the certificate says")
        assert says(self.plain, moved=None).startswith("moved: the certificate says None, true is")
        assert says(self.plain, moved=-true).startswith("moved: the certificate says -")
        assert says(self.plain, moved=float(true)) == "moved: must be a Fraction, got float"
        assert says(self.plain, given=None).startswith("moved: must be None")
        assert says(self.exact, moved=Fraction(0)).startswith("moved: must be None")

    def test_floats_given(self):
        given = self.plain.given
        assert given.epsilon == Fraction(0.1)
        assert says(self.plain, given=replace(given, epsilon=Fraction(0.3))).startswith("moved: ")
        for change, words in (
            (Fraction(1, 2**54), "moved: the certificate says"),
            (Fraction(1, 10**40), "given.transition[0][0]: must be a binary floating-point number"),
        ):
            rows = ((given.transition[0][0] + change, given.transition[0][1]), given.transition[1])
            assert says(self.plain, given=replace(given, transition=rows)).startswith(words)
        assert says(self.plain, given=replace(given, transition=given.transition[:1])).startswith("given.transition: ")
        assert says(self.exact, given=GivenNumbers(None, None)) == "given: must hold a float, or be None"

    def test_another_float_of_the_same_distance(self):
        """Numbers that were moved by as much as is said, but do not stand for what is certified."""
        certificate = certify_edge_scores(FOREST, [[0.5, 0.5], [0.5, 0.5]], 2**-0.5)
        assert certificate.moved == 0
        given = replace(certificate.given, transition=((Fraction(1, 4), Fraction(3, 4)), (Fraction(1, 2),) * 2))
        found = verify_certificate(replace(certificate, given=given, moved=Fraction(1, 4)))
        assert found.failures == (
            "transition[0][0]: the certificate says 1/2, the floats that were given stand for 1/4",
            "transition[0][1]: the certificate says 1/2, the floats that were given stand for 3/4",
        )

    def test_long_doubles_are_exact(self):
        """A third in 64 bits is nearer to 1/3 than one in 53 bits, where there are such numbers."""
        third = np.longdouble(1) / 3
        found = certify_edge_scores(FOREST, [[third, 1 - third], [0.5, 0.5]], 1)
        assert found.given.transition[0][0] == Fraction(*third.as_integer_ratio())
        assert found.transition[0] == (Fraction(1, 3), Fraction(2, 3))
        assert found.moved == max(
            abs(Fraction(k, 3) - Fraction(*x.as_integer_ratio())) for k, x in ((1, third), (2, 1 - third))
        )
        assert verify_certificate(found).valid

    def test_limit_scores(self):
        assert says(self.uniform, limit_scores=self.exact.limit_scores).startswith("limit_scores: must be None")
        assert says(self.exact, limit_scores=None).startswith("limit_scores: must be given")
        assert says(self.exact, root_law="uniform").startswith("limit_scores: must be None")
        assert says(self.uniform, root_law="stationary").startswith("limit_scores: must be given")
        assert says(self.exact, root_law=np.array(["stationary", "uniform"])).startswith("root_law: must be")

    @pytest.mark.parametrize("field", ["scores", "limit_scores", "information"])
    def test_rows(self, field):
        rows = getattr(self.exact, field)
        assert says(self.exact, **{field: rows[:-1]}) == f"{field}: must have 5 rows, one for each position, got 4"
        assert says(self.exact, **{field: (*rows[:-1], rows[-1][:-1])}).startswith(f"{field}[4]: must have")
        assert says(self.exact, **{field: (*rows[:-1], (*rows[-1], Fraction(0)))}).startswith(f"{field}[4]: must have")
        assert says(self.exact, **{field: list(rows)}) == f"{field}: must be a tuple of tuples, got list"
        assert says(self.exact, **{field: (*rows[:-1], list(rows[-1]))}) == f"{field}[4]: must be a tuple, got list"
        for value in (0.5, 1, "1/2", None, float("nan"), np.float64(0.5), True):
            line = says(self.exact, **{field: (*rows[:-1], (*rows[-1][:-1], value))})
            assert line == f"{field}[4][{len(rows[-1]) - 1}]: must be a Fraction, got {type(value).__name__}"

    def test_transition(self):
        negative = ((Fraction(-1, 5), Fraction(6, 5)), self.exact.transition[1])
        assert says(self.exact, transition=negative).startswith("transition[0]: must hold probabilities")
        assert says(self.exact, transition=self.exact.transition[:1]).startswith("transition: must be a square matrix")
        assert says(self.exact, transition=()).startswith("transition: must be a square matrix")
        assert says(self.exact, transition=PLAIN) == "transition: must be a tuple of tuples, got list"
        swapped = self.exact.transition[::-1]
        assert not verify_certificate(replace(self.exact, transition=swapped)).valid

    def test_numbers_too_long_to_compute_with(self):
        """Each would take hours; it is said at once."""
        long = Fraction(1, 3**20_000)
        assert says(self.exact, epsilon=long).startswith("epsilon: must have a numerator and a denominator of at most")
        rows = ((long, 1 - long), self.exact.transition[1])
        assert says(self.exact, transition=rows).startswith("transition[0][0]: must have a numerator")
        graph = CausalGraph.chain(401)
        rows = tuple((Fraction(0),) * (i + 1) for i in range(401))
        margins = tuple(ExactMargin(i, i - 1, i, Fraction(0)) for i in range(1, 400))
        line = says(
            self.exact,
            graph=graph,
            scores=rows,
            limit_scores=rows,
            information=tuple(r[:-1] for r in rows),
            margins=margins,
        )
        assert "would take hours" in line

    def test_long_scores_are_told_in_full(self):
        """Python itself does not write integers of more than 4300 digits."""
        rows = (*self.exact.scores[:-1], (*self.exact.scores[-1][:-1], Fraction(10**5000, 7)))
        assert says(self.exact, scores=rows).startswith("scores[4][4]: the certificate says 1000")
        first, *others = self.exact.margins
        margins = (replace(first, margin=Fraction(10**5000, 7)), *others)
        assert "margin=Fraction(1000" in says(self.exact, margins=margins)
        assert "about 2**" in repr(replace(self.exact, margins=margins[:1]))

    def test_what_is_no_certificate(self):
        with pytest.raises(InvalidArgumentError, match="certificate must be a Certificate, got dict"):
            verify_certificate({})


class TestWhatIsRefused:
    def test_epsilon_that_would_take_hours(self):
        with pytest.raises(TooLargeError, match=r"graph and epsilon need .* use a shorter graph, or an epsilon"):
            certify_edge_scores(CausalGraph.chain(150), [[0, 1], [1, 0]], Fraction(1, 3**8000))

    def test_stationary_law_that_would_take_hours(self):
        size = 400
        ring = [
            [Fraction(a == b, 3) + Fraction(2 * ((a + 1) % size == b), 3) for b in range(size)] for a in range(size)
        ]
        for a in range(size):
            ring[a][a] += Fraction(1, 3**40)
            ring[a][(a + 1) % size] -= Fraction(1, 3**40)
        with pytest.raises(TooLargeError, match="stationary law would take hours"):
            certify_edge_scores(CausalGraph.chain(3), ring, 1)

    def test_rows_without_a_common_denominator(self):
        numbers = (2 * k + 1 for k in count(5000))
        row = [Fraction(1, next(numbers) ** 900) for _ in range(9)]
        with pytest.raises(CausalTheoryError, match=r"transition\[0\] must have a common denominator of at most"):
            certify_edge_scores(CausalGraph.chain(3), [row] * 9, 1)


def test_fields_of_a_certificate_are_all_looked_at():
    """A new field must be verified too."""
    assert {field.name for field in fields(Certificate)} == {
        "graph",
        "transition",
        "epsilon",
        "root_law",
        "moved",
        "scores",
        "limit_scores",
        "information",
        "margins",
        "given",
    }
