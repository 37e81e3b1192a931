"""Kernels with threads of their own: in which threads and in which processes they run, and what happens elsewhere."""

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numba
import pytest

import causal_theory
from causal_theory import CausalTheoryError
from causal_theory.errors import ForkedProcessError
from causal_theory.kernels import turns
from causal_theory.kernels.threads import get_num_threads

ROOT = Path(causal_theory.__file__).parents[1]
pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks"),
]

KERNELS = """
import numpy as np
from causal_theory.kernels._jit import jit, jit_parallel, prange

@jit_parallel
def total(x):
    out = 0.0
    for i in prange(len(x)):
        out += x[i]
    return out

@jit
def double(x):
    return 2.0 * x

def work(number):
    return float(total(np.full(1000, float(number))))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "kernel_file.py").write_text(KERNELS)
    return folder


PRELUDE = """
import os, signal, sys
os.register_at_fork(before=lambda: print(end=hook(), flush=True), after_in_child=lambda: signal.alarm(120))
hook = str
from kernel_file import *
"""


def run(folder, program, **more):
    """The lines that a fresh process prints. A forked process that waits for ever is ended by an alarm."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program],
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "NUMBA_NUM_THREADS": "2"} | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def layers():
    """The threading layers that this machine has."""
    code = "import numba; numba.get_num_threads()"
    names = ("omp", "tbb", "workqueue")
    return [
        name
        for name in names
        if not subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"NUMBA_THREADING_LAYER": name},
            capture_output=True,
            check=False,
        ).returncode
    ]


@pytest.fixture(scope="module", params=["omp", "tbb", "workqueue"])
def layer(request):
    if request.param not in layers():
        pytest.skip(f"numba has no {request.param} here")
    return request.param


def answer_of_a_child():
    """Words of a forked process, and of a process forked from that one."""
    return """
def said():
    try:
        return str(work(3))
    except RuntimeError as error:
        return type(error).__name__ + (" spawn" if '"spawn"' in str(error) else "")

def fork(depth):
    child = os.fork()
    if child == 0:
        print(said(), double(2.0), flush=True)
        if depth > 1:
            fork(depth - 1)
        os._exit(0)
    print("ended", os.waitpid(child, 0)[1], flush=True)
"""


REFUSED = "ForkedProcessError spawn 4.0"


class TestForkedProcess:
    def test_of_one_that_has_run_kernels(self, folder, layer):
        """Kernels without threads go on in every case; those with threads where numba's layer survives a fork."""
        lines = run(folder, answer_of_a_child() + "print(work(2))\nfork(2)", NUMBA_THREADING_LAYER=layer)
        answer = REFUSED if layer == "omp" and vendor() == "GNU" else "3000.0 4.0"
        assert lines == ["2000.0", answer, answer, "ended 0", "ended 0"]

    def test_of_one_that_has_asked_for_its_threads(self, folder):
        """Asking starts no threads, so both generations below the first may; the one below theirs may not."""
        program = answer_of_a_child() + "from causal_theory.kernels.threads import *\nprint(get_num_threads())\nfork(2)"
        lines = run(folder, program, NUMBA_THREADING_LAYER="workqueue")
        assert lines == ["2", "3000.0 4.0", "3000.0 4.0", "ended 0", "ended 0"]
        if "omp" in layers() and vendor() == "GNU":
            lines = run(folder, program, NUMBA_THREADING_LAYER="omp")
            assert lines == ["2", "3000.0 4.0", REFUSED, "ended 0", "ended 0"]

    @pytest.mark.parametrize("limit", ["numba.set_num_threads(1)", "print(end='')"])
    def test_of_one_thread(self, folder, limit):
        """A single thread does not help GNU OpenMP."""
        if "omp" not in layers() or vendor() != "GNU":
            pytest.skip("numba does not run on GNU OpenMP here")
        program = answer_of_a_child() + f"import numba\nwork(1)\n{limit}\nfork(1)"
        assert run(folder, program, NUMBA_THREADING_LAYER="omp") == [REFUSED, "ended 0"]

    @pytest.mark.parametrize(
        "pool", ["with context.Pool(2) as pool:", "with ProcessPoolExecutor(2, mp_context=context) as pool:"]
    )
    def test_in_a_pool(self, folder, pool):
        """The caller gets the exception instead of waiting for ever."""
        if "omp" not in layers() or vendor() != "GNU":
            pytest.skip("numba does not run on GNU OpenMP here")
        program = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
context = get_context("fork")
{first}
try:
    {pool}
        print(list(pool.map({function}, [1, 2])))
except RuntimeError as error:
    print(type(error).__name__, error)
"""

        def lines(first, function):
            text = program.format(first=first, pool=pool, function=function)
            return run(folder, text, NUMBA_THREADING_LAYER="omp")

        (refused,) = lines("work(0)", "work")
        assert refused.startswith("ForkedProcessError ")
        assert 'get_context("spawn")' in refused
        assert lines("", "work") == ["[1000.0, 2000.0]"]
        assert lines("work(0)", "double") == ["[2.0, 4.0]"]

    def test_edge_scores_go_on(self, folder):
        """They use threads of Python, which begin anew, in parent and child; then the child may start others."""
        program = """
from causal_theory import CausalGraph, InContextTask, PointPrior, edge_scores
task = InContextTask(CausalGraph.chain(30), PointPrior([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]]))
here = edge_scores(task, epsilon=0.01).value
{}
child = os.fork()
if child == 0:
    print((edge_scores(task, epsilon=0.01).value == here).all(), flush=True)
    {}
    os._exit(0)
print("ended", os.waitpid(child, 0)[1])
"""
        assert run(folder, program.format("work(1)", "")) == ["True", "ended 0"]
        assert run(folder, program.format("", "print(work(1), flush=True)")) == ["True", "1000.0", "ended 0"]

    def test_while_another_thread_compiles(self, folder):
        """The fork waits for it. Hooks run in reverse order: the one of `PRELUDE` sees what that of the package did."""
        program = """
import threading
from numba.core.compiler_lock import global_compiler_lock
hook = lambda: f"{global_compiler_lock.is_locked()}\\n"
child = os.fork()
if child == 0:
    thread = threading.Thread(target=double, args=(1.0,))
    thread.start()
    thread.join(100)
    print(thread.is_alive(), flush=True)
    os._exit(0)
status = os.waitpid(child, 0)[1]
print("ended", status, global_compiler_lock.is_locked())
"""
        assert run(folder, program) == ["True", "False", "ended 0 False"]


def vendor():
    from numba.np.ufunc import omppool

    return omppool.openmp_vendor


def test_error_is_one_of_ours_and_travels():
    error = pickle.loads(pickle.dumps(ForkedProcessError("a kernel")))
    assert isinstance(error, CausalTheoryError)
    assert isinstance(error, RuntimeError)
    assert str(error) == "a kernel"


THREADS = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    print(list(pool.map(work, range(200))) == [1000.0 * number for number in range(200)])
"""


class TestThreadsOfPython:
    def test_all_at_once_from_the_first_call_on(self, folder, layer):
        """On the work queue a second caller would end the interpreter."""
        assert run(folder, THREADS, NUMBA_THREADING_LAYER=layer) == ["True"]

    def test_work_queue_by_priority(self, folder):
        program = THREADS + "import numba\nprint(numba.threading_layer())"
        assert run(folder, program, NUMBA_THREADING_LAYER_PRIORITY="workqueue omp tbb") == ["True", "workqueue"]

    def test_compiling_at_once(self, folder, tmp_path):
        """Each thread with a type of its own, nothing on disk."""
        program = """
from concurrent.futures import ThreadPoolExecutor
kinds = [np.float64, np.float32, np.int64, np.int32]
with ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda kind: float(total(np.ones(100, kind))), kinds)))
"""
        settings = {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_CACHE_DIR": str(tmp_path)}
        assert run(folder, program, **settings) == ["[100.0, 100.0, 100.0, 100.0]"]

    def test_limit_belongs_to_the_thread(self, folder, layer):
        program = """
import threading
from causal_theory.kernels.threads import get_num_threads, thread_limit
work(1)
inside, done = threading.Event(), threading.Event()
def limited():
    with thread_limit(1):
        work(1)
        print(get_num_threads(), flush=True)
        inside.set()
        done.wait()
thread = threading.Thread(target=limited)
thread.start()
inside.wait()
print(get_num_threads(), work(2), flush=True)
done.set()
thread.join()
"""
        assert run(folder, program, NUMBA_THREADING_LAYER=layer) == ["1", "2 2000.0"]


class TestTurns:
    """With kernels of Python, whose meeting can be arranged."""

    @pytest.fixture
    def process(self, monkeypatch):
        process = turns._Process()
        monkeypatch.setattr(turns, "_process", process)
        return process

    @pytest.mark.parametrize("layer", ["omp", "tbb", "workqueue"])
    def test_threads_meet_only_where_they_may(self, process, monkeypatch, layer):
        """A second thread comes and goes while the first is in the kernel, or finds that it is not its turn."""
        monkeypatch.setattr(turns, "launched_layer", lambda: layer)
        seen = []

        def kernel(first):
            if first:
                thread = threading.Thread(target=second)
                thread.start()
                thread.join()
            seen.append("first" if first else "second")

        def second():
            if process.turn.acquire(blocking=False):
                process.turn.release()
                run(False)
            else:
                seen.append("not yet")

        kernel.py_func = kernel
        run = turns.taking_turns(kernel)
        run(True)
        assert seen == (["not yet", "first"] if layer == "workqueue" else ["second", "first"])
        assert process.running == 0

    def test_kernel_called_while_a_turn_is_taken(self, process, monkeypatch):
        """As in the handler of a signal, which runs between two lines of the thread that has the turn."""
        monkeypatch.setattr(turns, "launched_layer", lambda: "workqueue")

        def kernel(depth):
            return 1 + run(depth - 1) if depth else 0

        kernel.py_func = kernel
        run = turns.taking_turns(kernel)
        assert run(3) == 3

    def test_a_turn_ends_with_an_exception(self, process, monkeypatch):
        def kernel():
            raise ZeroDivisionError

        kernel.py_func = kernel
        for layer in ("workqueue", "tbb", "omp"):
            monkeypatch.setattr(turns, "launched_layer", lambda layer=layer: layer)
            with pytest.raises(ZeroDivisionError):
                turns.taking_turns(kernel)()
            assert process.turn.acquire(blocking=False)
            process.turn.release()
            assert process.running == 0

    def test_forks_that_the_layers_survive(self, process, monkeypatch):
        def survives(layer):
            monkeypatch.setattr(turns, "launched_layer", lambda: layer)
            return turns._survives_fork()

        assert survives(None)
        assert survives("workqueue")
        assert survives("tbb")
        process.running = 1  # another thread is in the middle of a kernel
        assert not survives("tbb")
        process.running, process.launcher = 0, -1  # another thread has started the threads
        assert not survives("tbb")
        assert survives("workqueue")
        for name, right in (("GNU", False), ("Intel", True)):
            monkeypatch.setitem(sys.modules, "numba.np.ufunc.omppool", type("pool", (), {"openmp_vendor": name}))
            assert survives("omp") is right


def test_asking_for_the_number_of_threads():
    assert get_num_threads() == numba.get_num_threads() == get_num_threads()
