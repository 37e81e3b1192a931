"""Read ``report.toml``, in which a folder of claims says what stands above its report, and fill in its numbers."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Formatter
from typing import NamedTuple

from causal_theory.claims.records import OUTSIDE, ClaimRecord, Head, Part, Quote, Record
from causal_theory.claims.text import closest_text, show
from causal_theory.errors import FileFormatError

FILE_NAME = "report.toml"

NUMBERS = ("count", "failures", "borderline", "smallest", "largest", "largest_error", "largest_excess")
"""Of a tally, and what sentences call them; ``succeeded`` is the count without the failures."""


class Told(NamedTuple):
    """A sentence with its numbers, and where they come from; nothing is said of what does not fail."""

    claim: ClaimRecord
    part: Part
    says: str = ""
    shows: str = ""


class _Shown(float):
    """A number that a sentence shows to three digits unless it asks for something else."""

    def __format__(self, wanted: str) -> str:
        return float.__format__(self, wanted) if wanted else show(self)


def read_head(folder: str | Path) -> Head | None:
    """Read the head of the report of a folder of claims; None if it says nothing.

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
            named = {name for text in (quote.says, quote.shows) for _, name, _, _ in Formatter().parse(text) if name}
            if unknown := sorted(named - {*NUMBERS, "succeeded"}):
                raise ValueError(f"sentences may name {', '.join(NUMBERS)} and succeeded, not {', '.join(unknown)}")
    except (ValidationError, ValueError, OSError) as error:
        errors = error.errors() if isinstance(error, ValidationError) else []
        what = f"{'.'.join(map(str, errors[0]['loc']))}: {errors[0]['msg']}" if errors else error
        raise FileFormatError(f"{FILE_NAME} must say what stands above a report, got {str(path)!r}: {what}") from error
    return head


def told(quotes: Sequence[Quote], claims: Sequence[ClaimRecord]) -> list[Told]:
    """Return the sentences about parts that were recorded, with their numbers."""
    recorded = {(claim.name, part.name): (claim, part) for claim, part in _parts(claims)}
    return [_tell(quote, *found) for quote in quotes if (found := recorded.get((quote.claim, quote.part)))]


def limits(record: Record) -> list[Told]:
    """Return where the theory stops: what the head says of it first, then all other parts outside, the worst first."""
    said = told(record.head.stops if record.head else (), record.claims)
    known = {(one.claim.name, one.part.name) for one in said}
    others = [both for both in _parts(record.claims) if both[1].verdict == OUTSIDE]
    others.sort(key=lambda both: -both[1].total.failures / both[1].total.count)
    return said + [_tell_plainly(*both) for both in others if (both[0].name, both[1].name) not in known]


def _parts(claims: Sequence[ClaimRecord]) -> Iterator[tuple[ClaimRecord, Part]]:
    return ((claim, part) for claim in claims if claim.run for part in claim.run.parts)


def _tell(quote: Quote, claim: ClaimRecord, part: Part) -> Told:
    found = {name: getattr(part.total, name) for name in NUMBERS}
    found = {name: _Shown(one) if isinstance(one, float) else one for name, one in found.items()}
    found["succeeded"] = part.total.count - part.total.failures
    return Told(claim, part, quote.says.format(**found), quote.shows.format(**found))


def _tell_plainly(claim: ClaimRecord, part: Part) -> Told:
    if not part.total.failures:
        return Told(claim, part)
    quote = Quote(claim.name, part.name, "", "{failures:,} of {count:,}")
    return _tell(quote, claim, part)._replace(says=f"fail in {part.name!r}, the worst of them with {closest_text(part)}.")
