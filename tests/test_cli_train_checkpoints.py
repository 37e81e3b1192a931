"""Checkpoints of ``causal-theory train``, and runs that diverge."""

import re
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from causal_theory import (
    DisentangledTransformer,
    train_sgd,
)
from causal_theory.cli import train
from causal_theory.errors import FileFormatError, InvalidArgumentError
from causal_theory.provenance import code_version
from causal_theory.training.interrupts import Terminated
from tests.test_cli_train import CHAIN, QUICK, SETTINGS, fail, interrupt, only, run, run_json

from .helpers import PATIENCE, wait_until


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestCheckpoints:
    def test_interrupted_runs_resume_to_the_last_bit(self, monkeypatch):
        whole = run_json(*QUICK, "--scale", 0.1)
        with monkeypatch.context() as patch:
            interrupt(patch, 4)
            result = run(*QUICK, "--scale", 0.1, "--checkpoint", "c.npz", "--csv", "t.csv")
        assert (result.exit_code, result.stdout) == (130, "")
        assert result.stderr == "interrupted: the checkpoint is c.npz; repeat the command with --resume to go on\n"
        with np.load("c.npz") as archive:
            assert int(archive["step"]) == 4
        resumed = run_json(*QUICK, "--scale", 0.1, "--checkpoint", "c.npz", "--resume")
        assert only(resumed).pop("checkpoint") == "c.npz"
        assert only(whole).pop("checkpoint") is None
        assert (len(only(resumed).pop("versions")), only(whole).pop("versions")) == (1, [])
        assert resumed == whole

    def test_interrupted_without_a_checkpoint(self, monkeypatch, folder):
        interrupt(monkeypatch, 4)
        result = run(*QUICK, "--csv", "t.csv", "--json")
        assert (result.exit_code, result.stdout) == (130, "")
        assert result.stderr == "interrupted: nothing is kept; with --checkpoint PATH a run can be resumed\n"
        assert list(folder.iterdir()) == []

    def test_interrupted_among_many_graphs(self, monkeypatch):
        interrupt(monkeypatch, 2)
        train_whole = train.train_with_settings
        calls = []

        def third_is_interrupted(task, model, settings, **options):
            calls.append(1)
            return train_whole(task, model, settings if len(calls) == 3 else replace(settings, steps=1), **options)

        monkeypatch.setattr(train, "train_with_settings", third_is_interrupted)
        arguments = ("--preset", "paper-many-graphs", "--steps", 3, "--batch-size", 4, "--test-size", 4)
        result = run("train", *arguments, "--checkpoint", "g.npz")
        assert result.exit_code == 130
        assert "interrupted in graph 2 of 20: the checkpoint is g-02.npz" in result.stderr

    def test_interrupted_within_compiled_code(self, monkeypatch):
        """There Ctrl-C comes out as an error of another kind, and the state of the run cannot be kept."""

        def broken(*args, **kwargs):
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as error:
                raise SystemError("returned a result with an exception set") from error

        monkeypatch.setattr(train, "train_with_settings", broken)
        result = run(*QUICK, "--checkpoint", "c.npz")
        assert (result.exit_code, result.stderr) == (130, "interrupted: there is no checkpoint c.npz yet\n")

    def test_terminated_within_compiled_code(self, monkeypatch):
        def broken(*args, **kwargs):
            try:
                raise Terminated
            except Terminated as error:
                raise SystemError("returned a result with an exception set") from error

        monkeypatch.setattr(train, "train_with_settings", broken)
        assert run(*QUICK, "--checkpoint", "c.npz").exit_code == 143

    def test_other_errors_are_not_taken_for_an_interrupt(self, monkeypatch):
        def broken(*args, **kwargs):
            raise SystemError("of another kind")

        monkeypatch.setattr(train, "train_with_settings", broken)
        assert isinstance(run(*QUICK).exception, SystemError)

    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_signals_end_the_program_with_their_status(self, folder, number, status):
        # A shell that starts the tests in the background has them ignore Ctrl-C.
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        code += "import sys; from causal_theory.cli import main; sys.argv[0] = 'causal-theory'; main()"
        arguments = (*QUICK, "--steps", 10**7, "--checkpoint", "c.npz", "--every", 50)
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(lambda: (folder / "c.npz").exists() or process.poll() is not None)
            process.send_signal(number)
            output, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        assert (process.returncode, output) == (status, ""), errors
        assert errors == "interrupted: the checkpoint is c.npz; repeat the command with --resume to go on\n"
        assert sorted(path.name for path in folder.iterdir()) == ["c.npz"]

    def test_existing_checkpoints_are_kept(self, folder):
        (folder / "c.npz").write_bytes(b"precious")
        (folder / "g-13.npz").write_bytes(b"precious")
        with pytest.raises(InvalidArgumentError, match=r"checkpoint must be a new file without --resume, got 'c\.npz'"):
            raise fail(*QUICK, "--checkpoint", "c.npz")
        with pytest.raises(InvalidArgumentError, match=r"checkpoint must be a new file .* got 'g-13\.npz'"):
            raise fail("train", "--preset", "paper-many-graphs", "--checkpoint", "g.npz")
        with pytest.raises(FileFormatError, match="checkpoint must be"):
            raise fail(*QUICK, "--checkpoint", "c.npz", "--resume")
        assert (folder / "c.npz").read_bytes() == (folder / "g-13.npz").read_bytes() == b"precious"

    def test_checkpoints_of_other_runs_are_refused(self):
        run_json(*QUICK, "--checkpoint", "c.npz")
        with pytest.raises(InvalidArgumentError, match="must belong to the same run, got training batch_size = 16"):
            raise fail(*QUICK, "--batch-size", 17, "--checkpoint", "c.npz", "--resume")
        with pytest.raises(InvalidArgumentError, match="same run, got label = 'seed 0' instead of 'seed 1'"):
            raise fail(*QUICK, "--seed", 1, "--checkpoint", "c.npz", "--resume")

    @pytest.mark.parametrize(
        ("first", "second", "message"),
        [
            (("--scale", 1e-4), ("--scale", 2.0), r"model start of layer1 = 64 numbers \(1\.257e-05, .*0\.2515"),
            (("--model", "reduced", "--beta0", 0.1), ("--model", "reduced"), r"model start of A2 = .*0\.1, .*0\.01, "),
            (("--concentration", 1.0), ("--floor", 0.1), r"task prior floor = 0\.0 instead of 0\.1"),
            (("--graph", "chain"), ("--graph", "star"), r"task parents = \[.*instead of"),
        ],
    )
    def test_checkpoints_of_another_start_or_task_are_refused_whatever_is_said(self, first, second, message):
        run_json(*QUICK, *first, "--checkpoint", "c.npz")
        for more in ((), ("--reuse-other-versions",)):
            with pytest.raises(InvalidArgumentError, match=f"must belong to the same run, got {message}"):
                raise fail(*QUICK, *second, "--checkpoint", "c.npz", "--resume", *more)

    def test_checkpoints_of_a_preset_and_of_the_same_options_are_the_same(self, folder):
        short = ("--steps", 3, "--batch-size", 8, "--test-size", 16)
        run_json("train", "--preset", "paper-chain", *short, "--checkpoint", "c.npz")
        options = (
            "--length",
            20,
            "--symbols",
            10,
            "--concentration",
            0.1,
            "--schedule",
            "cosine",
            "--learning-rate",
            1,
        )
        again = run_json("train", *options, *short, "--checkpoint", "c.npz", "--resume")
        assert only(again)["status"] == "finished"
        (folder / "run.toml").write_text('preset = "paper-chain"\n[model]\nscale = 0.5\n', encoding="utf-8")
        with pytest.raises(InvalidArgumentError, match="must belong to the same run, got model start of layer1"):
            raise fail("train", "--config", "run.toml", *short, "--checkpoint", "c.npz", "--resume")

    def test_checkpoints_of_other_versions_are_refused_unless_wanted(self, monkeypatch):
        run_json(*QUICK, "--checkpoint", "c.npz")
        version = code_version()
        monkeypatch.setattr("causal_theory.training.record.code_version", lambda *used: replace(version, code="f" * 64))
        resumed = (*QUICK, "--checkpoint", "c.npz", "--resume")
        with pytest.raises(
            InvalidArgumentError, match=r"\(--reuse-other-versions\) is given, got .* instead of .* f{8}"
        ):
            raise fail(*resumed)
        result = run(*resumed, "--reuse-other-versions")
        assert result.exit_code == 0
        assert "computed by several versions, one after the other: " in result.output
        with pytest.raises(InvalidArgumentError, match="reuse_other_versions must not be given without --resume"):
            raise fail(*QUICK, "--checkpoint", "new.npz", "--reuse-other-versions")


class TestDivergence:
    ARGUMENTS = (*QUICK, "--learning-rate", 1e200, "--scale", 0.1, "--snapshots", 1)

    def test_what_came_before_is_written(self, folder):
        content = run_json(
            *(*self.ARGUMENTS, "--csv", "t.csv", "--npz", "t.npz", "--plot", "t.png", "--checkpoint", "c.npz"), status=1
        )
        one = only(content)
        expected = train_sgd(
            CHAIN, DisentangledTransformer(5, 3, scale=0.1, rng=(rng := np.random.default_rng(0))), rng=rng,
            **(SETTINGS | {"learning_rate": 1e200, "snapshots": 1}),
        )  # fmt: skip
        assert one["status"] == "diverged"
        assert one["diverged_at"] == expected.diverged_at == one["last_step"] >= 1
        assert one["losses"] == expected.losses.tolist()
        with np.load("t.npz") as arrays:
            assert arrays["diverged_at"].tolist() == [expected.diverged_at]
        assert (folder / "t.png").read_bytes().startswith(b"\x89PNG")

    def test_the_step_is_told(self):
        result = run(*self.ARGUMENTS)
        assert result.exit_code == 1
        output = " ".join(result.output.split())
        assert re.search(r"training diverged at step \d: shown is what came before; a smaller --learning-rate", output)

    def test_one_graph_among_many(self, monkeypatch):
        train_whole = train.train_with_settings
        calls = []

        def second_diverges(task, model, settings, **options):
            calls.append(1)
            rate = 1e200 if len(calls) == 2 else 1.0
            return train_whole(task, model, replace(settings, learning_rate=rate, snapshots=1), **options)

        monkeypatch.setattr(train, "train_with_settings", second_diverges)
        arguments = ("--preset", "paper-many-graphs", "--steps", 6, "--batch-size", 8, "--test-size", 8)
        result = run("train", *arguments, "--npz", "t.npz")
        assert result.exit_code == 1
        assert re.search(r"graph 1 diverged at step \d", result.output)
        with np.load("t.npz") as arrays:
            at = arrays["diverged_at"]
            assert np.flatnonzero(at >= 0).tolist() == [1]
            assert np.isnan(arrays["losses"]).sum() == 6 - at[1]
            assert (arrays["steps"] == -1).sum() == 6 - at[1]
