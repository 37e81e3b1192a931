"""The command ``python -m verification``: exit status, record, report, interruption, bad usage."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from tests.helpers import PATIENCE, wait_until
from tests.verification import made_up
from verification import cli, figures, job, results

ROOT = Path(cli.__file__).parents[1]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command on made-up claims; returns the exit status, the output and the record, if there is one."""
    monkeypatch.setattr(figures, "_draw_families", lambda target, seed: [])

    def _run(claims, *arguments, out=tmp_path / "out"):
        monkeypatch.setattr(cli, "discover", lambda: tuple(claims))
        found = CliRunner().invoke(cli.app, ["--out", str(out), *arguments])
        path = out / "verification.json"
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        return found.exit_code, found.output, record

    return _run


def schema():
    return json.loads(results.SCHEMA.read_text(encoding="utf-8"))


def report(tmp_path):
    return (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_success(run, tmp_path):
    status, output, record = run([made_up.claim(1), made_up.claim(2)], "--seed", "7")
    assert status == 0
    assert "claim_1" in output
    assert record["complete"]
    assert record["passed"]
    assert (record["seed"], record["unfinished"], record["requested"]) == (7, [], ["claim_1", "claim_2"])
    assert record["profile"]["name"] == "quick"
    assert {"python", "numpy", "scipy", "numba", "causal_theory"} <= set(record["versions"])
    text = report(tmp_path)
    assert "2 of 2 claims hold" in text
    assert "A statement with $x_1$." in text
    assert "one \\| two &lt; three" in text
    assert "`python -m verification --claim claim_2 --profile quick --seed 7`" in text
    for name in ("made_up.png", "made_up.svg"):
        assert (tmp_path / "out" / "figures" / name).stat().st_size > 1000
    assert "figures/made_up.png" in text
    assert not list((tmp_path / "out").rglob("*tmp*"))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"run": made_up.fails}, "the claim's verdict is 'fails'"),
        ({"run": made_up.outside}, "outside its assumptions"),
        ({"control": made_up.holds}, "the negative control's verdict is 'holds'"),
        ({"run": made_up.holds_in_part}, "does not declare"),
        ({"run": made_up.breaks}, "ZeroDivisionError: made to break"),
    ],
)
def test_exit_status_one_with_the_reason(run, tmp_path, broken, reason):
    status, output, record = run([made_up.claim(1), made_up.claim(2, **broken)])
    assert status == 1
    assert reason in output
    assert record["complete"]
    assert not record["passed"]
    assert [claim["passed"] for claim in record["claims"]] == [True, False]
    assert any(reason in shortcoming for shortcoming in record["claims"][1]["shortcomings"])
    assert "**Does not pass**" in report(tmp_path)


def test_declared_parts_outside_do_not_fail(run):
    status, _, record = run([made_up.claim(1, run=made_up.holds_in_part, declared_outside=("beyond",))])
    assert status == 0
    assert record["claims"][0]["evidence"]["parts"][0]["verdict"] == "outside its assumptions"


def test_interruption_leaves_what_has_finished_marked_incomplete(run, tmp_path):
    status, output, record = run([made_up.claim(1), made_up.claim(2, run=made_up.interrupts), made_up.claim(3)])
    assert status == 130
    assert "interrupted after 1 of 3 claims" in output
    assert not record["complete"]
    assert not record["passed"]
    assert [claim["name"] for claim in record["claims"]] == ["claim_1"]
    assert record["unfinished"] == ["claim_2", "claim_3"]
    assert "**Incomplete: the run was interrupted.** Not finished: claim_2, claim_3." in report(tmp_path)


def test_the_record_grows_with_every_claim(run, monkeypatch):
    written = []
    write = job.write_record
    monkeypatch.setattr(job, "write_record", lambda folder, record: written.append(record) or write(folder, record))
    run([made_up.claim(1), made_up.claim(2)])
    assert [len(record["claims"]) for record in written] == [0, 1, 2, 2]
    assert [record["complete"] for record in written] == [False, False, False, True]


def test_an_old_record_does_not_outlive_the_start_of_a_run(run, tmp_path):
    run([made_up.claim(1)])
    _, _, record = run([made_up.claim(1, run=made_up.interrupts)])
    assert record["claims"] == []
    assert not record["complete"]


def test_one_claim(run):
    _, _, record = run(
        [made_up.claim(1), made_up.claim(2), made_up.claim(3)], "--claim", "claim_3", "--claim", "claim_1"
    )
    assert [claim["name"] for claim in record["claims"]] == ["claim_1", "claim_3"]


def test_list(run):
    status, output, record = run([made_up.claim(1)], "--list")
    assert status == 0
    assert "claim_1" in output
    assert "Title 1" in output
    assert record is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--claim", "nothing"], "claim must be one of claim_1, got 'nothing'"),
        (["--profile", "huge"], "profile must be one of quick, full, got 'huge'"),
        (["--jobs", "0"], "greater than or equal to 1"),
        (["--seed", "-1"], "greater than or equal to 0"),
        (["--unknown"], "No such option"),
    ],
)
def test_bad_usage(run, tmp_path, arguments, message):
    status, output, record = run([made_up.claim(1)], *arguments)
    assert status == 2
    assert message in output
    assert record is None
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(run, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    for out in (blocked, blocked / "below"):
        status, output, _ = run([made_up.claim(1, run=made_up.interrupts)], out=out)
        assert status == 2
        assert "out must be a folder that can be written" in output


def test_records_that_break_the_schema_are_not_written(tmp_path):
    with pytest.raises(jsonschema.ValidationError):
        results.write_record(tmp_path, {"format": 1})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.update(passed=True, complete=False),
        lambda record: record.update(unfinished=["claim_2"]),
        lambda record: record["claims"][0].update(status="error"),
        lambda record: record["claims"][0].update(evidence=None),
        lambda record: record["claims"][0]["evidence"].update(verdict="perhaps"),
        lambda record: record["claims"][0]["evidence"].update(method="guess"),
        lambda record: record["claims"][0]["evidence"]["measured"].update(number="1"),
        lambda record: record["claims"][0].update(extra=1),
        lambda record: record.pop("versions"),
    ],
)
def test_schema_refuses(run, spoil):
    _, _, record = run([made_up.claim(1)])
    jsonschema.validate(record, schema())
    spoil(record)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, schema())


@pytest.mark.compiled
def test_the_real_command_stops_at_ctrl_c(tmp_path):
    """Interrupt the full profile with two processes as soon as the first claim is on disk."""
    command = [sys.executable, "-m", "verification", "--profile", "full", "--jobs", "2", "--out", str(tmp_path)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    )
    path = tmp_path / "verification.json"

    def has_a_claim():
        return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["claims"]

    try:
        wait_until(lambda: has_a_claim() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130, output
    record = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(record, schema())
    assert not record["complete"]
    assert record["claims"]
    assert record["unfinished"]
    assert "interrupted after" in output
