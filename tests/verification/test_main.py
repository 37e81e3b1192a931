"""The main job: exit status, files, interruption, bad usage."""

import json
import os
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from verification import __main__ as job
from verification import runner
from verification.claim import FAILS, HOLDS, Claim, Evidence, Table
from verification.results import SCHEMA


def evidence(verdict):
    return Evidence(
        verdict=verdict,
        predicted="1",
        measured="1 | 2",
        error=0.5,
        method="exact",
        assumptions="none",
        regime="none",
        tables=(Table("numbers", ("x",), (("1",),)),),
        notes=("a note",),
    )


def claim(number, run=HOLDS, control=FAILS):
    def answer(verdict):
        def check(profile, context):
            if isinstance(verdict, BaseException):
                raise verdict
            return evidence(verdict)

        return check

    return Claim(number, f"claim_{number}", "S", "paper", answer(run), answer(control), "wrong")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the job on made-up claims; returns the exit code, the output and the record (None when not written)."""

    def _run(claims, *arguments):
        for module in (job, runner):
            monkeypatch.setattr(module, "all_claims", lambda: tuple(claims))
        monkeypatch.setattr(job, "draw_figures", lambda folder, seed: [])
        app = job.typer.Typer()
        app.command()(job.main)
        result = CliRunner().invoke(app, ["--out", str(tmp_path), *arguments])
        path = tmp_path / "verification.json"
        record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        return result.exit_code, result.output, record

    return _run


def test_success(run, tmp_path):
    code, output, record = run([claim(1), claim(2)])
    assert code == 0
    assert "claim_1" in output
    assert record["passed"]
    assert record["complete"]
    jsonschema.validate(record, json.loads(SCHEMA.read_text(encoding="utf-8")))
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "2 of 2 claims hold" in report
    assert "1 \\| 2" in report


@pytest.mark.parametrize(("verdict", "control"), [(FAILS, FAILS), ("outside its assumptions", FAILS), (HOLDS, HOLDS)])
def test_a_failing_claim_or_a_passing_control_fails_the_job(run, verdict, control):
    code, _, record = run([claim(1), claim(2, verdict, control)])
    assert code == 1
    assert not record["passed"]
    assert [entry["passed"] for entry in record["claims"]] == [True, False]


def test_interruption_keeps_what_has_finished(run, tmp_path):
    code, output, record = run([claim(1), claim(2, KeyboardInterrupt()), claim(3)])
    assert code == 130
    assert "interrupted" in output
    assert not record["complete"]
    assert not record["passed"]
    assert [entry["name"] for entry in record["claims"]] == ["claim_1"]
    assert "Incomplete" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_one_claim(run):
    _, _, record = run([claim(1), claim(2)], "--claim", "claim_2")
    assert [entry["name"] for entry in record["claims"]] == ["claim_2"]


def test_list(run):
    code, output, record = run([claim(1)], "--list")
    assert code == 0
    assert "claim_1" in output
    assert record is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--claim", "nothing"], "claim must be one of claim_1"),
        (["--profile", "huge"], "profile must be one of quick, full"),
    ],
)
def test_bad_usage(run, arguments, message):
    code, output, record = run([claim(1)], *arguments)
    assert code == 2
    assert message in output.replace("\n", " ")
    assert record is None


def test_output_folder_that_cannot_be_made(run, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, output, _ = run([claim(1)], "--out", str(tmp_path / "file" / "below"))
    assert code == 2
    assert "out must be a folder that can be written" in output.replace("\n", " ")


def test_record_that_breaks_the_schema_is_not_written(tmp_path):
    from verification.results import write_record

    with pytest.raises(jsonschema.ValidationError):
        write_record(tmp_path, {"format": 1})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.compiled
def test_processes_give_the_same_evidence(tmp_path):
    records = []
    app = job.typer.Typer()
    app.command()(job.main)
    for jobs in ("1", "2"):
        out = tmp_path / jobs
        names = ("--claim", "first_order_gradient", "--claim", "edge_score_is_chi2")
        result = CliRunner().invoke(app, ["--out", str(out), "--jobs", jobs, *names])
        assert result.exit_code == 0, result.output
        records.append(json.loads((out / "verification.json").read_text(encoding="utf-8")))
        assert (out / "figures" / "graphs_scores_and_informations.svg").stat().st_size > 10_000
    for one, two in zip(*(record["claims"] for record in records), strict=True):
        assert {**one, "seconds": 0} == {**two, "seconds": 0}
    assert "NUMBA_NUM_THREADS" not in os.environ or os.environ["NUMBA_NUM_THREADS"]


def test_schema_file_is_beside_the_code():
    assert Path(job.__file__).with_name("schema.json") == SCHEMA
