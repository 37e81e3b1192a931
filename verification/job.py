"""The main job from the first check to the report."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from verification.board import Board, summary_table
from verification.claim import Claim
from verification.figures import draw_figures
from verification.html import write_html_report
from verification.profiles import Profile
from verification.report import write_report
from verification.results import Record, check_output_folder, describe_run, make_record, write_record
from verification.runner import Outcome, run_claims

__all__ = ["INTERRUPTED", "NOT_PASSED", "PASSED", "run_job"]

PASSED, NOT_PASSED, INTERRUPTED = 0, 1, 130

WIDTH = 160
"""Of the output when it does not go to a terminal."""


class _Ledger:
    """Outcomes so far, and their record on disk: marked incomplete from the first moment, growing with every claim."""

    def __init__(self, folder: Path, run: Record) -> None:
        self.outcomes: list[Outcome] = []
        self._folder = folder
        self._run = run
        self._started = time.perf_counter()
        self.save(complete=False)

    def add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.save(complete=False)

    def save(self, *, complete: bool) -> Record:
        seconds = time.perf_counter() - self._started
        record = make_record(self._run, self.outcomes, complete=complete, seconds=seconds)
        write_record(self._folder, record)
        return record


def run_job(claims: Sequence[Claim], profile: Profile, out: Path, *, seed: int, jobs: int, families: bool) -> int:
    """Run the claims, write record, figures and report, and return the exit status.

    Whatever ends the run, the record on disk holds what has finished.

    Parameters
    ----------
    claims : sequence of Claim
        What to run.
    profile : Profile
        Budgets.
    out : Path
        Folder for record, report and figures.
    seed, jobs : int
        Seed, and number of worker processes.
    families : bool
        Whether to draw the matrices of all graph families.

    Returns
    -------
    int
        ``PASSED`` when every claim holds and every control fails, ``NOT_PASSED`` when not, ``INTERRUPTED`` after
        Ctrl-C.

    Raises
    ------
    OutputError
        If the folder cannot be written; nothing has run then.
    """
    check_output_folder(out)
    console = _console()
    ledger = _Ledger(out, describe_run(claims, profile, seed=seed, jobs=jobs))
    with Board(console, len(claims)).shown() as board:

        def keep(outcome: Outcome) -> None:
            ledger.add(outcome)
            board.finish(outcome)

        complete = run_claims(claims, profile, seed=seed, jobs=jobs, on_step=board.step, on_outcome=keep)
    figures = draw_figures(out, ledger.outcomes, seed=seed, families=families and complete)
    record = ledger.save(complete=complete)
    write_report(out, record, figures)
    path = write_html_report(out, record, figures)
    finished = {outcome.claim.name for outcome in ledger.outcomes}
    console.print(summary_table(ledger.outcomes, [claim for claim in claims if claim.name not in finished]))
    _explain(console, ledger.outcomes)
    console.print(f"report: {path}", soft_wrap=True, markup=False, highlight=False)
    if not complete:
        console.print(f"interrupted after {len(finished)} of {len(claims)} claims; what had finished is kept")
        return INTERRUPTED
    return PASSED if record["passed"] else NOT_PASSED


def _explain(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Say why claims do not pass."""
    for outcome in outcomes:
        for shortcoming in outcome.shortcomings:
            console.print(f"{outcome.claim.name}: {shortcoming}", style="red", markup=False, highlight=False)


def _console() -> Console:
    # During the run the environment keeps the package from drawing bars; this console makes up its mind before.
    if Console().is_terminal:
        return Console(force_terminal=True)
    return Console(width=WIDTH, force_terminal=False)
