"""Checkpoints: killed runs resume to the last bit; damaged and foreign files are refused and kept."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    DisentangledTransformer,
    InContextTask,
    train_sgd,
)
from causal_theory.errors import FileFormatError, InvalidArgumentError, OutputError
from causal_theory.training.checkpoint import write_checkpoint

pytestmark = pytest.mark.compiled

TASK = InContextTask(CausalGraph.chain(5), DirichletPrior(3, 0.5))
MODEL = DisentangledTransformer(5, 3)
SETTINGS = {"steps": 40, "batch_size": 32, "learning_rate": 0.05, "optimizer": "adamw", "schedule": "cosine"}


def go_on(path, steps, say, hold):
    """Resume a run, say when its first new checkpoint is written, and hold it 130 steps from there."""
    from causal_theory.training import trainer

    class Bar(trainer.ProgressBar):
        def update(self, done, note=""):
            self.first = getattr(self, "first", done)
            if done == self.first + 10:
                say("ready")
            if done == self.first + 140:
                hold()
            super().update(done, note)

    trainer.ProgressBar = Bar
    train_sgd(TASK, MODEL, rng=3, checkpoint=path, every=7, resume=True, **(SETTINGS | {"steps": steps}))


SCRIPT = """
import sys
from functools import partial
from tests.test_checkpoints import go_on
go_on(sys.argv[1], 100000, partial(print, flush=True), sys.stdin.read)
"""


def assert_same(one, two):
    np.testing.assert_array_equal(one.model.parameters, two.model.parameters)
    np.testing.assert_array_equal(one.losses, two.losses)
    np.testing.assert_array_equal(one.test_losses, two.test_losses)
    np.testing.assert_array_equal(one.attention, two.attention)
    assert one.status == two.status


class Stop(Exception):
    """Raised in the middle of a run."""


def interrupted(path, after, **changes):
    """Run until ``after`` steps were taken and raise there."""
    from causal_theory.training import trainer

    class Bar(trainer.ProgressBar):
        def update(self, done, note=""):
            if done == after:
                raise Stop

    original = trainer.ProgressBar
    trainer.ProgressBar = Bar
    try:
        with pytest.raises(Stop):
            train_sgd(TASK, MODEL, rng=3, checkpoint=path, resume=True, **(SETTINGS | changes))
    finally:
        trainer.ProgressBar = original


@pytest.mark.parametrize("after", [1, 7, 8, 23, 39])
def test_resumed_runs_are_the_same_to_the_last_bit(tmp_path, after):
    path = tmp_path / "run.npz"
    interrupted(path, after, every=7)
    resumed = train_sgd(TASK, MODEL, rng=3, checkpoint=path, every=7, resume=True, **SETTINGS)
    assert_same(resumed, train_sgd(TASK, MODEL, rng=3, **SETTINGS))
    again = train_sgd(TASK, MODEL, checkpoint=path, resume=True, **SETTINGS)
    assert_same(resumed, again)  # a finished run has nothing left to do


def test_interrupted_runs_keep_the_last_step(tmp_path, monkeypatch):
    """Ctrl-C between two checkpoints: the step is finished and written before the interrupt goes on."""
    from causal_theory.training import trainer

    class Bar(trainer.ProgressBar):
        def update(self, done, note=""):
            if done == 23:
                os.kill(os.getpid(), signal.SIGINT)

    path = tmp_path / "run.npz"
    monkeypatch.setattr(trainer, "ProgressBar", Bar)
    with pytest.raises(KeyboardInterrupt):
        train_sgd(TASK, MODEL, rng=3, checkpoint=path, every=1000, **SETTINGS)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with np.load(path) as archive:
        assert int(archive["step"]) == 23
    monkeypatch.undo()
    resumed = train_sgd(TASK, MODEL, checkpoint=path, resume=True, **SETTINGS)
    assert_same(resumed, train_sgd(TASK, MODEL, rng=3, **SETTINGS))


def test_sigterm_saves_a_checkpoint(tmp_path):
    """In a process of its own, as a batch system does it; the end is that of a run that nobody stopped."""
    path = tmp_path / "run.npz"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate()
    finally:
        process.kill()
    assert process.returncode == 143
    with np.load(path) as archive:
        step, parameters = int(archive["step"]), archive["parameters"]
    # Not at a multiple of every=7 with luck only: the state is that after as many steps of an undisturbed run.
    assert 0 < step < 100000
    stopped = tmp_path / "other.npz"
    interrupted(stopped, step + 1, every=step, steps=100000)
    with np.load(stopped) as archive:
        assert int(archive["step"]) == step
        np.testing.assert_array_equal(archive["parameters"], parameters)


@pytest.mark.slow
def test_killed_processes_lose_nothing(tmp_path):
    """SIGKILL at 20 random moments, each time resumed: the end is that of a run that was never killed."""
    path = tmp_path / "run.npz"
    rng = np.random.default_rng(0)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # imported once, by the process of which all these are copies
    for _ in range(20):
        ours, theirs = context.Pipe()
        process = context.Process(target=go_on, args=(path, 3000, theirs.send, theirs.recv))
        process.start()
        theirs.close()
        try:
            assert ours.recv() == "ready"
            time.sleep(rng.uniform(0.0, 0.12))
        finally:
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL
    settings = SETTINGS | {"steps": 3000}
    assert path.exists()
    resumed = train_sgd(TASK, MODEL, rng=3, checkpoint=path, resume=True, **settings)
    assert_same(resumed, train_sgd(TASK, MODEL, rng=3, **settings))


def test_existing_files_are_not_overwritten(tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(b"precious")
    with pytest.raises(InvalidArgumentError, match="checkpoint must be a new file unless resume=True"):
        train_sgd(TASK, MODEL, rng=0, checkpoint=path, **SETTINGS)
    assert path.read_bytes() == b"precious"


def damage_cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


def damage_text(path):
    path.write_text("not an archive")


def damage_empty(path):
    path.write_bytes(b"")


def damage_foreign(path):
    np.savez(path.with_suffix(".other.npz"), a=np.ones(3))
    path.with_suffix(".other.npz").replace(path)


def damage_array(path):
    with path.open("wb") as file:
        np.save(file, np.ones(3))


def damage_pickle(path):
    with path.open("wb") as file:
        np.savez(file, settings=np.array([{"a": 1}], dtype=object), digest=np.zeros(32, dtype=np.uint8))


def damage_value(path):
    """A changed number under the old digest."""
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive.files}
    content["parameters"][0] += 1.0
    with path.open("wb") as file:
        np.savez(file, **content)


@pytest.mark.parametrize(
    "damage",
    [damage_cut, damage_flip, damage_text, damage_empty, damage_foreign, damage_array, damage_pickle, damage_value],
)
def test_damaged_and_foreign_files_are_refused_and_kept(tmp_path, damage):
    path = tmp_path / "run.npz"
    train_sgd(TASK, MODEL, rng=3, checkpoint=path, **SETTINGS)
    damage(path)
    before = path.read_bytes()
    with pytest.raises(FileFormatError, match="checkpoint must be"):
        train_sgd(TASK, MODEL, rng=3, checkpoint=path, resume=True, **SETTINGS)
    assert path.read_bytes() == before


def test_missing_folder_is_refused_before_any_work(tmp_path):
    with pytest.raises(OutputError, match="checkpoint must be in a folder that exists"):
        train_sgd(TASK, MODEL, rng=3, checkpoint=tmp_path / "no" / "run.npz", **SETTINGS)


def test_failed_writes_keep_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    write_checkpoint(path, {"a": 1}, {"x": np.ones(3)})
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_checkpoint(path, {"a": 2}, {"x": np.zeros(3)})
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_divergence_keeps_the_last_good_checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    start = DisentangledTransformer(5, 3, scale=1.0, rng=0)
    run = train_sgd(
        TASK, start, steps=50, batch_size=16, learning_rate=1e300, weight_decay=1e-300, rng=0, checkpoint=path, every=1
    )
    assert run.status == "diverged"
    if run.diverged_at > 0:
        with np.load(path) as archive:
            assert int(archive["step"]) == run.diverged_at
            assert np.isfinite(archive["parameters"]).all()


def test_checkpoints_hold_no_pickles(tmp_path):
    path = tmp_path / "run.npz"
    train_sgd(TASK, MODEL, rng=3, checkpoint=path, **SETTINGS)
    with np.load(path, allow_pickle=False) as archive:
        settings = json.loads(archive["settings"].tobytes().decode())
        assert all(archive[name].dtype != object for name in archive.files)
    assert settings["run"]["training"]["steps"] == 40
    assert settings["run"]["model"]["kind"] == "disentangled"
