"""A run from the first claim to the report."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from causal_theory.claims.board import Board, summary_sentence, summary_table
from causal_theory.claims.claim import Claim
from causal_theory.claims.describe import check_output_folder, describe_run
from causal_theory.claims.figures import draw_figures
from causal_theory.claims.files import read_record, write_record
from causal_theory.claims.records import ClaimRecord, Record
from causal_theory.claims.report import write_report
from causal_theory.claims.runner import Images, run_claims
from causal_theory.errors import OutputError
from causal_theory.warming import warm_up

PASSED, NOT_PASSED, INTERRUPTED = 0, 1, 130

WIDTH = 160
"""Of the output when it does not go to a terminal."""

FEW = 3
"""So many claims may compile what they need as they go."""


class _Ledger:
    """The record of a run on disk: marked incomplete from the first moment, growing with every claim."""

    def __init__(self, folder: Path, run: Record) -> None:
        self.record = run
        self._folder = folder
        self._started = time.perf_counter()
        self.save()

    def add(self, claim: ClaimRecord) -> None:
        self.save(claims=tuple(sorted((*self.record.claims, claim), key=lambda one: one.number)))

    def save(self, **changes: Any) -> Path:
        check_output_folder(self._folder)  # also between claims: somebody may have removed it
        changes |= {"seconds": round(time.perf_counter() - self._started, 3), "unfinished": None, "passed": None}
        self.record = replace(self.record, **changes)
        return write_record(self._folder, self.record)


def run_job(
    claims: Sequence[Claim], profile: str, out: Path, *, seed: int, jobs: int, command: str, folder: str | Path
) -> int:
    """Run claims, write record, report and figures, and return the exit status.

    Whatever ends the run, the record on disk holds what has finished.

    The status is ``PASSED`` when every claim holds and every control fails where it must, ``NOT_PASSED`` when not,
    ``INTERRUPTED`` after Ctrl-C. The report tells where the claims are, and the command that starts such a run, up to
    the name of a claim.

    Raises
    ------
    OutputError
        If the folder cannot be written; nothing has run then.
    """
    names = tuple(claim.name for claim in claims)
    run = describe_run(names, profile, seed=seed, jobs=jobs, command=command, folder=str(folder))
    # During the run the environment keeps the package from drawing bars; this console makes up its mind before.
    terminal = Console().is_terminal
    console = Console(width=None if terminal else WIDTH, force_terminal=terminal)
    ledger = _Ledger(out, run)
    if len(claims) > FEW:
        _compile_ahead(console)
    with Board(console, len(claims)).shown() as board:
        drawn = {}

        def keep(claim: ClaimRecord, images: Images) -> None:
            ledger.add(claim)
            board.finish(claim)
            drawn[claim.name] = images

        draw = partial(draw_figures, out)
        complete = run_claims(claims, profile, seed=seed, jobs=jobs, draw=draw, on_step=board.step, on_outcome=keep)
        board.step("report", "drawing figures", 0, 1)
        record = read_record(ledger.save(complete=complete))
        path = write_report(out, record, drawn)
    console.print(summary_table(record))
    for claim in record.claims:
        for shortcoming in claim.shortcomings or ():
            console.print(f"{claim.name}: {shortcoming}", style="red", markup=False, highlight=False)
    console.print(summary_sentence(record), markup=False, highlight=False)
    console.print(f"report: {path}", soft_wrap=True, markup=False, highlight=False)
    if not complete:
        finished = f"{len(record.claims)} of {len(claims)} claims"
        console.print(f"interrupted after {finished}; what had finished is kept")
        return INTERRUPTED
    return PASSED if record.passed else NOT_PASSED


def _compile_ahead(console: Console) -> None:
    started = time.perf_counter()
    # Where nothing can be kept each process compiles for itself, and a warning says so.
    with suppress(OutputError):
        if compiled := warm_up():
            console.print(f"compiled {compiled} kernels, once ({time.perf_counter() - started:.0f} s)", highlight=False)
