"""Edge scores in units of lanes and rows: whoever computes them, the result is the same to the last bit."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    edge_scores_on,
)
from causal_theory.errors import InvalidArgumentError, OutputError
from causal_theory.kernels.threads import get_num_threads, thread_limit
from causal_theory.population import array_files
from causal_theory.population import lanes as lanes_module
from causal_theory.population import transform as transform_module
from causal_theory.population.lanes import row_blocks
from causal_theory.population.splitting import split_forest, split_rows
from causal_theory.testing import forests, tasks

FAMILIES = ["chain", "pairs", "star", "binary_tree"]


def matrix(size, seed=0):
    return np.random.default_rng([seed, size]).dirichlet(np.full(size, 0.7), size=size)


def point_task(family="binary_tree", length=80, size=3):
    return InContextTask(getattr(CausalGraph, family)(length), PointPrior(matrix(size)))


def same(one, other):
    assert one.method == other.method
    for left, right in ((one.value, other.value), (one.error, other.error)):
        assert np.asarray(left).tobytes() == np.asarray(right).tobytes()


@pytest.fixture
def cut(monkeypatch):
    """Cut short sequences as if they were long: several blocks of rows, several units, small pieces."""
    monkeypatch.setattr(lanes_module, "BLOCK_ENTRIES", 1500)
    monkeypatch.setattr(lanes_module, "SERIAL_WORK", 0)
    monkeypatch.setattr(transform_module, "PIECE_PER_SYMBOL", 2)
    monkeypatch.setattr(transform_module, "CACHED_ENTRIES", 300)
    lanes_module.reciprocal_lanes.cache_clear()
    yield
    lanes_module.reciprocal_lanes.cache_clear()


@pytest.fixture(scope="module")
def cut_finely():
    """The same for sequences short enough to enumerate."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (lanes_module, "BLOCK_ENTRIES", 8),
            (lanes_module, "SERIAL_WORK", 0),
            (transform_module, "PIECE_PER_SYMBOL", 1),
            (transform_module, "PRUNE_FROM", 0),
            (transform_module, "CACHED_ENTRIES", 5),
        ):
            patch.setattr(module, name, value)
        lanes_module.reciprocal_lanes.cache_clear()
        yield
    lanes_module.reciprocal_lanes.cache_clear()


class Recording(Executor):
    """Runs nothing until it is asked for a result, and remembers what it was given."""

    def __init__(self, fail_at=None, error=None):
        self.futures, self.fail_at, self.error, self.most = [], fail_at, error, 0

    def submit(self, function, /, *arguments):
        future = Future()
        number = len(self.futures)

        def result(timeout=None):
            if number == self.fail_at:
                raise self.error
            if not future.done():
                future.set_result(function(*arguments))
            return Future.result(future, timeout)

        future.result = result
        self.futures.append(future)
        self.most = max(self.most, sum(not one.done() for one in self.futures))
        return future


class Late(ThreadPoolExecutor):
    """Finishes in another order than it was asked, and hands over arrays that cannot be written, as some do."""

    def submit(self, function, /, *arguments):
        delay = np.random.default_rng().uniform(0.0, 0.01)

        def late():
            time.sleep(delay)
            result = function(*arguments)
            for array in result:
                array.setflags(write=False)
            return result

        return super().submit(late)


class TestBlocksOfRows:
    @given(length=st.integers(2, 50_000))
    def test_cover_every_row_once_within_the_limit(self, length):
        blocks = row_blocks(length)
        assert blocks[0][0] == 0
        assert blocks[-1][1] == length
        assert all(one[1] == other[0] for one, other in pairwise(blocks))
        assert all(first < last for first, last in blocks)
        # The first block is a triangle in a square: twice the area of the others, and within the limit.
        assert max((last - first) * last for first, last in blocks) <= lanes_module.BLOCK_ENTRIES + 2 * length

    @given(graph=forests(min_length=12, max_length=40), limit=st.integers(1, 4), cuts=st.sets(st.integers(1, 11)))
    def test_every_pair_is_in_one_block(self, graph, limit, cuts):
        """The pairs of the jobs of all blocks are the pairs of all jobs, each in the block of its later position."""

        def pairs(products):
            for y0, y1, x0, x1 in products.bounds.tolist():
                for y in products.positions[y0:y1].tolist():
                    yield from (tuple(sorted((x, y))) for x in products.positions[x0:x1].tolist())

        whole = split_forest(graph, limit)
        ends = [0, *sorted(cuts), graph.length]
        for which in ("across_trees", "across_branches"):
            found = []
            for first, last in pairwise(ends):
                some = list(pairs(getattr(split_rows(graph, limit, first, last), which)))
                assert all(first <= later < last for _, later in some)
                found += some
            assert sorted(found) == sorted(pairs(getattr(whole, which)))

    @given(graph=forests(min_length=12, max_length=40), first=st.integers(0, 6), rows=st.integers(1, 6))
    def test_walks_lead_to_every_job(self, graph, first, rows):
        """Each step starts where an earlier one of its walk ended, and no position of a job is left out."""
        part = split_rows(graph, 2, first, first + rows)
        jobs = part.across_branches
        for k, (start, end) in enumerate(pairwise(part.walk_starts.tolist())):
            reached, held = set(), {}
            for v, w, _, slot, source_slot in part.walk[start:end].tolist():
                assert w < 0 or held[source_slot] == w
                reached.add(v)
                held[slot] = v
            for y0, y1, x0, x1 in jobs.bounds[jobs.groups[k] : jobs.groups[k + 1]].tolist():
                assert {*jobs.positions[y0:y1].tolist(), *jobs.positions[x0:x1].tolist()} <= reached

    @given(graph=forests(min_length=2, max_length=60))
    def test_slots_grow_like_a_logarithm(self, graph):
        splitting = split_forest(graph, 1)
        assert splitting.slots <= np.log2(graph.length) + 1

    def test_a_chain_needs_two_vectors(self):
        assert split_forest(CausalGraph.chain(500), 4).slots == 2

    def test_a_spine_with_legs(self):
        """The legs come first: a walk that left them for later would keep a vector for every position of the spine."""
        parents = [-1, 0, *(v - 2 + v % 2 for v in range(2, 400))]  # even: the spine, odd: a leg
        assert split_forest(CausalGraph.from_parents(parents), 4).slots <= 3


@pytest.mark.usefixtures("cut_finely")
class TestCutFinely:
    @given(task=tasks(max_length=8, max_size=3), epsilon=st.sampled_from([1e-4, 0.1, 10.0]))
    def test_equals_the_enumeration(self, task, epsilon):
        assert len(row_blocks(8)) == 8
        fast = edge_scores(task, epsilon=epsilon)
        slow = edge_scores(task, epsilon=epsilon, method="enumerate")
        assert (np.abs(fast.value - slow.value) <= fast.error + slow.error).all()

    @pytest.mark.parametrize("family", FAMILIES)
    def test_executor_changes_nothing(self, family):
        task = point_task(family, 12)
        with ThreadPoolExecutor(3) as pool:
            same(edge_scores_on(pool, task, epsilon=0.1), edge_scores(task, epsilon=0.1))

    def test_in_short(self):
        task, asked = point_task("chain", 200), []

        class Recorded(ThreadPoolExecutor):
            def submit(self, function, /, *arguments, **names):
                asked.append(function)
                return super().submit(function, *arguments, **names)

        with Recorded(2) as pool:
            same(edge_scores(task, epsilon=0.1, executor=pool), edge_scores(task, epsilon=0.1))
            assert asked
            with pytest.raises(InvalidArgumentError, match="executor must come with method='transform'"):
                edge_scores(task, epsilon=0.1, executor=pool, method="enumerate")
        with pytest.raises(InvalidArgumentError, match="executor must"):
            edge_scores(task, epsilon=0.1, executor=5)


@pytest.mark.compiled
@pytest.mark.usefixtures("cut")
class TestSameToTheLastBit:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_blocks_are_close_to_the_whole(self, family):
        """Against one block of rows on one thread, where sums are formed in another order."""
        task = point_task(family)
        several = edge_scores(task, epsilon=0.02)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lanes_module, "BLOCK_ENTRIES", 2**24)
            whole = edge_scores(task, epsilon=0.02)
        assert np.abs(several.value - whole.value).max() < 1e-14

    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("workers", [1, 2, 5])
    def test_threads(self, family, workers):
        task = point_task(family)
        local = edge_scores(task, epsilon=0.02)
        with ThreadPoolExecutor(workers) as pool:
            same(edge_scores_on(pool, task, epsilon=0.02), local)

    @pytest.mark.parametrize("window", [1, 2, 1000])
    def test_order_of_completion_and_window(self, window):
        task = point_task()
        with Late(4) as pool:
            same(edge_scores_on(pool, task, epsilon=0.02, in_flight=window), edge_scores(task, epsilon=0.02))

    @pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="this machine gives numba a single thread")
    def test_number_of_local_threads(self):
        found = []
        for threads in (1, 2):
            with thread_limit(threads):
                found.append(edge_scores(point_task("chain", 200, 5), epsilon=0.01))
        same(*found)

    @pytest.mark.compiled
    @pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads are not bound here")
    @pytest.mark.parametrize("binding", ["true", "close", "false"])
    def test_local_threads_use_all_processors(self, binding):
        """OpenMP may bind the first thread to one processor, and those that it starts would share that one."""
        code = (
            "import os, numba, numpy as np\n"
            "from causal_theory.population.work_items import Workers, in_order\n"
            "@numba.njit(parallel=True)\n"
            "def start(x):\n"
            "    for i in numba.prange(len(x)):\n"
            "        x[i] += 1.0\n"
            "before = os.sched_getaffinity(0)\n"
            "start(np.zeros(1000))\n"
            "found = list(in_order(lambda _: os.sched_getaffinity(0), range(4), Workers(None, 8)))\n"
            "print(all(one == before for one in found), os.sched_getaffinity(0) == before)\n"
        )
        environment = os.environ | {"OMP_PROC_BIND": binding, "NUMBA_THREADING_LAYER": "omp", "NUMBA_NUM_THREADS": "2"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        everywhere, unbound = done.stdout.split()
        assert everywhere == "True", done.stderr
        if binding == "false":
            assert unbound == "True"

    @pytest.mark.slow
    def test_processes(self):
        """New interpreters that share nothing with this one: all they know of the cuts comes with the units."""
        context = multiprocessing.get_context("spawn")
        cases = [point_task(), point_task("chain", 150, 2)]
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            for task in cases:
                same(edge_scores_on(pool, task, epsilon=0.02), edge_scores(task, epsilon=0.02))

    @pytest.mark.slow
    def test_dask(self):
        distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
            distributed.Client(cluster) as client,
        ):
            found = edge_scores_on(client.get_executor(), point_task(), epsilon=0.02)
        same(found, edge_scores(point_task(), epsilon=0.02))

    @pytest.mark.parametrize(
        "prior", [PointPrior(matrix(2)), OrbitPrior(matrix(3)), DirichletPrior(2, 0.5), DirichletPrior(3, 1.0)]
    )
    def test_every_prior_and_file(self, prior, tmp_path):
        task = InContextTask(CausalGraph.random_forest(60, 0.1, np.random.default_rng(4)), prior)
        options = {"epsilon": 0.05, "draws": 4, "rng": 7}
        local = edge_scores(task, **options)
        with ThreadPoolExecutor(3) as pool:
            same(edge_scores_on(pool, task, **options), local)
            same(edge_scores_on(pool, task, out=tmp_path / "scores.npy", **options), local)
        same(edge_scores_on(None, task, out=tmp_path / "scores.npy", **options), local)


@pytest.mark.usefixtures("cut")
class TestWindowAndFailure:
    def test_no_more_than_the_window_is_under_way(self):
        pool = Recording()
        same(edge_scores_on(pool, point_task(), epsilon=0.02, in_flight=3), edge_scores(point_task(), epsilon=0.02))
        assert pool.most == 3
        assert len(pool.futures) > 6

    @pytest.mark.parametrize("error", [RuntimeError("a worker died"), ConnectionError("gone"), KeyboardInterrupt()])
    @pytest.mark.parametrize("fail_at", [0, 3])
    def test_failure_cancels_what_waits_and_leaves_no_file(self, error, fail_at, tmp_path):
        pool = Recording(fail_at, error)
        before = tmp_path / "scores.npy"
        before.write_bytes(b"what was there")
        with pytest.raises(type(error)) as caught:
            edge_scores_on(pool, point_task(), epsilon=0.02, in_flight=4, out=before)
        assert caught.value is error
        assert all(future.cancelled() for future in pool.futures[fail_at:])
        assert [path.name for path in tmp_path.iterdir()] == ["scores.npy"]
        assert before.read_bytes() == b"what was there"

    def test_failing_unit_on_the_threads_of_this_process(self, monkeypatch):
        """The error comes through, and units that have not begun never do."""
        begun = []

        def broken(unit):
            begun.append(unit)
            raise MemoryError("no room")

        monkeypatch.setattr(transform_module, "item_sums", broken)
        with pytest.raises(MemoryError, match="no room"):
            edge_scores(point_task(), epsilon=0.02)
        assert len(begun) <= 2 * get_num_threads() + 1
        assert threading.active_count() < 50

    def test_worker_gets_no_more_than_it_needs(self):
        """The parents, a matrix, some lanes: far less than one row of the result for each."""
        import pickle

        sent = []

        class Pool(ThreadPoolExecutor):
            def submit(self, function, /, *arguments):
                sent.append(len(pickle.dumps((function, *arguments))))
                return super().submit(function, *arguments)

        with Pool(1) as pool:
            edge_scores_on(pool, point_task("chain", 200, 2), epsilon=0.02)
        assert len(sent) > 10
        assert max(sent) < 8000


@pytest.mark.usefixtures("cut")
class TestFiles:
    def test_read_only_maps_of_two_files(self, tmp_path):
        scores = edge_scores_on(None, point_task(), epsilon=0.02, out=str(tmp_path / "a.b.npy"))
        assert isinstance(scores.value, np.memmap)
        assert isinstance(scores.error, np.memmap)
        assert not scores.value.flags.writeable
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.b.error.npy", "a.b.npy"]
        same(scores, edge_scores(point_task(), epsilon=0.02))
        assert np.load(tmp_path / "a.b.npy").tobytes() == scores.value.tobytes()

    def test_old_files_stay_until_the_end(self, tmp_path):
        """A map of the old file keeps its content when the new one takes its name."""
        path = tmp_path / "x.npy"
        old = edge_scores_on(None, point_task("chain"), epsilon=0.02, out=path)
        kept = old.value.copy()
        path.chmod(0o640)
        seen = []

        class Pool(ThreadPoolExecutor):
            def submit(self, *arguments):
                seen.append(np.load(path))
                return super().submit(*arguments)

        with Pool(2) as pool:
            new = edge_scores_on(pool, point_task("pairs"), epsilon=0.02, out=path)
        assert all(np.array_equal(one, kept) for one in seen)
        assert np.array_equal(old.value, kept)
        assert not np.array_equal(new.value, kept)
        assert path.stat().st_mode & 0o777 == 0o640

    @pytest.mark.parametrize(
        ("name", "error", "message"),
        [
            ("x.txt", InvalidArgumentError, r"out must be a path that ends in \.npy, got '.*x\.txt'"),
            ("x", InvalidArgumentError, r"out must be a path that ends in \.npy"),
            (7, InvalidArgumentError, r"out must be a path that ends in \.npy, got 7"),
            ("none/x.npy", OutputError, r"out must be in a folder that exists and can be written, got '.*none/x\.npy'"),
            ("folder.npy", OutputError, r"out must be a plain file, got the folder '.*folder\.npy'"),
        ],
    )
    def test_refused(self, name, error, message, tmp_path):
        (tmp_path / "folder.npy").mkdir()
        out = tmp_path / name if isinstance(name, str) else name
        with pytest.raises(error, match=message) as caught:
            edge_scores_on(None, point_task(), epsilon=0.02, out=out)
        assert isinstance(caught.value, ValueError)
        assert [path.name for path in tmp_path.iterdir()] == ["folder.npy"]

    def test_full_disk(self, tmp_path, monkeypatch):
        """The space is asked for before the work begins."""

        def full(name, shape):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(array_files, "_map", full)
        monkeypatch.setattr(transform_module, "item_sums", None)
        with pytest.raises(OutputError, match=r"out must be a file that can be written, got .*No space left"):
            edge_scores_on(None, point_task(), epsilon=0.02, out=tmp_path / "x.npy")
        assert not list(tmp_path.iterdir())


class TestBadArguments:
    @pytest.mark.parametrize("executor", [7, "threads", object()])
    def test_executor_without_submit(self, executor):
        with pytest.raises(InvalidArgumentError, match="executor must have a method submit, got "):
            edge_scores_on(executor, point_task(), epsilon=0.02)

    @pytest.mark.parametrize("window", [0, -1, 1.5, None])
    def test_window(self, window):
        with pytest.raises(InvalidArgumentError, match="in_flight must be an integer of at least 1"):
            edge_scores_on(None, point_task(), epsilon=0.02, in_flight=window)
