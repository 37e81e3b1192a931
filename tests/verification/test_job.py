"""The command ``causal-theory verify``: exit status, record, processes, interruption, bad usage."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from causal_theory.claims import find_claims, job, read_record
from causal_theory.claims.files import FILE_NAME, schema, write_record
from causal_theory.claims.runner import run_claims
from causal_theory.cli import app
from causal_theory.errors import OutputError
from causal_theory.sweeps.executors import usable_processors
from tests.helpers import PATIENCE, wait_until
from tests.verification import made_up
from tests.verification.made_up import PART, claims_of, write_claim

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """Run the command on the folder ``claims``; returns the exit status, the output and the record, if there is one."""

    def _run(*arguments, out=tmp_path / "out", jobs=1):
        given = ["verify", "--claims", str(tmp_path / "claims"), "--out", str(out), *arguments]
        given += ["--jobs", str(jobs)] if jobs and "--jobs" not in arguments else []
        found = CliRunner().invoke(app, given)
        path = out / FILE_NAME
        return found.exit_code, found.output, read_record(path) if path.is_file() else None

    return _run


def test_success(run, tmp_path):
    claims_of(tmp_path / "claims", made_up.HOLDS, made_up.HOLDS)
    status, output, record = run("--seed", "7", "--profile", "tiny")
    assert status == 0, output
    assert "claim_1" in output
    assert (record.complete, record.passed) == (True, True)
    assert (record.seed, record.unfinished, record.requested) == (7, (), ("claim_1", "claim_2"))
    assert (record.profile, record.claims[0].budgets) == ("tiny", {"amount": 1})
    assert {"python", "numpy", "scipy", "numba", "causal_theory"} <= set(record.versions)
    for name in ("claim_1_1.png", "claim_1_1.svg"):
        assert (tmp_path / "out" / "figures" / name).stat().st_size > 1000
    assert not list((tmp_path / "out").rglob("*tmp*"))


def test_the_sentence_and_the_path_come_last(run, tmp_path):
    claims_of(tmp_path / "claims", made_up.HOLDS, made_up.HOLDS)
    _, output, _ = run("--profile", "tiny")
    sentence, path = output.strip().splitlines()[-2:]
    assert sentence == "All 2 claims hold, and each control fails, as it must."
    assert path == f"report: {tmp_path / 'out' / 'report.html'}"


def test_processes_draw_what_they_have_run(run, tmp_path, monkeypatch):
    """The page and all figures are the same as those of one process, which draws at the end."""
    claims_of(tmp_path / "claims", made_up.HOLDS, made_up.BREAKS, made_up.HOLDS)
    assert run(out=tmp_path / "alone")[0] == 1
    drawn_here = []

    def draw(folder, claim):
        drawn_here.append(claim.name)
        return []

    monkeypatch.setattr("causal_theory.claims.report.draw_figures", draw)
    assert run(out=tmp_path / "together", jobs=2)[0] == 1
    assert drawn_here == ["claim_2"]  # an error came before its figures
    for name in ("claim_1_1.png", "claim_1_1.svg", "claim_3_1.png", "claim_3_1.svg"):
        alone, together = ((tmp_path / out / "figures" / name).read_bytes() for out in ("alone", "together"))
        assert alone == together


REMOVES = (
    """
import os, shutil
from pathlib import Path
from tests.helpers import wait_until
if not check.control:
    out = Path(os.environ["MADE_UP_OUT"])
    wait_until(lambda: "Title 1" in (out / "verification.json").read_text(encoding="utf-8"))
    shutil.rmtree(out)
"""
    + made_up.HOLDS
)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_that_is_removed_during_the_run_is_made_again(run, tmp_path, monkeypatch, jobs):
    """With all that has finished: the record, the page and the figures of claims before and after."""
    monkeypatch.setenv("MADE_UP_OUT", str(tmp_path / "out"))
    # Nothing is written while the folder is removed: claim 1 has finished, and of two processes none has claim 3.
    claims_of(tmp_path / "claims", made_up.HOLDS, REMOVES, *[made_up.HOLDS] * (jobs == 1))
    status, output, record = run("--profile", "tiny", jobs=jobs)
    assert status == 0, output
    assert len(record.claims) == 2 + (jobs == 1)
    found = {path.name for path in (tmp_path / "out").rglob("*.*")}
    figures = {f"claim_{k}_1.{ending}" for k in range(1, len(record.claims) + 1) for ending in ("png", "svg")}
    assert found == {"verification.json", "report.html", *figures}


def test_a_head_that_cannot_be_read_is_bad_usage(run, tmp_path):
    claims_of(tmp_path / "claims", made_up.INTERRUPTS)
    (tmp_path / "claims" / "report.toml").write_text("title = 1", encoding="utf-8")
    status, output, record = run()
    assert (status, record) == (2, None)
    assert "report.toml must say what stands above a report" in output
    assert not (tmp_path / "out").exists()


def test_progress_says_that_figures_are_drawn(tmp_path):
    claims, said = claims_of(tmp_path, made_up.HOLDS, made_up.HOLDS), []
    assert collect(claims, jobs=2, on_step=lambda name, text, *_: said.append((name, text)))[0]
    assert {("claim_1", "drawing its figures"), ("claim_2", "drawing its figures")} <= set(said)


def test_progress_says_that_the_report_draws_what_is_left(run, tmp_path, monkeypatch):
    said = []

    class Heard(job.Board):
        def step(self, name, text, done, total):
            said.append((name, text))
            super().step(name, text, done, total)

    monkeypatch.setattr(job, "Board", Heard)
    claims_of(tmp_path / "claims", made_up.HOLDS)
    assert run()[0] == 0
    assert said[-1] == ("report", "drawing figures")


def test_every_number_is_a_number(run, tmp_path):
    claims_of(tmp_path / "claims", made_up.HOLDS)
    run()
    (claim,) = json.loads((tmp_path / "out" / FILE_NAME).read_text(encoding="utf-8"))["claims"]
    assert claim["run"]["tables"][0]["rows"] == [[1, "a_b", 0.123456, None]]
    closest = claim["run"]["parts"][0]["total"]["closest"]
    assert (closest["high"], closest["low"], closest["at"]) == (2.0, None, {"case": "a < b"})
    assert 0.0 < closest["value"]["value"] < 1.0
    assert claim["opposed"]["parts"][0]["total"]["closest"]["excess"] == 1.0


@pytest.mark.parametrize(
    ("body", "declared", "reason"),
    [
        (made_up.FAILS, {}, f"part '{PART}' fails"),
        ("check.measure('x', 1.0)", {}, "nothing was judged"),
        (made_up.HOLDS_ALWAYS, {}, f"the control must break part '{PART}', it does not"),
        (made_up.HOLDS, {"breaks": ("something else",)}, "the control must break part 'something else', it does not"),
        (made_up.CONTROL_BREAKS_MORE, {}, "the control breaks part 'another part' as well"),
        (made_up.HOLDS, {"outside": ("misspelt",)}, "no part is named 'misspelt', which is declared outside"),
        (made_up.BREAKS, {}, "ZeroDivisionError: made to break"),
        ("if check.control: raise OSError('late')\n" + made_up.HOLDS, {}, "OSError: late"),
    ],
)
def test_exit_status_one_with_the_reason(run, tmp_path, body, declared, reason):
    write_claim(tmp_path / "claims", 1)
    write_claim(tmp_path / "claims", 2, body, **declared)
    status, output, record = run()
    assert status == 1
    assert reason in output
    assert (record.complete, record.passed) == (True, False)
    assert [claim.passed for claim in record.claims] == [True, False]
    assert any(reason in shortcoming for shortcoming in record.claims[1].shortcomings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module", "claim_2.py must be a file that can be imported, got ModuleNotFoundError"),
        ("\n\nx = 1 / 0", "got ZeroDivisionError: division by zero, line 3"),
        ("def f(:", "got SyntaxError: invalid syntax (claim_2.py, line 1)"),
        (
            "from causal_theory.claims import claim\n@claim(2, source='s', breaks=('p',))\ndef f(check): 'x'",
            "'control'",
        ),
    ],
)
def test_files_that_cannot_be_imported_are_bad_usage(run, tmp_path, text, message):
    """One line names the file, the error and where it is."""
    write_claim(tmp_path / "claims", 1)
    (tmp_path / "claims" / "claim_2.py").write_text(text, encoding="utf-8")
    status, output, record = run()
    assert (status, record) == (2, None)
    assert message in output
    assert output.count("\n") == 1


def test_a_claim_that_leaves_is_an_error(run, tmp_path):
    claims_of(tmp_path / "claims", "raise SystemExit(3)", made_up.HOLDS)
    status, output, record = run()
    assert status == 1
    assert "SystemExit: 3" in output
    assert [claim.passed for claim in record.claims] == [False, True]


def test_declared_parts_outside_do_not_fail(run, tmp_path):
    write_claim(tmp_path / "claims", 1, made_up.OUTSIDE, outside=("beyond",))
    status, _, record = run()
    assert status == 0
    assert record.claims[0].run.parts[0].verdict == "outside its assumptions"


def test_interruption_leaves_what_has_finished_marked_incomplete(run, tmp_path):
    claims_of(tmp_path / "claims", made_up.HOLDS, made_up.INTERRUPTS, made_up.HOLDS)
    status, output, record = run()
    assert status == 130
    assert "interrupted after 1 of 3 claims" in output
    assert (record.complete, record.passed) == (False, False)
    assert [claim.name for claim in record.claims] == ["claim_1"]
    assert record.unfinished == ("claim_2", "claim_3")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Incomplete: the run was interrupted. Not finished: claim_2, claim_3." in page


def test_sigterm_while_a_claim_trains_ends_the_run(run, tmp_path):
    terminated = "from causal_theory.training.interrupts import Terminated; raise Terminated"
    claims_of(tmp_path / "claims", made_up.HOLDS, terminated, made_up.HOLDS)
    status, _, record = run()
    assert status == 143
    assert [claim.name for claim in record.claims] == ["claim_1"]
    assert (record.complete, record.unfinished) == (False, ("claim_2", "claim_3"))


def test_the_record_grows_with_every_claim(run, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        job, "write_record", lambda folder, record: written.append(record) or write_record(folder, record)
    )
    claims_of(tmp_path / "claims", made_up.HOLDS, made_up.HOLDS)
    run()
    assert [len(record.claims) for record in written] == [0, 1, 2, 2]
    assert [record.complete for record in written] == [False, False, False, True]


def test_an_old_record_does_not_outlive_the_start_of_a_run(run, tmp_path):
    claims_of(tmp_path / "claims", made_up.HOLDS)
    run()
    claims_of(tmp_path / "claims", made_up.INTERRUPTS)
    _, _, record = run()
    assert (record.claims, record.complete) == ((), False)


def test_some_claims_and_the_list_of_all(run, tmp_path):
    claims_of(tmp_path / "claims", made_up.HOLDS, made_up.HOLDS, made_up.HOLDS)
    status, output, record = run("--list")
    assert (status, record) == (0, None)
    assert "Title 2" in output
    _, _, record = run("--only", "claim_3", "--only", "claim_1")
    assert [claim.name for claim in record.claims] == ["claim_1", "claim_3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "nothing"], "claim must be one of claim_1, got 'nothing'"),
        (["--profile", "huge"], "profile must be one of tiny, quick, full, got 'huge'"),
        (["--jobs", "0"], "Invalid value for '--jobs'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--unknown"], "No such option"),
        (["--claims", "nowhere"], "claims must be a folder, got 'nowhere'"),
    ],
)
def test_bad_usage(run, tmp_path, arguments, message):
    claims_of(tmp_path / "claims", made_up.HOLDS)
    status, output, record = run(*arguments)
    assert status == 2
    assert message in output
    assert record is None
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(run, tmp_path):
    claims_of(tmp_path / "claims", made_up.INTERRUPTS)
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    for out in (blocked, blocked / "below"):
        status, output, _ = run(out=out)
        assert status == 2
        assert "out must be a folder that can be written" in output


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda record: record.update(passed=True, complete=False), "passed must be False"),
        (lambda record: record.update(unfinished=["claim_2"]), "unfinished must be"),
        (lambda record: record["claims"][0].update(passed=False), "claims.0: .*passed must be True"),
        (lambda record: record["claims"][0]["run"].update(verdict="fails"), "claims.0.run: .*verdict must be 'holds'"),
        (lambda record: record["claims"][0]["run"]["parts"][0].update(kind="guess"), "claims.0.run.parts.0.kind"),
        (lambda record: record["claims"][0]["run"]["parts"][0]["total"].update(count="many"), "total.count"),
        (lambda record: record["claims"][0].update(extra=1), "claims.0.extra"),
        (lambda record: record.pop("versions"), "versions"),
        (lambda record: record.update(format=1), "format"),
    ],
)
def test_records_that_are_none_are_refused(run, tmp_path, spoil, message):
    claims_of(tmp_path / "claims", made_up.HOLDS)
    run()
    path = tmp_path / "out" / FILE_NAME
    content = json.loads(path.read_text(encoding="utf-8"))
    spoil(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=f"path must be a record of format 2, got .*{message}"):
        read_record(path)


def test_records_say_where_they_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match="path must be a record that can be read"):
        read_record(tmp_path / "none.json")


def test_numbers_that_json_does_not_have_survive(run, tmp_path):
    body = made_up.HOLDS + "check.measure('seen', [float('inf'), float('nan')])\ncheck.row('t', x=float('-inf'))"
    claims_of(tmp_path / "claims", body)
    _, _, record = run()
    assert "NaN" in (tmp_path / "out" / FILE_NAME).read_text(encoding="utf-8")
    part = record.claims[0].run.parts[1]
    assert part.total.largest != part.total.largest
    assert record.claims[0].run.tables[1].rows[0][0].value == -float("inf")


def test_the_schema_names_all_fields():
    assert {"claims", "seed", "passed"} <= set(schema()["properties"])


@pytest.mark.parametrize(
    ("count", "compiled", "line"), [(job.FEW, 30, False), (job.FEW + 1, 30, True), (job.FEW + 1, 0, False)]
)
def test_many_claims_find_their_kernels_compiled(run, tmp_path, monkeypatch, count, compiled, line):
    """And one line says so, if any were missing."""
    monkeypatch.setattr(job, "warm_up", lambda: compiled)
    claims_of(tmp_path / "claims", *[made_up.HOLDS] * count)
    status, output, _ = run()
    assert status == 0
    assert (f"compiled {compiled} kernels, once (" in output) == line


def test_claims_run_where_no_kernel_can_be_kept(run, tmp_path, monkeypatch):
    def refuse():
        raise OutputError("no place")

    monkeypatch.setattr(job, "warm_up", refuse)
    claims_of(tmp_path / "claims", *[made_up.HOLDS] * (job.FEW + 1))
    status, _, record = run()
    assert (status, record.passed) == (0, True)


def test_interruption_while_kernels_are_compiled(run, tmp_path, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "warm_up", interrupt)
    claims_of(tmp_path / "claims", *[made_up.HOLDS] * (job.FEW + 1))
    status, output, record = run()
    assert (status, output) == (130, "interrupted\n")
    assert (record.complete, record.claims) == (False, ())


# In this process and in worker processes.


def test_all_processors_by_default(run, tmp_path):
    claims_of(tmp_path / "claims", made_up.HOLDS, made_up.HOLDS)
    status, output, record = run(jobs=None)
    assert status == 0, output
    assert record.jobs == usable_processors()


def test_the_longest_starts_first(tmp_path):
    """Which a record does not show: its claims are in the order of their numbers."""
    for number, cost in enumerate((0.0, 1.0, 5.0), 1):
        write_claim(tmp_path, number, cost=cost)
    started = []

    def note(name, text, done, total):
        if text == "starting":
            started.append(name)

    claims = find_claims(tmp_path)
    assert [one.cost for one in claims] == [0.0, 1.0, 5.0]
    assert collect(claims, jobs=2, on_step=note)[0]
    assert started.index("claim_1") == 2


def collect(claims, jobs=1, on_step=lambda *step: None, on_outcome=None):
    found = []
    events = {"on_step": on_step, "on_outcome": on_outcome or (lambda claim, _: found.append(claim))}
    complete = run_claims(claims, "tiny", seed=3, jobs=jobs, draw=made_up.cannot_draw, **events)
    return complete, sorted(found, key=lambda claim: claim.number)


def test_processes_find_the_same_as_one(tmp_path):
    claims = claims_of(tmp_path, *[made_up.HOLDS] * 4)
    (_, alone), (_, together) = collect(claims), collect(claims, jobs=2)
    timeless = [[replace(one, seconds=0.0, control_seconds=0.0) for one in found] for found in (alone, together)]
    assert timeless[0] == timeless[1]
    assert len({one.run.parts[0].total.largest for one in alone}) == 4


def test_an_error_in_a_process_is_kept_and_the_others_go_on(tmp_path):
    complete, found = collect(claims_of(tmp_path, made_up.BREAKS, made_up.HOLDS), jobs=2)
    assert complete
    assert [one.passed for one in found] == [False, True]
    assert "ZeroDivisionError: made to break" in found[0].error


def test_a_worker_that_dies_is_an_error_of_what_it_left(tmp_path):
    complete, found = collect(claims_of(tmp_path, made_up.DIES, made_up.DIES, made_up.DIES), jobs=2)
    assert complete
    assert len(found) == 3
    assert all("a worker process ended" in one.shortcomings[0] for one in found)


def test_interruption_stops_worker_processes(tmp_path, monkeypatch):
    kept, log = [], tmp_path / "log"
    monkeypatch.setenv("MADE_UP_LOG", str(log))

    def interrupt(claim, _):
        kept.append(claim)
        wait_until(lambda: log.exists() and log.read_text(encoding="ascii").endswith(" "))
        raise KeyboardInterrupt

    claims = claims_of(tmp_path / "claims", made_up.HOLDS, made_up.DOES_NOT_END)
    complete, _ = collect(claims, jobs=2, on_outcome=interrupt)
    assert not complete
    assert [claim.number for claim in kept] == [1]
    process = int(log.read_text(encoding="ascii"))  # it was ended before it could write more
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.parametrize("limit", [None, "1"])
def test_processes_share_the_threads(tmp_path, monkeypatch, limit):
    """A smaller limit on threads is kept."""
    if limit is None:
        monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("NUMBA_NUM_THREADS", limit)
    _, found = collect(claims_of(tmp_path, made_up.THREADS, made_up.THREADS), jobs=2)
    share = max(1, usable_processors() // 2) if limit is None else 1
    assert [one.run.parts[0].total.largest for one in found] == [share, share]
    assert os.environ.get("NUMBA_NUM_THREADS") == limit


def test_progress_of_processes_arrives(tmp_path):
    steps = []
    collect(claims_of(tmp_path, made_up.HOLDS, made_up.HOLDS), jobs=2, on_step=lambda *step: steps.append(step))
    assert {step[0] for step in steps} == {"claim_1", "claim_2"}
    assert ("claim_1", "starting", 0, 1) in steps


def test_a_project_that_only_installs_the_package(tmp_path):
    """The command in a folder of its own, which knows nothing of this repository."""
    claims_of(tmp_path / "my_claims", made_up.HOLDS, made_up.HOLDS)
    command = [str(Path(sys.executable).with_name("causal-theory")), "verify", "--claims", "my_claims", "--jobs", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_record(tmp_path / "results" / FILE_NAME).folder == "my_claims"
    assert "2 of 2 claims" in " ".join((tmp_path / "results" / "report.html").read_text(encoding="utf-8").split())


@pytest.mark.compiled
def test_the_real_command_stops_at_ctrl_c(tmp_path):
    """Interrupt the full profile with two processes as soon as the first claim is on disk: one of them takes hours."""
    command = [sys.executable, "-m", "verification", "--profile", "full", "--jobs", "2", "--out", str(tmp_path)]
    command += ["--claim", "symbolic_two_symbols", "--claim", "no_counterexample_inside"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    )
    path = tmp_path / FILE_NAME
    try:
        wait_until(lambda: (path.is_file() and read_record(path).claims) or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130, output
    record = read_record(path)
    assert not record.complete
    assert record.claims
    assert record.unfinished
    assert "interrupted after" in output


def test_the_claims_of_this_repository_have_their_own_command():
    from verification import cli

    found = CliRunner().invoke(cli.app, ["--list"])
    assert found.exit_code == 0
    assert [line.split()[1] for line in found.output.splitlines()] == [one.name for one in find_claims(cli.CLAIMS)]
