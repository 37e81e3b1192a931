"""Kernels that are interpreted while they have no code on disk compute the same numbers as compiled ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import PointPrior, edge_scores, kernels
from causal_theory.chains import stationary_distribution
from causal_theory.kernels import interpreted
from causal_theory.population import work_items
from causal_theory.population.lanes import reciprocal_lanes
from causal_theory.testing import forests, tasks, transition_matrices
from tests.helpers import assert_close

from .test_package import COUNT_SIGNATURES, run_python

pytestmark = pytest.mark.compiled


def compiled_and_interpreted(kernel, *arguments):
    """Return what both ways give, results and arrays that are written to."""
    copies = [np.copy(one) if isinstance(one, np.ndarray) else one for one in arguments]
    found = interpreted._plain(kernel)(*copies)
    return (kernel(*arguments), arguments), (found, copies)


class TestSameBits:
    @given(
        graph=forests(max_length=12),
        pi=transition_matrices(max_size=4, zeros=True),
        epsilon=st.sampled_from([1e-300, 1e-6, 0.01, 10.0]),
    )
    def test_scores_of_small_forests(self, graph, pi, epsilon):
        lanes = reciprocal_lanes(epsilon, graph.length, len(pi))
        laid_out = (lanes.symbols, lanes.nodes, lanes.weights)
        root_law = np.full(len(pi), 1.0 / len(pi))
        arguments = (graph.parent_array[:-1], pi, root_law, laid_out, lanes.pair_blocks)
        (one, _), (other, _) = compiled_and_interpreted(kernels.small_forest.small_tilted_sums, *arguments)
        for mine, others in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, others)

    @given(
        size=st.integers(2, 6),
        seed=st.integers(0, 999),
        exponent=st.sampled_from([-1, -20, -160, -300]),
        transient=st.booleans(),
    )
    def test_stationary_laws(self, size, seed, exponent, transient):
        """With the plain elimination and with scaled numbers, with symbols outside the closed class and without."""
        generator = np.random.default_rng(seed)
        matrices = 10.0 ** generator.uniform(exponent, 0.0, (3, size, size))
        recurrent = np.ones((3, size), dtype=np.bool_)
        recurrent[:, 0] = not transient
        laws = np.empty((3, size))
        (_, one), (_, other) = compiled_and_interpreted(kernels.gth.stationary_laws, matrices, recurrent, laws)
        np.testing.assert_array_equal(one[2], other[2])
        assert_close(other[2].sum(axis=1), np.ones(3), rtol=1e-14)


FIVE_LINES = """
from causal_theory import CausalGraph, EdgeReport, InContextTask, OrbitPrior, edge_scores
prior = OrbitPrior([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]])
task = InContextTask(CausalGraph.binary_tree(20), prior)
scores = edge_scores(task, epsilon=0.01)
print(EdgeReport(scores, task.graph).exact_match, scores.value.tobytes().hex(), sum(signatures().values()))
"""


class TestWhen:
    def test_first_answers_wait_for_no_compiler(self, tmp_path):
        """The example of the README, on a machine without compiled kernels and on one that has them."""
        ahead = "from causal_theory.kernels import interpreted; interpreted.compile_always = True\n"
        folder = {"NUMBA_CACHE_DIR": str(tmp_path)}
        runs = [run_python("-c", COUNT_SIGNATURES + text, **folder) for text in (FIVE_LINES, ahead + FIVE_LINES)]
        runs.append(run_python("-c", COUNT_SIGNATURES + FIVE_LINES, **folder))
        matches, numbers, kernels_used = zip(*map(str.split, runs), strict=True)
        assert set(matches) == {"True"}
        assert len(set(numbers)) == 1
        assert kernels_used[0] == "0"
        assert "0" not in kernels_used[1:]

    @pytest.fixture
    def kernel(self, monkeypatch):
        """A kernel that has no code anywhere."""

        class Kernel:
            overloads = ()
            _cache = type("Cache", (), {"is_kept": staticmethod(lambda: False)})

            def __call__(self, text):
                return f"compiled {text}"

        monkeypatch.setattr(interpreted, "_plain", lambda _: "interpreted {}".format)
        monkeypatch.setattr(interpreted, "_done", {})
        return Kernel()

    def test_much_work_is_worth_compiling(self, kernel):
        half = interpreted.MOST_OPERATIONS // 2
        found = [interpreted.run_kernel(kernel, half, "sums") for _ in range(3)]
        assert found == ["interpreted sums", "interpreted sums", "compiled sums"]
        assert interpreted.run_kernel(kernel, 2 * half + 2, "sums") == "compiled sums"

    @pytest.mark.parametrize("code", ["loaded", "on disk", "wanted"])
    def test_code_that_is_there_is_used(self, kernel, monkeypatch, code):
        if code == "loaded":
            kernel.overloads = ("one",)
        elif code == "on disk":
            kernel._cache.is_kept = lambda: True
        else:
            monkeypatch.setattr(interpreted, "compile_always", True)
        assert interpreted.run_kernel(kernel, 1, "sums") == "compiled sums"


@given(task=tasks(max_length=6, max_size=3), matrix=transition_matrices(max_size=3))
def test_what_users_call_gives_the_same_bits(task, matrix):
    before = edge_scores(task, epsilon=0.1), stationary_distribution(matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreted, "run_kernel", lambda kernel, _, *more: interpreted._plain(kernel)(*more))
        after = edge_scores(task, epsilon=0.1), stationary_distribution(matrix)
    np.testing.assert_array_equal(before[0].value, after[0].value)
    np.testing.assert_array_equal(before[1], after[1])


def test_size_decides_which_kernel(monkeypatch):
    """Not the state of the disk: the two kernels differ in the last bit."""
    used = []
    real = kernels.small_forest.small_tilted_sums
    monkeypatch.setattr(
        interpreted, "run_kernel", lambda kernel, count, *more: used.append(kernel is real) or kernel(*more)
    )
    from causal_theory import CausalGraph, InContextTask

    for length in (work_items.SMALL // 2, work_items.SMALL // 2 + 1):
        edge_scores(InContextTask(CausalGraph.chain(length), PointPrior([[0.5, 0.5], [0.25, 0.75]])), epsilon=0.1)
    assert used.count(True) == 1
