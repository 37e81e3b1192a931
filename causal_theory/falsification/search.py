"""The search: Hypothesis over graphs and sizes, a global optimiser over matrices, a certificate at the end."""

from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from random import Random

from causal_theory.errors import InvalidArgumentError
from causal_theory.falsification.result import Counterexample, SearchResult
from causal_theory.falsification.space import SearchSpace
from causal_theory.falsification.state import BudgetSpent, MarginError, Search
from causal_theory.falsification.statements import Statement, as_statement
from causal_theory.floats import default_floats
from causal_theory.progress import track
from causal_theory.validation import SeedLike, as_generator, check_integer

CHOICES_PER_ROUND = 60
"""How many choices Hypothesis draws in a round."""


@default_floats
def find_counterexample(
    statement: str | Statement, search_space: SearchSpace, budget: int, rng: SeedLike, *, progress: bool = True
) -> SearchResult:
    r"""Search for an instance on which a statement fails, make it small, and prove it.

    Hypothesis draws what is discrete: the length T, the number of symbols S, the family, epsilon, and the seed of a
    random forest. For each choice differential evolution minimises the margin over transition matrices, which satisfy
    the assumptions that are kept by construction, and stops when the margin is negative. Hypothesis then shrinks
    towards few tokens, few symbols, and early families. At the smallest choice the margin is minimised further, so that
    the failure is a clear one. The matrix is rounded to the smallest common denominator with
    which it still satisfies the assumptions and fails, and both are decided in rational arithmetic. Rounds with twice
    as many evaluations for each choice follow until the budget is spent.

    Parameters
    ----------
    statement : str or Statement
        ``"top_scores_are_edges"``, ``"limit_scores_are_edges"``, ``"limit_bounded_by_information"``,
        ``"information_fades"``, or your own.
    search_space : SearchSpace
        Where to look.
    budget : int
        The most evaluations of the margin, at least 1; points without a matrix within the assumptions count as well.
        The few evaluations that make a matrix rational come on top.
    rng : seed or numpy Generator
        Source of randomness; the same seed gives the same result.
    progress : bool, default True
        Whether a search of more than a second shows a bar on the terminal of standard error, if there is one.

    Returns
    -------
    SearchResult
        The smallest counterexample, with its certificate. None found is no proof that there is none. The whole budget
        is then spent, unless no graph of the space has an edge.

    Raises
    ------
    InvalidArgumentError
        If the statement is unknown, ``search_space`` is not a SearchSpace, or ``budget`` is not a positive integer.
    TooLargeError
        If the certificate of what was found would take hours: search shorter sequences.

    Notes
    -----
    Nothing is read from or written to the example database of Hypothesis.

    References
    ----------
    R. Storn, K. Price, "Differential evolution: a simple and efficient heuristic for global optimization over
    continuous spaces", Journal of Global Optimization 11 (1997), 341-359.

    D. R. MacIver, A. F. Donaldson, "Test-case reduction via test-case generation: insights from the Hypothesis
    reducer", ECOOP 2020.

    Examples
    --------
    Without a constant mean two symbols and three tokens are enough, where symbols tend to repeat:

    >>> from causal_theory.falsification import SearchSpace, find_counterexample
    >>> result = find_counterexample("top_scores_are_edges", SearchSpace(lower_bound=0.1), 2000, 0)
    >>> instance = result.counterexample.instance
    >>> instance.graph.length, len(instance.transition)
    (3, 2)
    >>> result.counterexample.certificate.holds
    False
    """
    checked = as_statement(statement)
    if not isinstance(search_space, SearchSpace):
        raise InvalidArgumentError(f"search_space must be a SearchSpace, got {type(search_space).__name__}")
    most = check_integer("budget", budget, 1)
    seed = int(as_generator(rng).integers(2**63))
    with closing(_ticks(most, f"counterexamples to {checked.name}" if progress else None)) as ticks:
        search = Search(checked, search_space, most, seed, ticks)
        try:
            counterexample = _rounds(search)
        except MarginError as failure:
            raise failure.__cause__ from None  # type: ignore[misc]
    return SearchResult(
        checked, counterexample, search.evaluations, search.rejected, most, search.smallest, search.closest
    )


def _ticks(budget: int, text: str | None) -> Generator[int, None, None]:
    """Yield once for each evaluation, and show progress when there is a text for it."""
    yield from range(budget + 1) if text is None else track(range(budget + 1), text)


def _rounds(search: Search) -> Counterexample | None:
    """Search in rounds until there is a certified counterexample or the budget is spent."""
    round_number, spent = 0, False
    while not spent:
        before = search.evaluations
        try:
            _draw(search, round_number)
        except BudgetSpent:
            spent = True
        found = search.certify()
        if found is not None or search.evaluations == before:
            return found
        # What has no certificate was an artefact of floats.
        search.failing.clear()
        round_number += 1
    return None


def _draw(search: Search, round_number: int) -> None:
    """Let Hypothesis find and shrink a choice that fails, if it can.

    Choices are spelled in bits, the most important number first. Integers would do, but Hypothesis mixes constants
    of loaded modules into them, so that results would depend on what else was imported, and keeps these in a folder.
    """
    from hypothesis import HealthCheck, Phase, Verbosity, find, settings, strategies
    from hypothesis.errors import NoSuchExample

    space = search.space
    widths = [(size - 1).bit_length() for size in space.sizes]
    options = settings(
        max_examples=CHOICES_PER_ROUND,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )

    def fails(bits: tuple[bool, ...]) -> bool:
        return search.fails(round_number, space.choice(*_numbers(bits, widths)))

    bits = strategies.tuples(*[strategies.booleans()] * sum(widths))
    with suppress(NoSuchExample):
        find(bits, fails, settings=options, random=Random(search.seed + round_number))
        _lower(search, round_number)


def _lower(search: Search, round_number: int) -> None:
    """Lower one number of the smallest failing choice at a time, until none can be.

    Hypothesis clears and sorts bits, but from 8 to 7 four of them change at once.
    """
    space = search.space
    numbers, changed = space.numbers(min(search.failing)), True
    while changed:
        changed = False
        for place, number in enumerate(numbers):
            for smaller in range(number):
                candidate = (*numbers[:place], smaller, *numbers[place + 1 :])
                if search.fails(round_number, space.choice(*candidate)):
                    numbers, changed = candidate, True
                    break


def _numbers(bits: tuple[bool, ...], widths: list[int]) -> Iterator[int]:
    """Read numbers of the given widths, each from its highest bit on."""
    place = 0
    for width in widths:
        yield sum(2 ** (width - 1 - k) for k in range(width) if bits[place + k])
        place += width
