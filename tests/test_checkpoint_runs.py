"""Checkpoints belong to one run: those of other runs, of other code and of the old format are refused."""

import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import causal_theory
from causal_theory import (
    CausalGraph,
    DirichletPrior,
    DisentangledTransformer,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    train_sgd,
)
from causal_theory.errors import FileFormatError, InvalidArgumentError
from causal_theory.provenance import code_version
from causal_theory.training.checkpoint import read_checkpoint, write_checkpoint
from causal_theory.training.state import TrainingState

from .test_checkpoints import MODEL, SETTINGS, TASK, assert_same, interrupted

pytestmark = pytest.mark.compiled


DAG = CausalGraph([[], [], [0, 1], [1], [0]], target_parents=[2, 3])
SCALED = DisentangledTransformer(5, 3, scale=0.1, rng=0)
MATRIX = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])


def nudged(model):
    """The model with another last bit."""
    flat = model.parameters.copy()
    flat[-1] = np.nextafter(flat[-1], 1.0)
    return model.with_parameters(flat)


def on(graph, prior=None, **options):
    return InContextTask(graph, prior or DirichletPrior(3, 0.5), **options)


CHAIN = CausalGraph.chain(5)
OTHERS = [
    # what is changed from the first run to the second, and what is said about it
    ({}, {"learning_rate": 0.1}, r"training learning_rate = 0\.05 instead of 0\.1"),
    ({}, {"adam_epsilon": 1e-7}, "training adam_epsilon = 1e-08 instead of 1e-07"),
    ({}, {"model": DisentangledTransformer(5, 3, (2, 1))}, r"model heads = \[1, 1\] instead of \[2, 1\]"),
    (
        {},
        {"model": ReducedTransformer(np.zeros((5, 5)), np.eye(3), 0.1)},
        "model class = 'DisentangledTransformer' instead of 'ReducedTransformer'",
    ),
    (
        {"model": ReducedTransformer(np.zeros((5, 5)), np.eye(3), 0.1)},
        {"model": ReducedTransformer(np.zeros((5, 5)), np.eye(3), 0.2)},
        r"model epsilon = 0\.1 instead of 0\.2",
    ),
    ({}, {"model": SCALED}, r"model start of layer1 = 64 numbers \(0, 0, 0, .*\) instead of 64 numbers \(0\.01257, "),
    ({"model": SCALED}, {"model": nudged(SCALED)}, "model start of output = .*digest .* instead of .*digest "),
    ({}, {"task": on(CausalGraph.star(5))}, r"task parents = \[\[\], \[0\], \[1\], \[2\], \[\]\]"),
    ({}, {"task": on(CHAIN, DirichletPrior(3, 0.4))}, r"task prior concentration = 0\.5 instead of 0\.4"),
    ({}, {"task": on(CHAIN, DirichletPrior(3, 0.5, floor=0.1))}, r"task prior floor = 0\.0 instead of 0\.1"),
    ({}, {"task": on(CHAIN, root_law="uniform")}, "task root_law = 'stationary' instead of 'uniform'"),
    ({}, {"task": on(CHAIN, OrbitPrior(MATRIX))}, "task prior kind = 'DirichletPrior' instead of 'OrbitPrior'"),
    (
        {"task": on(CHAIN, PointPrior(MATRIX))},
        {"task": on(CHAIN, PointPrior(MATRIX[::-1]))},
        r"task prior kernel of 1 parents = 3x3 numbers \(0\.5, 0\.25, 0\.25, .* instead of 3x3 numbers \(0\.25, 0",
    ),
    (
        {"task": on(DAG)},
        {"task": on(CausalGraph([[], [], [1, 0], [1], [0]], target_parents=[2, 3]))},
        r"task parents = \[\[\], \[\], \[0, 1\], \[1\], \[0\]\] instead of \[\[\], \[\], \[1, 0\], \[1\], \[0\]\]",
    ),
    (
        {"task": on(DAG)},
        {"task": on(CausalGraph([[], [], [0, 1], [1], [0]], target_parents=[3, 2]))},
        r"task target_parents = \[2, 3\] instead of \[3, 2\]",
    ),
    ({"rng": 3}, {"rng": 4}, "rng source = 'PCG64 with the seed 3' instead of 'PCG64 with the seed 4'"),
    ({"rng": [3, 1]}, {"rng": [3, 2]}, r"rng source = .* \[3, 1\]' instead of .* \[3, 2\]'"),
    (
        {"rng": np.random.SeedSequence(3, spawn_key=(1,))},
        {"rng": np.random.SeedSequence(3, spawn_key=(2,))},
        r".* seed 3, spawned \[1\]' instead of .* 3, spawned \[2\]'",
    ),
    ({"rng": lambda: np.random.default_rng(3)}, {"rng": lambda: advanced(3)}, "rng sequences = '.*' instead of '"),
    (
        {"rng": lambda: np.random.Generator(np.random.MT19937(3))},
        {"rng": 3},
        "rng source = 'MT19937 .* instead of 'PCG64 ",
    ),
    ({"rng": None}, {"rng": 3}, "rng source = .* instead of 'PCG64 with the seed 3'"),
]
SAME = [
    (
        {"task": on(CHAIN, PointPrior(MATRIX), root_law="uniform")},
        {"task": on(CHAIN, PointPrior({1: MATRIX}), root_law="uniform")},
    ),
    ({"rng": lambda: np.random.default_rng(3)}, {"rng": 3}),
    ({"rng": 3}, {"rng": None}),
    ({"rng": None}, {"rng": None}),
    ({"learning_rate": np.float32(0.5)}, {"learning_rate": 0.5, "steps": np.int64(40)}),
]


def advanced(seed):
    generator = np.random.default_rng(seed)
    generator.random()
    return generator


def trained(path, changes, **options):
    given = {"task": TASK, "model": MODEL, "rng": 3} | SETTINGS | changes
    task, model, rng = (given.pop(name) for name in ("task", "model", "rng"))
    return train_sgd(task, model, rng=rng() if callable(rng) else rng, checkpoint=path, **given, **options)


@pytest.mark.parametrize(("first", "second", "message"), OTHERS)
def test_checkpoints_of_other_runs_are_refused(tmp_path, first, second, message):
    """In one line that names what differs with both values, whatever is said about other versions."""
    path = tmp_path / "run.npz"
    trained(path, first)
    before = path.read_bytes()
    for options in ({}, {"reuse_other_versions": True}):
        with pytest.raises(InvalidArgumentError, match=f"must belong to the same run, got {message}") as caught:
            trained(path, first | second, resume=True, **options)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("first", "second"), SAME)
def test_checkpoints_of_the_same_run_in_other_words_are_accepted(tmp_path, first, second):
    whole = trained(tmp_path / "run.npz", first)
    assert_same(trained(tmp_path / "run.npz", first | second, resume=True), whole)


def test_checkpoints_without_a_seed_go_on_with_their_own_streams(tmp_path):
    path = tmp_path / "run.npz"
    whole = trained(tmp_path / "whole.npz", {"rng": None})
    interrupted_at(tmp_path / "whole.npz", path, whole)
    assert trained(path, {"rng": None}, resume=True).losses[0] == whole.losses[0]


def interrupted_at(finished, path, whole):
    """A checkpoint of the start of a finished run: its streams, and no steps."""
    arrays, record = read_checkpoint(finished)
    fresh = TrainingState.start(MODEL, whole.settings, 1, arrays["keys"], arrays["test_keys"])
    write_checkpoint(path, record, fresh.arrays())


class TestVersions:
    def other(self, monkeypatch, **changes):
        version = code_version()
        changed = replace(version, **changes)
        monkeypatch.setattr("causal_theory.training.record.code_version", lambda *used: changed)
        return version, changed

    def test_of_other_code_are_refused_unless_wanted(self, tmp_path, monkeypatch):
        path = tmp_path / "run.npz"
        interrupted(path, 23, every=7)
        here, there = self.other(monkeypatch, code="f" * 64)
        with pytest.raises(InvalidArgumentError) as caught:
            trained(path, {}, resume=True)
        assert str(caught.value) == (
            f"checkpoint {str(path)!r} must belong to the same version of the code unless reuse_other_versions "
            f"(--reuse-other-versions) is given, got {here.package} {here.code[:8]} instead of {there.package} ffffffff"
        )
        run = trained(path, {}, resume=True, reuse_other_versions=True)
        libraries = f"numpy {here.numpy}, numba {here.numba}, python {here.python}"
        both = (f"{here.package} {here.code[:8]}, {libraries}", f"{here.package} ffffffff, {libraries}")
        assert run.versions == both
        assert "computed by 2 versions)" in repr(run)
        assert both[1] in run._repr_html_()
        # From here on the file is of the new code.
        assert trained(path, {}, resume=True).versions == both
        monkeypatch.undo()
        with pytest.raises(InvalidArgumentError, match=r"got .* ffffffff instead of"):
            trained(path, {}, resume=True)

    @pytest.mark.parametrize("library", ["numpy", "numba", "python"])
    def test_of_libraries_are_told(self, tmp_path, monkeypatch, library):
        path = tmp_path / "run.npz"
        interrupted(path, 23, every=7)
        self.other(monkeypatch, **{library: "0.0.1"})
        run = trained(path, {}, resume=True)
        assert len(run.versions) == 2
        assert f"{library} 0.0.1" in run.versions[1]

    def test_are_one_in_an_ordinary_run(self, tmp_path):
        assert len(trained(tmp_path / "run.npz", {}).versions) == 1
        assert trained(None, {}).versions == ()

    def test_of_classes_of_the_users_count(self, tmp_path, monkeypatch):
        file = tmp_path / "own_prior.py"
        file.write_text("from causal_theory import DirichletPrior\n\n\nclass Own(DirichletPrior):\n    pass\n")
        monkeypatch.syspath_prepend(tmp_path)
        module = importlib.import_module("own_prior")
        task = {"task": InContextTask(CHAIN, module.Own(3, 0.5))}
        trained(tmp_path / "run.npz", task)
        file.write_text(file.read_text().replace("    pass", "    number = 1"))
        with pytest.raises(InvalidArgumentError, match=r"own_prior\.py', which was edited after it was loaded"):
            trained(tmp_path / "run.npz", task, resume=True)
        del sys.modules["own_prior"]
        importlib.invalidate_caches()
        own = importlib.import_module("own_prior").Own
        with pytest.raises(InvalidArgumentError, match="must belong to the same version of the code"):
            trained(tmp_path / "run.npz", {"task": InContextTask(CHAIN, own(3, 0.5))}, resume=True)
        del sys.modules["own_prior"]

    @pytest.mark.slow
    def test_of_an_edited_package_are_refused(self, tmp_path):
        """Two interpreters, and an edit of the optimiser in between."""
        package = tmp_path / "causal_theory"
        shutil.copytree(Path(causal_theory.__file__).parent, package)
        program = (
            "import sys\nfrom causal_theory import CausalGraph, DirichletPrior, DisentangledTransformer\n"
            "from causal_theory import InContextTask, train_sgd\n"
            "task = InContextTask(CausalGraph.chain(4), DirichletPrior(3, 0.5))\n"
            "run = train_sgd(task, DisentangledTransformer(4, 3), steps=2, batch_size=4, learning_rate=0.1, rng=0,\n"
            "    checkpoint='c.npz', resume=True, test_size=4, reuse_other_versions=len(sys.argv) > 1)\n"
            "print(len(run.versions))\n"
        )

        def run(*arguments):
            return subprocess.run(
                [sys.executable, "-c", program, *arguments],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
            )

        assert run().stdout == "1\n"
        file = package / "training" / "optimizers.py"
        changed = file.read_text().replace("-= rate * gradient", "+= rate * gradient")
        assert changed != file.read_text()
        file.write_text(changed)
        refused = run()
        assert refused.returncode == 1
        assert "must belong to the same version of the code" in refused.stderr.splitlines()[-1]
        assert run("reuse").stdout == "2\n"


def test_checkpoints_of_the_old_format_are_refused_with_the_reason(tmp_path):
    """Written as releases before did it: settings without a start, under a digest of another salt."""
    path = tmp_path / "run.npz"
    content = {
        "parameters": np.zeros(3),
        "settings": np.frombuffer(json.dumps({"label": "", "training": {"steps": 40}}).encode(), dtype=np.uint8),
    }
    total = hashlib.sha256(b"causal_theory training 1")
    for name in sorted(content):
        total.update(f"{name} {content[name].dtype.str} {content[name].shape}".encode())
        total.update(content[name].tobytes())
    np.savez(path, **content, digest=np.frombuffer(total.digest(), dtype=np.uint8))
    with pytest.raises(
        FileFormatError, match=r"must be of format 2, got .*run\.npz' of format 1, which does not say from"
    ):
        trained(path, {}, resume=True)
