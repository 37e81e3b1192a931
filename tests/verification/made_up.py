"""Claims made up for tests of the frame: files that are written into a folder and found there."""

import textwrap

from causal_theory.claims import find_claims

PART = "one is less than two"

HOLDS = f"""
check.within({PART!r}, 3.0 if check.control else float(check.rng("draw").random()), high=2.0, case="a < b")
check.row("numbers", x=1, y="a_b", z=0.123456, w=None)
check.figure("Title", {{"line": ((1.0, 10.0), (1.0, 0.1))}}, x="x", y="y", description="in words")
check.note("a note")
"""
FAILS = f"check.within({PART!r}, 3.0, high=2.0)"
HOLDS_ALWAYS = f"check.within({PART!r}, 1.0, high=2.0)"
BREAKS = "raise ZeroDivisionError('made to break')"
INTERRUPTS = "raise KeyboardInterrupt"
DIES = "import os; os._exit(3)"
THREADS = "import os; check.measure('threads', int(os.environ['NUMBA_NUM_THREADS']))\n" + HOLDS
OUTSIDE = "check.measure('beyond', 7.0)\n" + HOLDS
CONTROL_BREAKS_MORE = HOLDS + "check.equal('another part', 1 if check.control else 0, 0)"
DOES_NOT_END = """
import os, time
from pathlib import Path
path = Path(os.environ["MADE_UP_LOG"])
path.write_text(f"{os.getpid()} ", encoding="ascii")
for _ in check.track(range(900), "sleeping"):
    time.sleep(1.0)
path.write_text("ended by itself", encoding="ascii")
"""

TEMPLATE = '''
from causal_theory.claims import Check, budget, claim

@claim({number}, {declared})
def {name}(check: Check, amount: int = budget(tiny=1, quick=2, full=3)) -> None:
    r"""Title {number}.

    A statement with $x_1$.
    """
{body}
'''


def write_claim(folder, number, body=HOLDS, *, name=None, **declared):
    """Write the file of a claim with this body."""
    declared = {"source": "Somebody", "control": "Something wrong.", "breaks": (PART,), **declared}
    name = name or f"claim_{number}"
    text = TEMPLATE.format(
        number=number,
        name=name,
        declared=", ".join(f"{key}={value!r}" for key, value in declared.items()),
        body=textwrap.indent(body.strip(), "    "),
    )
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


def cannot_draw(claim):
    """Draw nothing: the report does it."""
    raise OSError(f"no place for {claim.name}")


def claims_of(folder, *bodies):
    """Write one claim for each body, numbered from 1, and find them."""
    for number, body in enumerate(bodies, 1):
        write_claim(folder, number, body)
    return find_claims(folder)
