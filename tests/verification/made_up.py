"""Claims made up for tests of the frame; functions of a module, so that worker processes find them."""

import os
import time
from pathlib import Path

from tests.helpers import PATIENCE
from verification.claim import Claim
from verification.evidence import (
    FAILS,
    HOLDS,
    OUTSIDE,
    AssumptionSummary,
    Curve,
    Evidence,
    Part,
    Plot,
    Reading,
    Regime,
    Table,
)


def evidence(verdict, number=1.0, parts=()):
    return Evidence(
        verdict=verdict,
        predicted=Reading("one | two < three", 1.0),
        measured=Reading("about one", number),
        error=Reading("none"),
        method="exact",
        assumptions=(AssumptionSummary("symmetry", "made up", 1, 2, "witness"),),
        regime=Regime(None, "no limit"),
        parts=parts,
        details=(Table("numbers", ("x", "y"), ((1, "a_b"), (0.123456, None))),),
        plots=(Plot("made_up", "Title", "x", "y", (Curve("line", (1.0, 10.0), (1.0, 0.1)),), "in words"),),
        notes=("a note",),
    )


def holds(profile, context):
    return evidence(HOLDS, float(context.rng("draw").random()))


def fails(profile, context):
    return evidence(FAILS)


def outside(profile, context):
    return evidence(OUTSIDE)


def holds_in_part(profile, context):
    part = Part("beyond", OUTSIDE, Reading("nothing"), Reading("something"), Reading("none"), "exact")
    return evidence(HOLDS, parts=(part,))


def breaks(profile, context):
    raise ZeroDivisionError("made to break")


def interrupts(profile, context):
    raise KeyboardInterrupt


def dies(profile, context):
    os._exit(3)


def shows_threads(profile, context):
    return evidence(HOLDS, float(os.environ["NUMBA_NUM_THREADS"]))


def does_not_end(profile, context):
    """Write into a file which process this is, and after many minutes that nobody has ended it."""
    path = Path(os.environ["MADE_UP_LOG"])
    path.write_text(f"{os.getpid()} ", encoding="ascii")
    for _ in context.track(range(int(PATIENCE)), "sleeping"):
        time.sleep(1.0)
    path.write_text("ended by itself", encoding="ascii")
    return evidence(HOLDS)


def claim(number, run=holds, control=fails, declared_outside=()):
    return Claim(
        name=f"claim_{number}",
        number=number,
        title=f"Title {number}",
        statement="A statement with $x_1$.",
        source="Somebody",
        predicted="one",
        assumptions=("symmetry",),
        run=run,
        control_statement="Something wrong.",
        control=control,
        declared_outside=declared_outside,
    )
