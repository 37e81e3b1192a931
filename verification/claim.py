"""What a claim is: a statement, the check that could refute it, and a control on which the same check must fail."""

from collections.abc import Callable
from dataclasses import dataclass

from verification.context import Context
from verification.evidence import FAILS, HOLDS, OUTSIDE, Evidence
from verification.profiles import Profile

__all__ = ["ASSUMPTION_NAMES", "Check", "Claim", "shortcomings"]

Check = Callable[[Profile, Context], Evidence]

ASSUMPTION_NAMES = ("lower_bound", "non_degeneracy", "symmetry", "constant_mean")


@dataclass(frozen=True)
class Claim:
    """A statement of the theory that can be checked.

    ``run`` and ``control`` are functions of a module, so that other processes can find them.

    Attributes
    ----------
    name : str
        Identifier; also the name of the file.
    number : int
        Place in the order of the report.
    title : str
        A few words.
    statement : str
        The statement in the terms of the paper; Markdown, mathematics between dollar signs.
    source : str
        Where it comes from.
    predicted : str
        What a measurement should find, in words.
    assumptions : tuple of str
        Which of the four assumptions on the prior the statement needs.
    run : callable
        ``run(profile, context) -> Evidence``.
    control_statement : str
        What is made wrong in the control.
    control : callable
        The same check on the wrong object; its verdict must be ``"fails"``.
    declared_outside : tuple of str
        Names of the parts that may be outside the assumptions of the claim.
    """

    name: str
    number: int
    title: str
    statement: str
    source: str
    predicted: str
    assumptions: tuple[str, ...]
    run: Check
    control_statement: str
    control: Check
    declared_outside: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what the frame relies on."""
        if not self.name.isidentifier() or self.name != self.name.lower():
            raise ValueError(f"name must be a lower-case identifier, got {self.name!r}")
        if self.number < 1:
            raise ValueError(f"number must be at least 1, got {self.number}")
        unknown = set(self.assumptions) - set(ASSUMPTION_NAMES)
        if unknown:
            raise ValueError(f"assumptions must be among {ASSUMPTION_NAMES}, got {sorted(unknown)}")


def shortcomings(claim: Claim, evidence: Evidence, control: Evidence) -> tuple[str, ...]:
    """Return why a claim does not pass; nothing when it holds, as declared, and its control fails."""
    found = []
    if evidence.verdict != HOLDS:
        found.append(f"the claim's verdict is {evidence.verdict!r}")
    found += [f"part {part.name!r} fails" for part in evidence.parts if part.verdict == FAILS]
    found += [
        f"part {part.name!r} is outside its assumptions, which the claim does not declare"
        for part in evidence.parts
        if part.verdict == OUTSIDE and part.name not in claim.declared_outside
    ]
    if control.verdict != FAILS:
        found.append(f"the negative control's verdict is {control.verdict!r}, it must fail")
    return tuple(found)
