"""Read ``report.toml``, in which a folder of claims says what stands above its report, and fill in the numbers."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from causal_theory.claims.records import OUTSIDE, ClaimRecord, Head, Part, Quote, Record
from causal_theory.claims.text import show
from causal_theory.errors import FileFormatError

FILE_NAME = "report.toml"

NUMBERS = ("count", "failures", "smallest", "largest", "largest_error", "largest_excess")
"""Of a tally, as sentences call them; besides there is ``succeeded``, the count without the failures."""


class Told(NamedTuple):
    """A sentence with its numbers, if anything was said, and where they come from."""

    claim: ClaimRecord
    part: Part
    says: str = ""
    shows: str = ""


class _Shown(float):
    """A number of three digits, unless a sentence asks for something else."""

    def __format__(self, wanted: str) -> str:
        return float.__format__(self, wanted) if wanted else show(self)


def read_head(folder: str | Path) -> Head | None:
    """Read the head of the report of a folder of claims; None if the folder says nothing.

    Raises
    ------
    FileFormatError
        If the file is no head; the message names what is wrong.
    """
    from pydantic import TypeAdapter, ValidationError

    path = Path(folder) / FILE_NAME
    if not path.is_file():
        return None
    try:
        head = TypeAdapter(Head).validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
        for quote in (*head.numbers, *head.stops):
            _fill(quote, dict.fromkeys((*NUMBERS, "succeeded"), 1))
    except (ValueError, LookupError, AttributeError, OSError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else f"{type(error).__name__}: {error}"
        raise FileFormatError(f"{FILE_NAME} must say what stands above a report, got {str(path)!r}: {what}") from error
    return head


def told(quotes: Sequence[Quote], claims: Sequence[ClaimRecord]) -> list[Told]:
    """Return the sentences about parts that were recorded, with their numbers."""
    recorded = {(claim.name, part.name): (claim, part) for claim, part in _parts(claims)}
    return [_tell(quote, *found) for quote in quotes if (found := recorded.get((quote.claim, quote.part)))]


def limits(record: Record) -> list[Told]:
    """Return where the theory stops: what the head says of it first, then all other parts outside, the worst first.

    Of a part outside in which nothing fails the head says nothing.
    """
    said = told(record.head.stops if record.head else (), record.claims)
    said = [one for one in said if one.part.verdict != OUTSIDE or one.part.verb == "measure" or one.part.total.failures]
    known = [one.part for one in said]
    others = [both for both in _parts(record.claims) if both[1].verdict == OUTSIDE and both[1] not in known]
    others.sort(key=lambda both: -both[1].total.failures / both[1].total.count)
    return said + [Told(*both) for both in others]


def _parts(claims: Sequence[ClaimRecord]) -> Iterator[tuple[ClaimRecord, Part]]:
    return ((claim, part) for claim in claims if claim.run for part in claim.run.parts)


def _fill(quote: Quote, numbers: dict[str, Any]) -> tuple[str, str]:
    return quote.says.format(**numbers), quote.shows.format(**numbers)


def _tell(quote: Quote, claim: ClaimRecord, part: Part) -> Told:
    found = {name: getattr(part.total, name) for name in NUMBERS}
    found = {name: _Shown(one) if isinstance(one, float) else one for name, one in found.items()}
    return Told(claim, part, *_fill(quote, found | {"succeeded": part.total.count - part.total.failures}))
