"""The space of a search: graphs, sizes, epsilons, and the assumptions that every matrix must satisfy."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from causal_theory.certificates.rationals import as_rational
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.graphs.by_name import graph_by_name
from causal_theory.graphs.families import FAMILIES, MINIMUM_LENGTH
from causal_theory.tasks import RootLaw
from causal_theory.validation import check_choice, check_epsilon, check_integer

FOREST_SEEDS = 16
"""How many random graphs of each length are searched; number k is the one that the seed k draws."""

LEFT_OUT = ("star", "recursive-forest")
"""Forests that are searched only when they are asked for: those of a star do not grow in effective length."""

SEARCHED = tuple(name for name, family in FAMILIES.items() if family.is_forest and name not in LEFT_OUT)
"""Families that are searched when nothing is said."""


@dataclass(frozen=True, order=True)
class Choice:
    """All but the matrix. Choices are ordered as they count: short sequences, few symbols, earlier families first."""

    length: int
    symbols: int
    family: int
    epsilon: int
    seed: int


@dataclass(frozen=True)
class SearchSpace:
    r"""Instances among which a counterexample is searched.

    The law of the transition matrix is always the orbit of one matrix under relabeling, so that the assumption of
    symmetry holds. The others are kept or dropped one by one. An orbit has the mean :math:`11^\top/S` exactly when
    the trace is 1.

    Parameters
    ----------
    families : sequence of str, default all forests but the star and the recursive one
        Names of `FAMILIES`, or ``"module:function"``. The effective length of the star does not grow with T. Earlier
        families count as simpler.
    lengths : (int, int), default (3, 10)
        Least and largest T, the query included.
    symbols : (int, int), default (2, 3)
        Least and largest S.
    epsilons : sequence of rational numbers, default ("1/100",)
        Values of the constant inside the logarithm. Floats are read as in ``certify_edge_scores``.
    epsilons_times_length : sequence of rational numbers, default ()
        Each number c adds the value ``c/T``.
    epsilon_range : (number, number), optional
        Adds the numbers 1, 2 and 5 times a power of ten between two bounds, both included.
    root_law : {"stationary", "uniform"}, default "stationary"
        The law of the roots.
    lower_bound : number, optional
        Keep ``min pi >= lower_bound / S``.
    non_degeneracy : number, optional
        Keep :math:`\lVert B \rVert_F \ge` ``non_degeneracy``, with the matrix of ``chi2_matrix``.
    constant_mean : bool, default False
        Keep ``tr pi = 1``. With two symbols tokens are then independent.
    mixing : number, optional
        Keep :math:`\lVert B \rVert_2 \le` ``mixing``, which is ``mixing_decay``. Not one of the four assumptions:
        the lower bound implies it for some number below 1.

    Raises
    ------
    InvalidArgumentError
        If a family or a law is unknown, a sequence is empty, bounds are out of order or out of range, or what is to
        be kept contradicts itself.

    Examples
    --------
    >>> from causal_theory.falsification import SearchSpace
    >>> space = SearchSpace(families=("chain",), lengths=(3, 6), epsilon_range=("1/100", "1/10"), constant_mean=True)
    >>> [str(epsilon) for epsilon in space.epsilon_values(3)]
    ['1/100', '1/50', '1/20', '1/10']
    >>> space.kept
    ('constant_mean',)
    """

    families: Sequence[str] = SEARCHED
    lengths: tuple[int, int] = (3, 10)
    symbols: tuple[int, int] = (2, 3)
    epsilons: Sequence[Any] = ("1/100",)
    epsilons_times_length: Sequence[Any] = ()
    epsilon_range: tuple[Any, Any] | None = None
    root_law: RootLaw = "stationary"
    lower_bound: Any = None
    non_degeneracy: Any = None
    constant_mean: bool = False
    mixing: Any = None

    def __post_init__(self) -> None:
        """Check everything, and make every number a fraction."""
        _set(self, "families", tuple(FAMILIES.read("families", name) for name in _names(self.families)))
        _set(self, "lengths", _bounds("lengths", self.lengths, MINIMUM_LENGTH))
        _set(self, "symbols", _bounds("symbols", self.symbols, 2))
        _set(self, "epsilons", _positives("epsilons", self.epsilons))
        _set(self, "epsilons_times_length", _positives("epsilons_times_length", self.epsilons_times_length))
        if self.epsilon_range is not None:
            _set(self, "epsilon_range", _ordered("epsilon_range", self.epsilon_range))
        if not self.epsilon_values(self.lengths[0]):
            raise InvalidArgumentError("epsilons must hold at least one value, got none of any kind")
        for length in self.lengths:
            for value in self.epsilon_values(length):
                check_epsilon(value)
        check_choice("root_law", self.root_law, ("stationary", "uniform"))
        if not isinstance(self.constant_mean, bool):
            raise InvalidArgumentError(f"constant_mean must be True or False, got {self.constant_mean!r}")
        for name in ("lower_bound", "non_degeneracy", "mixing"):
            value = getattr(self, name)
            _set(self, name, None if value is None else _positive(name, value))
        self._check_consistency()

    def _check_consistency(self) -> None:
        """Refuse a space without any matrix."""
        largest = self.symbols[1]
        for name in ("lower_bound", "mixing"):
            value = getattr(self, name)
            if value is not None and value > 1:
                raise InvalidArgumentError(f"{name} must be greater than 0 and at most 1, got {value}")
        if self.non_degeneracy is None:
            return
        if self.non_degeneracy**2 > (largest - 1) * (self.mixing or 1) ** 2:
            raise InvalidArgumentError(
                f"non_degeneracy must be at most sqrt(S - 1) times the bound on mixing, got {self.non_degeneracy} "
                f"for S up to {largest}"
            )
        if self.constant_mean and largest == 2:
            raise InvalidArgumentError(
                "symbols must reach 3 for constant_mean with non_degeneracy: two symbols of trace 1 are independent, "
                f"got {self.symbols}"
            )

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the assumptions that every matrix of the space satisfies, symmetry left out."""
        names = ("lower_bound", "non_degeneracy", "constant_mean", "mixing")
        return tuple(name for name in names if getattr(self, name))

    @default_floats
    def epsilon_values(self, length: int) -> tuple[Fraction, ...]:
        """Return the values of epsilon at a length, in the order in which they count as simpler.

        Parameters
        ----------
        length : int
            T.

        Returns
        -------
        tuple of Fraction
            Each value once.
        """
        values = [*self.epsilons, *(times / length for times in self.epsilons_times_length)]
        if self.epsilon_range is not None:
            values += _decades(*self.epsilon_range)
        return tuple(dict.fromkeys(values))

    def graph(self, choice: Choice) -> CausalGraph:
        """Return the graph of a choice.

        Parameters
        ----------
        choice : Choice
            Its family, length and seed count.

        Returns
        -------
        CausalGraph
            The same one every time.
        """
        return graph_by_name(self.families[choice.family], choice.length, rng=choice.seed)

    def choice(self, length: int, symbols: int, family: int, epsilon: int, seed: int) -> Choice:
        """Return the choice that these numbers stand for; each may be any non-negative integer.

        Parameters
        ----------
        length, symbols, family, epsilon, seed : int
            Counted from the least of each range; what is beyond a range starts anew at its least.

        Returns
        -------
        Choice
            A member of the space.
        """
        low, high = self.lengths
        fewest, most = self.symbols
        length = low + length % (high - low + 1)
        family %= len(self.families)
        return Choice(
            length,
            fewest + symbols % (most - fewest + 1),
            family,
            epsilon % len(self.epsilon_values(length)),
            seed % FOREST_SEEDS if FAMILIES.find(self.families[family]).is_random else 0,
        )

    def numbers(self, choice: Choice) -> tuple[int, ...]:
        """Return the numbers that stand for a choice.

        Parameters
        ----------
        choice : Choice
            A member of the space.

        Returns
        -------
        tuple of int
            The arguments of :meth:`choice` that lead back to it.
        """
        return (
            choice.length - self.lengths[0],
            choice.symbols - self.symbols[0],
            choice.family,
            choice.epsilon,
            choice.seed,
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of values of each number of a choice."""
        (low, high), (fewest, most) = self.lengths, self.symbols
        seeds = FOREST_SEEDS if any(FAMILIES.find(name).is_random for name in self.families) else 1
        return high - low + 1, most - fewest + 1, len(self.families), len(self.epsilon_values(high)), seeds


def _set(space: SearchSpace, name: str, value: object) -> None:
    object.__setattr__(space, name, value)


def _names(families: object) -> tuple[str, ...]:
    if isinstance(families, str) or not isinstance(families, Sequence) or not families:
        raise InvalidArgumentError(f"families must be a sequence of at least one name, got {families!r}")
    return tuple(dict.fromkeys(families))


def _pair(name: str, value: object) -> tuple[Any, Any]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise InvalidArgumentError(f"{name} must be two numbers, the least and the largest, got {value!r}")
    return value[0], value[1]


def _bounds(name: str, value: object, minimum: int) -> tuple[int, int]:
    low, high = _pair(name, value)
    return (low := check_integer(f"{name}[0]", low, minimum)), check_integer(f"{name}[1]", high, low)


def _positive(name: str, value: object) -> Fraction:
    found: Fraction = as_rational(name, value).value
    if found <= 0:
        raise InvalidArgumentError(f"{name} must be greater than 0, got {value!r}")
    return found


def _positives(name: str, values: object) -> tuple[Fraction, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvalidArgumentError(f"{name} must be a sequence of numbers, got {values!r}")
    return tuple(_positive(f"{name}[{k}]", value) for k, value in enumerate(values))


def _ordered(name: str, value: object) -> tuple[Fraction, Fraction]:
    low, high = (_positive(f"{name}[{k}]", bound) for k, bound in enumerate(_pair(name, value)))
    if low > high:
        raise InvalidArgumentError(f"{name} must have its least value first, got {value!r}")
    return low, high


def _decades(low: Fraction, high: Fraction) -> list[Fraction]:
    """Return both bounds and what lies between them of 1, 2 and 5 times a power of ten."""
    power = Fraction(1)
    while power > low:
        power /= 10
    while power * 10 <= low:
        power *= 10
    found = [low]
    while power <= high:
        found += [times * power for times in (1, 2, 5) if low < times * power < high]
        power *= 10
    return [*found, high]
