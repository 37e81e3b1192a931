"""Claims in turn and in worker processes: outcomes, errors, interruption."""

import os

import pytest

from tests.helpers import wait_until
from tests.verification import made_up
from verification.profiles import QUICK
from verification.runner import available_processors, run_claims


def collect(claims, jobs=1, on_step=lambda *step: None, on_outcome=None):
    outcomes = []
    complete = run_claims(claims, QUICK, seed=3, jobs=jobs, on_step=on_step, on_outcome=on_outcome or outcomes.append)
    return complete, sorted(outcomes, key=lambda outcome: outcome.claim.number)


def test_outcomes_in_turn():
    complete, outcomes = collect([made_up.claim(1), made_up.claim(2, run=made_up.fails)])
    assert complete
    assert [outcome.passed for outcome in outcomes] == [True, False]
    assert all(outcome.seconds >= 0.0 and outcome.control_seconds >= 0.0 for outcome in outcomes)


def test_processes_find_the_same_as_one():
    claims = [made_up.claim(number) for number in range(1, 5)]
    _, alone = collect(claims)
    _, together = collect(claims, jobs=2)
    assert [outcome.evidence for outcome in together] == [outcome.evidence for outcome in alone]
    assert len({outcome.evidence.measured.number for outcome in alone}) == 4


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_an_outcome_and_the_others_go_on(jobs):
    claims = [
        made_up.claim(1, run=made_up.breaks),
        made_up.claim(2, control=made_up.breaks),
        made_up.claim(3),
    ]
    complete, outcomes = collect(claims, jobs)
    assert complete
    assert [outcome.passed for outcome in outcomes] == [False, False, True]
    first, second, _ = outcomes
    assert first.evidence is None
    assert second.evidence is not None
    assert second.control is None
    for outcome in (first, second):
        assert "ZeroDivisionError: made to break" in outcome.error
        assert "an error stopped it: ZeroDivisionError: made to break" in outcome.shortcomings[0]


def test_a_worker_that_dies_is_an_error_of_what_it_left():
    complete, outcomes = collect([made_up.claim(1, run=made_up.dies), made_up.claim(2, run=made_up.dies)], jobs=2)
    assert complete
    assert len(outcomes) == 2
    assert all("a worker process ended" in outcome.shortcomings[0] for outcome in outcomes)


def test_interruption_in_turn_keeps_what_has_finished():
    complete, outcomes = collect([made_up.claim(1), made_up.claim(2, run=made_up.interrupts), made_up.claim(3)])
    assert not complete
    assert [outcome.claim.number for outcome in outcomes] == [1]


def test_interruption_stops_worker_processes(tmp_path, monkeypatch):
    kept, log = [], tmp_path / "log"
    monkeypatch.setenv("MADE_UP_LOG", str(log))

    def interrupt(outcome):
        kept.append(outcome)
        wait_until(lambda: log.exists() and log.read_text(encoding="ascii").endswith(" "))
        raise KeyboardInterrupt

    claims = [made_up.claim(1), made_up.claim(2, run=made_up.does_not_end)]
    complete, _ = collect(claims, jobs=2, on_outcome=interrupt)
    assert not complete
    assert [outcome.claim.number for outcome in kept] == [1]
    process = int(log.read_text(encoding="ascii"))  # it was ended before it could write more
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_processes_share_the_threads(monkeypatch):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    claims = [made_up.claim(number, run=made_up.shows_threads) for number in (1, 2)]
    _, outcomes = collect(claims, jobs=2)
    share = max(1, available_processors() // 2)
    assert [outcome.evidence.measured.number for outcome in outcomes] == [share, share]
    assert "NUMBA_NUM_THREADS" not in os.environ


def test_a_smaller_limit_on_threads_is_kept(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    _, outcomes = collect([made_up.claim(number, run=made_up.shows_threads) for number in (1, 2)], jobs=2)
    assert [outcome.evidence.measured.number for outcome in outcomes] == [1.0, 1.0]
    assert os.environ["NUMBA_NUM_THREADS"] == "1"


def test_progress_of_processes_arrives():
    steps = []
    collect([made_up.claim(1), made_up.claim(2)], jobs=2, on_step=lambda *step: steps.append(step))
    assert {step[0] for step in steps} == {"claim_1", "claim_2"}
    assert ("claim_1", "starting", 0, 1) in steps
