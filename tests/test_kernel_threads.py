"""Threads of kernels: errors, interrupts, calls from several threads, and processes forked at any moment."""

import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

import causal_theory
from causal_theory.at_import import PROCESSORS
from causal_theory.kernels import threads
from causal_theory.kernels.threads import get_num_threads, run_shared, thread_limit

ROOT = Path(causal_theory.__file__).parents[1]


@pytest.fixture
def two(monkeypatch):
    """Two threads, whatever this machine has, and none that was started before."""
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    monkeypatch.setattr(threads, "_helpers", threads._Helpers())


def mark(start, stop, calls):
    calls[start:stop] += 1


@pytest.mark.parametrize("said", ["3", "0", "many", None])
def test_number_is_told_or_that_of_the_processors(monkeypatch, said):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("NUMBA_NUM_THREADS", said)
    assert get_num_threads() == {"3": 3, "0": 1}.get(said, len(PROCESSORS))


class TestShares:
    @pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 1000])
    @pytest.mark.parametrize("least", [1, 5, 10**6])
    def test_every_unit_is_done_once(self, two, count, least):
        calls = np.zeros(count, dtype=int)
        run_shared(mark, count, calls, least=least)
        assert (calls == 1).all()

    def test_the_last_shares_are_small(self, two):
        shares = []
        run_shared(lambda start, stop: shares.append(stop - start), 1000)
        ordered = sorted(shares, reverse=True)
        assert sum(shares) == 1000
        assert ordered[0] == 250
        assert ordered[-1] <= 63
        assert len(shares) <= 16

    def test_two_threads_meet(self, two):
        """Each waits for the other, so that one alone would wait for ever."""
        meeting = threading.Barrier(2, timeout=100)
        names = []

        def kernel(start, _):
            if start < 3:  # the first two shares are 0 .. 2 and 2 .. 3
                names.append(threading.current_thread().name)
                meeting.wait()

        run_shared(kernel, 8)
        assert len(set(names)) == 2

    @pytest.mark.parametrize(("count", "options"), [(1, {}), (64, {"least": 33}), (0, {})])
    def test_little_work_stays_in_the_calling_thread(self, two, count, options):
        seen = []
        run_shared(lambda start, stop: seen.append((threading.get_ident(), start, stop)), count, **options)
        assert seen == [(threading.get_ident(), 0, count)]

    def test_one_thread(self, two):
        seen = set()
        with thread_limit(1):
            run_shared(lambda *_: seen.add(threading.get_ident()), 100)
        assert seen == {threading.get_ident()}


class TestErrors:
    @pytest.mark.parametrize("where", ["the calling thread", "a helper"])
    def test_reach_the_caller_when_nothing_runs_any_more(self, two, where):
        here, meeting = threading.get_ident(), threading.Barrier(2, timeout=100)
        running = []

        def kernel(start, _):
            running.append(start)
            if start < 3:
                meeting.wait()
                if (threading.get_ident() == here) == (where == "the calling thread"):
                    running.remove(start)
                    raise KeyboardInterrupt(where)
            running.remove(start)

        with pytest.raises(KeyboardInterrupt, match=where):
            run_shared(kernel, 8)
        assert running == []
        calls = np.zeros(100, dtype=int)
        run_shared(mark, 100, calls)  # the helper is still there
        assert (calls == 1).all()
        assert threads._helpers._threads == 1


class TestCallsFromSeveralThreads:
    def test_each_gets_its_own(self, two):
        found = {}

        def work(number):
            calls = np.zeros(50, dtype=int)
            for _ in range(100):
                run_shared(mark, 50, calls)
            found[number] = calls

        callers = [threading.Thread(target=work, args=(number,)) for number in range(5)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert len(found) == 5
        assert all((calls == 100).all() for calls in found.values())

    def test_a_busy_helper_is_not_waited_for(self, two):
        """The only helper is held up by one call while another one is made."""
        entered, leave = threading.Event(), threading.Event()
        caller = threading.current_thread()

        def slow(*_):
            if threading.current_thread() is not first:
                entered.set()
            leave.wait(100)

        first = threading.Thread(target=run_shared, args=(slow, 2))
        first.start()
        assert entered.wait(100)
        seen, array = set(), np.zeros(8)
        run_shared(lambda *_: seen.add(threading.current_thread()), 8, array)
        assert seen == {caller}
        kept = weakref.ref(array)
        del array
        assert kept() is None  # the helper, which will come to this call later, does not hold it
        leave.set()
        first.join()

    def test_limit_belongs_to_the_thread(self, two):
        seen = []
        with thread_limit(1):
            thread = threading.Thread(target=lambda: seen.append(get_num_threads()))
            thread.start()
            thread.join()
            assert get_num_threads() == 1
            with thread_limit(2):
                assert get_num_threads() == 2
            with thread_limit(None):
                assert get_num_threads() == 1
        assert seen == [2]
        assert get_num_threads() == 2

    def test_no_more_than_there_are(self, two):
        with thread_limit(10**6):
            assert get_num_threads() == 2


PRELUDE = """
import os, signal, sys, threading
os.register_at_fork(before=lambda: print(end=hook(), flush=True), after_in_child=lambda: signal.alarm(120))
hook = str
import numpy as np
from causal_theory import CausalGraph, DirichletPrior, InContextTask, ReducedTransformer, train_sgd
task = InContextTask(CausalGraph.chain(4), DirichletPrior(2, 1.0))
model = ReducedTransformer(np.zeros((4, 4)), np.zeros((2, 2)), 0.1)
def work(seed):
    run = train_sgd(task, model, rng=seed, steps=2, batch_size=512, learning_rate=0.1, test_size=512, progress=False)
    return run.model.parameters.tobytes().hex()
"""


def run(program, **more):
    """The lines that a fresh process prints. A forked process that waits for ever is ended by an alarm."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program],
        env=os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "2"} | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


FORK = """
def fork(depth):
    child = os.fork()
    if child == 0:
        print(work(3) == here, threading.active_count() > 1, flush=True)
        if depth > 1:
            fork(depth - 1)
        os._exit(0)
    print("ended", os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.compiled
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
class TestForkedProcesses:
    def test_go_on(self):
        """So do those forked from them, with threads of their own; all compute what the first process did."""
        assert run(FORK + "here = work(3)\nfork(2)\nprint(work(3) == here)") == [
            "True True",
            "True True",
            "ended 0",
            "ended 0",
            "True",
        ]

    def test_forked_while_another_thread_runs_a_kernel(self):
        program = """
stop = threading.Event()
def again():
    while not stop.is_set():
        work(1)
here = work(3)
thread = threading.Thread(target=again)
thread.start()
for _ in range(5):
    fork(1)
stop.set()
thread.join()
"""
        assert run(FORK + program) == ["True True", "ended 0"] * 5

    @pytest.mark.parametrize(
        "pool", ["with context.Pool(2) as pool:", "with ProcessPoolExecutor(2, mp_context=context) as pool:"]
    )
    def test_in_a_pool(self, pool):
        program = f"""
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
context = get_context("fork")
here = [work(1), work(2)]
{pool}
    print(list(pool.map(work, [1, 2])) == here)
"""
        assert run(program) == ["True"]

    def test_while_another_thread_compiles(self):
        """The fork waits for it. Hooks run in reverse order: the one of `PRELUDE` sees what that of the package did."""
        program = """
from numba.core.compiler_lock import global_compiler_lock
import causal_theory.kernels.gth
hook = lambda: f"{global_compiler_lock.is_locked()}\\n"
child = os.fork()
if child == 0:
    thread = threading.Thread(target=work, args=(1,))
    thread.start()
    thread.join(100)
    print(thread.is_alive(), flush=True)
    os._exit(0)
status = os.waitpid(child, 0)[1]
print("ended", status, global_compiler_lock.is_locked())
"""
        assert run(program) == ["True", "False", "ended 0 False"]


@pytest.mark.compiled
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_threads_of_numba_are_not_used(layer):
    program = """
from concurrent.futures import ThreadPoolExecutor
import numba
with ThreadPoolExecutor(4) as pool:
    found = list(pool.map(work, [1] * 20))
print(len(set(found)))
try:
    print(numba.threading_layer())
except ValueError:
    print("never launched")
"""
    assert run(program, NUMBA_THREADING_LAYER=layer) == ["1", "never launched"]
