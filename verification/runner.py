"""Run claims one after the other or in worker processes; what has finished is never lost."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from verification.claim import FAILS, HOLDS, Claim, Context, Evidence
from verification.claims import all_claims
from verification.profiles import Profile

__all__ = ["Outcome", "run_claims"]

THREADS_VARIABLE = "NUMBA_NUM_THREADS"


@dataclass(frozen=True)
class Outcome:
    """A claim with its evidence, its control, and the seconds both took."""

    claim: Claim
    evidence: Evidence
    control: Evidence
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the claim holds and its control fails."""
        return self.evidence.verdict == HOLDS and self.control.verdict == FAILS


def run_claim(name: str, profile: Profile, seed: int) -> tuple[str, Evidence, Evidence, float]:
    """Gather evidence and control of one claim; plain values, so that a worker process can return them."""
    claim = next(claim for claim in all_claims() if claim.name == name)
    context = Context(seed, name)
    started = time.perf_counter()
    evidence = claim.run(profile, context)
    control = claim.control(profile, context)
    return name, evidence, control, time.perf_counter() - started


def run_claims(
    claims: Sequence[Claim],
    profile: Profile,
    *,
    seed: int,
    jobs: int,
    on_start: Callable[[Claim], None],
    on_finish: Callable[[Outcome], None],
) -> bool:
    """Run the claims and report each as it finishes; return whether all did (False after an interruption).

    Results depend on the seed and the claim only, not on ``jobs`` or the order.
    """
    by_name = {claim.name: claim for claim in claims}
    results = _in_processes if jobs > 1 else _in_turn
    try:
        for name, evidence, control, seconds in results(claims, profile, seed, jobs, on_start):
            on_finish(Outcome(by_name[name], evidence, control, seconds))
    except KeyboardInterrupt:
        return False
    return True


def _in_turn(
    claims: Sequence[Claim], profile: Profile, seed: int, jobs: int, on_start: Callable[[Claim], None]
) -> Iterator[tuple[str, Evidence, Evidence, float]]:
    for claim in claims:
        on_start(claim)
        yield run_claim(claim.name, profile, seed)


def _in_processes(
    claims: Sequence[Claim], profile: Profile, seed: int, jobs: int, on_start: Callable[[Claim], None]
) -> Iterator[tuple[str, Evidence, Evidence, float]]:
    with _threads_per_worker(jobs):
        # Workers start afresh: a fork of a process whose threads are running can hang.
        pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
        try:
            pending = set()
            for claim in claims:
                on_start(claim)
                pending.add(pool.submit(run_claim, claim.name, profile, seed))
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _threads_per_worker(jobs: int) -> Iterator[None]:
    """Give each worker its share of the processors; workers read the environment when they start."""
    before = os.environ.get(THREADS_VARIABLE)
    share = max(1, (os.cpu_count() or 1) // jobs)
    os.environ[THREADS_VARIABLE] = str(min(share, int(before)) if before else share)
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS_VARIABLE]
        else:
            os.environ[THREADS_VARIABLE] = before
