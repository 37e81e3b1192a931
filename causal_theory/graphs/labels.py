"""Names of the positions of a graph."""

from collections.abc import Iterable

from causal_theory.errors import GraphError

QUERY = "query"
"""Label of a query that is appended to labelled positions, if none of them has it."""


def check_labels(labels: object, length: int) -> tuple[str, ...] | None:
    """Return labels, one distinct text for each position; None when they are the numbers of the positions.

    Raises
    ------
    GraphError
        If they are not, or if they are these numbers in another order, which nobody could tell from positions.
    """
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise GraphError(f"labels must be a sequence of texts, got {labels!r}")
    checked = tuple(labels)
    if len(checked) != length:
        raise GraphError(
            f"labels must be one for each of {length} positions, the last one included, got {len(checked)}"
        )
    for i, label in enumerate(checked):
        if not isinstance(label, str) or not label.strip() or (not label.isascii() and _is_broken(label)):
            raise GraphError(f"labels must be texts that are not blank, got {label!r} for position {i}")
    if len(set(checked)) != length:
        seen: set[str] = set()
        double = next(label for label in checked if label in seen or seen.add(label))  # type: ignore[func-returns-value]
        raise GraphError(f"labels must differ, got {double!r} twice")
    numbers = [str(i) for i in range(length)]
    if list(checked) == numbers:
        return None
    if set(checked) == set(numbers):
        raise GraphError(f"labels must not be the positions in another order, got {', '.join(checked[:6])}, ...")
    return checked


def complete_labels(labels: Iterable[str], length: int) -> list[str]:
    """Return labels of the context, or of all positions, with one for a query that lacks it.

    Examples
    --------
    >>> complete_labels(["rain", "wet"], 3)
    ['rain', 'wet', 'query']
    """
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise GraphError(f"labels must be a sequence of texts, got {labels!r}")
    given = list(labels)
    return [*given, fresh_label(given)] if len(given) == length - 1 else given


def fresh_label(taken: Iterable[str]) -> str:
    """Return the label of a query that is appended to positions with other labels.

    Examples
    --------
    >>> fresh_label(["rain", "wet"]), fresh_label(["query"])
    ('query', 'query 2')
    """
    names = set(taken)
    label, number = QUERY, 2
    while label in names:
        label, number = f"{QUERY} {number}", number + 1
    return label


def _is_broken(label: str) -> bool:
    """Return whether a text cannot be written to a file: it holds half of a pair of surrogates."""
    return any("\ud800" <= character <= "\udfff" for character in label)
