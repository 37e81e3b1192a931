"""Run claims in this process or in worker processes; what has finished is never lost."""

import multiprocessing
import os
import queue
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from functools import partial
from typing import Any

from causal_theory.claims.check import Listener
from causal_theory.claims.claim import Claim
from causal_theory.claims.records import ClaimRecord, Declaration
from causal_theory.sweeps.executors import usable_processors
from causal_theory.training.interrupts import Terminated

THREADS = "NUMBA_NUM_THREADS"
POLL_SECONDS = 0.1

Step = Callable[[str, str, int, int], None]
"""Called with the name of a claim, what it is doing, how many items are done, and of how many."""

Images = Sequence[str]
Draw = Callable[[ClaimRecord], Images]
"""Draws the figures of a claim; sent to worker processes."""

Outcomes = Generator[tuple[ClaimRecord, Images], None, None]


def run_claim(claim: Claim, profile: str, seed: int, listener: Listener) -> ClaimRecord:
    """Run a claim and its control; an error becomes part of the record, an interruption does not."""
    found: dict[str, Any] = {}
    for control, findings, seconds in ((False, "run", "seconds"), (True, "opposed", "control_seconds")):
        started = time.perf_counter()
        try:
            found[findings] = claim.run(profile, seed=seed, control=control, listener=listener)
        except Terminated:
            raise
        except (Exception, SystemExit):
            found["error"] = traceback.format_exc()
            break
        finally:
            found[seconds] = round(time.perf_counter() - started, 3)
    return _record(claim, profile, **found)


def _record(claim: Claim, profile: str, **found: Any) -> ClaimRecord:
    declared = {one.name: getattr(claim, one.name) for one in fields(Declaration)}
    return ClaimRecord(**declared, budgets=claim.budgets(profile), **found)


def run_claims(
    claims: Sequence[Claim],
    profile: str,
    *,
    seed: int,
    jobs: int,
    draw: Draw,
    on_step: Step,
    on_outcome: Callable[[ClaimRecord, Images], None],
) -> bool:
    """Run the claims, hand over each outcome as it comes, and return whether all were run.

    Worker processes draw what they have run. Images are missing where there are none, or no worker has drawn them.
    Outcomes depend on the seed and the claim alone, not on ``jobs`` or the order. An interruption (Ctrl-C) ends the
    run: worker processes are stopped, and the answer is False.
    """
    outcomes = _in_processes if jobs > 1 and len(claims) > 1 else _in_turn
    try:
        with closing(outcomes(claims, profile, seed, jobs, draw, on_step)) as found:
            for outcome in found:
                on_outcome(*outcome)
    except KeyboardInterrupt:
        return False
    return True


def _in_turn(claims: Sequence[Claim], profile: str, seed: int, _jobs: int, _: Draw, on_step: Step) -> Outcomes:
    for claim in claims:
        on_step(claim.name, "starting", 0, 1)
        yield run_claim(claim, profile, seed, partial(on_step, claim.name)), ()


def _in_processes(claims: Sequence[Claim], profile: str, seed: int, jobs: int, draw: Draw, on_step: Step) -> Outcomes:
    # Workers start afresh: a fork of a process whose threads are running can hang.
    context = multiprocessing.get_context("spawn")
    steps: Any = context.Queue()
    workers = min(jobs, len(claims))
    others = set(multiprocessing.active_children())
    # Each worker has its share of the processors; numba reads the environment when a worker starts.
    share = max(1, usable_processors() // workers)
    with environment(THREADS, str(min(share, int(os.environ.get(THREADS) or share)))):
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker, initargs=(steps, draw))
        try:
            # The longest first: what begins last should not be what all wait for.
            ordered = sorted(claims, key=lambda claim: -claim.cost)
            pending = {pool.submit(_work, claim, profile, seed): claim for claim in ordered}
            while pending:
                done, _ = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                _forward(steps, on_step)
                for future in done:
                    yield _outcome_of(future, pending.pop(future), profile)
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        # A step can arrive after the outcome of its claim: a worker hands over all of them before it ends.
        _forward(steps, on_step)


def _outcome_of(future: "Future[tuple[ClaimRecord, Images]]", claim: Claim, profile: str) -> tuple[ClaimRecord, Images]:
    """Return the record and its images; a worker that died (killed, out of memory) is an error of its claim."""
    try:
        return future.result()
    except BrokenProcessPool:
        return _record(claim, profile, error="a worker process ended before this claim was finished"), ()


def _forward(steps: Any, on_step: Step) -> None:
    while True:
        try:
            on_step(*steps.get_nowait())
        except queue.Empty:
            return


_steps: Any = None
"""In a worker: where its progress goes."""
_draw: Any = None


def _prepare_worker(steps: Any, draw: Draw) -> None:
    """Leave interruptions to the parent, which also draws all progress bars."""
    global _steps, _draw
    _steps, _draw = steps, draw
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(claim: Claim, profile: str, seed: int) -> tuple[ClaimRecord, Images]:
    last = 0.0

    def listener(text: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done in {0, total} or now - last > POLL_SECONDS:
            last = now
            _steps.put((claim.name, text, done, total))

    listener("starting", 0, 1)
    record = run_claim(claim, profile, seed, listener)
    listener("drawing its figures", 0, 1)
    with suppress(Exception):  # the report draws what is missing, and says why it cannot
        return record, _draw(record)
    return record, ()


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment while the block runs."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
