"""Compiling ahead: it is complete, nothing is compiled afterwards, and what ends it early leaves no half file."""

import os
import pickle
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from causal_theory import warm_up
from causal_theory.errors import OutputError
from causal_theory.kernels import cache, inventory

from .helpers import PATIENCE, wait_until

pytestmark = pytest.mark.compiled

COMMAND = [sys.executable, "-c", "from causal_theory.cli import main; main()", "warm-up"]
LISTS = "from causal_theory.kernels.inventory import missing_kernels; print(missing_kernels())"

CALLS = """
import numpy as np
import causal_theory as ct
from causal_theory.dynamics import Stage1, convergence_times
from causal_theory.information import pairwise_information

matrix = [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.3, 0.6]]
tree, long = ct.CausalGraph.binary_tree(7), ct.CausalGraph.random_forest(300, 0.2, rng=1)
wide = ct.CausalGraph.binary_tree_and_previous(6)
task, dirichlet = ct.InContextTask(tree, ct.OrbitPrior(matrix)), ct.InContextTask(tree, ct.DirichletPrior(3, 0.5))
several = ct.InContextTask(wide, ct.DirichletPrior(3, 0.5))

for one in (task, dirichlet):
    for method in ("transform", "enumerate"):
        scores = ct.edge_scores(one, epsilon=0.05, method=method, draws=2, rng=0)
    for measure in ("chi2", "kl", "tv", "hellinger"):
        pairwise_information(one, measure, draws=2, rng=0)
ct.edge_scores(ct.InContextTask(long, ct.OrbitPrior(matrix)), epsilon=0.05)
for measure in ("chi2", "kl"):
    ct.pairwise_information(several, measure, draws=2, rng=0)
    ct.subset_informations(several, 5, 2, measure=measure, draws=2, rng=0)
ct.pairwise_joint(several, draws=2, rng=0)
parents_first = ct.CausalGraph([*[()] * 12, *[(i, (i + 1) % 12) for i in range(12)], ()])  # a wide frontier
ct.pairwise_information(ct.InContextTask(parents_first, ct.DirichletPrior(3, 0.5)), "chi2", draws=2, rng=0)
ct.limit_edge_scores(task)
ct.check_assumptions(dirichlet.prior, draws=5, rng=0)
ct.recover_graph(scores)
A1, A2 = np.zeros((7, 7)), np.eye(3)
for method in ("enumerate", "monte_carlo"):
    for scale in (1.0, 1e4):
        ct.population_loss(task, A1, scale * A2, epsilon=0.1, method=method, samples=20, rng=0)
        ct.population_gradient(task, A1, scale * A2, epsilon=0.1, method=method, samples=20, rng=0)
ct.parent_attention_gradient(task, A2, epsilon=0.1)
ct.excess_loss(task, A2, epsilon=0.1)
ct.prediction_error(task, A1, A2, samples=20, rng=0)
ct.parent_attention_gradient(several, np.stack([A2, A2]), epsilon=0.1, draws=2, rng=0)
ct.train_population(task, epsilon=0.1, stage1=Stage1(steps=5), stage2=ct.Stage2(steps=2))
for method in ("flow", "exact"):
    ct.train_population(task, epsilon=0.1, stage1=Stage1(steps=5, method=method), stage2=ct.Stage2(steps=2))
convergence_times(ct.edge_scores(task, epsilon=0.05), tree)
for model in (ct.DisentangledTransformer(7, 3, heads=(1, 1)), ct.ReducedTransformer(A1, A2, 0.1)):
    for prior in (ct.OrbitPrior(matrix), ct.DirichletPrior(3, 0.3), ct.PointPrior(matrix)):
        ct.train_sgd(
            ct.InContextTask(tree, prior), model, steps=2, batch_size=4, test_size=8, learning_rate=0.1, rng=0
        )
model = ct.DisentangledTransformer(6, 3, heads=(2, 1))
for one in (several, ct.InContextTask(wide, ct.PointPrior({1: matrix, 2: np.full((3, 3, 3), 1 / 3)}))):
    ct.train_sgd(one, model, steps=2, batch_size=4, test_size=8, learning_rate=0.1, rng=0)

from causal_theory.kernels.inventory import _caches
found = [one._kernel.stats for one in _caches()]
print(sum(sum(one.cache_hits.values()) for one in found))
print([one._kernel.__name__ for one in _caches() if one._kernel.stats.cache_misses])
"""


def environment(folder, **more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("NUMBA_CACHE", cache.SAID))}
    return kept | {"NUMBA_CACHE_DIR": str(folder), "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"} | more


def run(command, folder, *, more=None, **options):
    variables = environment(folder, **(more or {}))
    return subprocess.run(
        command, env=variables, capture_output=True, text=True, check=False, timeout=PATIENCE, **options
    )


def kernel_files(folder):
    return sorted(folder.rglob("*.kernel"))


@pytest.fixture(scope="module")
def warmed(tmp_path_factory):
    """A folder that was empty, and what a script says that fills it: one without a guard for new processes."""
    folder = tmp_path_factory.mktemp("warmed")
    script = folder / "script.py"
    script.write_text("import causal_theory\nprint(causal_theory.warm_up())\n")
    return folder, run([sys.executable, str(script)], folder / "cache")


@pytest.mark.slow
class TestAll:
    def test_is_complete(self, warmed):
        folder, done = warmed
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(inventory._caches())}\n", "")
        assert run([sys.executable, "-c", LISTS], folder / "cache").stdout == "[]\n"
        assert not list(folder.rglob("*.tmp"))

    def test_nothing_is_left_to_do(self, warmed):
        done = run(COMMAND, warmed[0] / "cache")
        assert (done.returncode, done.stdout, done.stderr) == (0, "nothing to compile\n", "")

    def test_afterwards_nothing_is_compiled(self, warmed):
        """By public calls on other graphs, lengths, priors and numbers of symbols."""
        done = run([sys.executable, "-c", CALLS], warmed[0] / "cache")
        assert done.returncode == 0, done.stderr
        loaded, compiled = done.stdout.splitlines()
        assert int(loaded) >= 20
        assert compiled == "[]"


def test_a_removed_file_is_noticed(tmp_path, monkeypatch):
    one = inventory._caches()[0]
    monkeypatch.setattr(one, "_readable", [tmp_path])
    assert one.title in inventory.missing_kernels()
    (tmp_path / one._own.replace("*", "types")).touch()
    assert one.title not in inventory.missing_kernels()


@pytest.fixture
def compiling(tmp_path):
    """The command while its processes work in an empty folder, and their numbers."""
    with subprocess.Popen(
        COMMAND, env=environment(tmp_path / "cache"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            process.kill()
            pytest.skip("this system does not list children")
        try:
            wait_until(lambda: kernel_files(tmp_path / "cache") or process.poll() is not None)
            yield process, [int(word) for word in children.read_text().split()]
        finally:
            process.kill()


def gone(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def assert_whole(folder):
    for path in kernel_files(folder):
        assert pickle.loads(path.read_bytes()[64:])


def test_ctrl_c(compiling, tmp_path):
    process, others = compiling
    assert others
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, told) == (130, "", "interrupted; what has been compiled is kept\n")
    wait_until(lambda: all(map(gone, others)))
    assert_whole(tmp_path)


def test_one_is_killed(compiling, tmp_path):
    process, others = compiling
    os.kill(others[-1], signal.SIGKILL)
    out, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (2, "")
    assert " ".join(told.split()) == "error: a process that compiles must not end early, got exit status -9"
    wait_until(lambda: all(map(gone, others)))
    assert_whole(tmp_path)


def test_the_one_that_asks_is_killed(compiling, tmp_path):
    process, others = compiling
    process.kill()
    wait_until(lambda: all(map(gone, others)))
    assert_whole(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    # Kernels beside the sources would do as well: none is there for this machine.
    done = run(COMMAND, tmp_path / "file" / "cache", more={"NUMBA_CPU_NAME": "generic"})
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"error: compiled kernels must be kept on disk, got: .*NUMBA_CACHE_DIR.*\n", done.stderr)


def test_a_full_disk(tmp_path):
    """No file may grow beyond a kilobyte."""
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # noqa: E731
    done = run(COMMAND, tmp_path / "cache", preexec_fn=full)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"error: compiled kernels cannot be kept on disk.*File too large.*\n", done.stderr)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_processes_that_do_not_start(tmp_path, monkeypatch):
    monkeypatch.setattr(inventory._caches()[0], "is_kept", lambda: False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(OutputError, match=r"must be able to start, got: .*No such file"):
        warm_up()


def test_bad_input():
    with pytest.raises(ValueError, match="processes must be"):
        warm_up(processes=0)


def test_why_not_kept_is_an_error_of_output(monkeypatch):
    one = inventory._caches()[0]
    monkeypatch.setattr(one, "is_kept", lambda: False)
    monkeypatch.setattr(one, "_folder", "no place")
    with pytest.raises(OutputError, match="got: no place"):
        warm_up()
