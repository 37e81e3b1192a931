"""Helpers of kernels: compiled with the kernels that call them, for one type of arrays, and not called by Python."""

import re

import numba
import numpy as np
import pytest

from causal_theory.kernels import _jit, one_pass
from causal_theory.kernels.arrays import read_only

from .test_package import COUNT_SIGNATURES, run_python

pytestmark = pytest.mark.compiled


def add_up(x):
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * x[i]
    return total


def kernel_over(helper):
    """A kernel two calls above a helper."""
    middle = _jit.helper(lambda x: helper(x) + helper(x[1:]))
    return numba.njit(lambda x: middle(x) - 1.0), middle


class TestHelpers:
    def test_kernels_call_them(self):
        kernel, _ = kernel_over(_jit.helper(add_up))
        assert kernel(np.array([1.0, 2.0, 3.0])) == 14.0 + 13.0 - 1.0

    def test_python_gets_an_error(self):
        """There is no code to be called: without a check the interpreter would end."""
        helper = _jit.helper(add_up)
        with pytest.raises(TypeError, match="add_up is a helper: only kernels can call it"):
            helper(np.ones(3))
        kernel_over(helper)[0](np.ones(3))
        with pytest.raises(TypeError, match="only kernels can call it"):
            helper(np.ones(3))

    def test_are_simplified_and_not_emitted(self):
        """Local variables are no longer in memory, and there is no code of their own."""
        helper = _jit.helper(add_up)
        kernel, _ = kernel_over(helper)
        kernel(np.ones(3))
        (mine,), (whole,) = helper.overloads.values(), kernel.overloads.values()
        assert "alloca" not in mine.library.get_llvm_str()
        assert mine.library.get_pointer_to_function(mine.fndesc.llvm_func_name) == 0
        assert not re.search(r"call .*add_up", whole.library.get_llvm_str())

    @pytest.mark.parametrize("hot", [False, True])
    def test_hot_ones_are_optimised_by_themselves(self, hot):
        """Their loops run over vector lanes before they become part of a kernel; they are not emitted either."""
        helper = (_jit.hot_helper if hot else _jit.helper)(add_up)
        assert kernel_over(helper)[0](np.array([1.0, 2.0, 3.0])) == 26.0
        (mine,) = helper.overloads.values()
        assert ("vector.body" in mine.library.get_llvm_str()) == hot
        assert mine.library.get_pointer_to_function(mine.fndesc.llvm_func_name) == 0

    def test_a_later_numba_compiles_them_as_all_else(self, monkeypatch):
        monkeypatch.setattr(one_pass, "_KNOWN", False)
        helper = _jit.helper(add_up)
        assert helper(np.array([1.0, 2.0])) == 5.0
        assert kernel_over(helper)[0](np.array([1.0, 2.0, 3.0])) == 26.0

    def test_this_numba_is_known(self):
        assert one_pass._KNOWN


class TestReadOnly:
    @pytest.mark.parametrize("array", [np.arange(6.0), np.arange(12.0)[::2], np.arange(12.0).reshape(3, 4).T])
    def test_gives_one_type(self, array):
        given = read_only(array)
        np.testing.assert_array_equal(given, array)
        assert numba.typeof(given) == numba.types.Array(numba.float64, array.ndim, "C", readonly=True)
        assert array.flags.writeable
        assert numba.typeof(read_only(given)) == numba.typeof(given)

    def test_copies_only_what_is_not_contiguous(self):
        array = np.arange(6.0)
        assert np.shares_memory(read_only(array), array)


PROGRAM = """
import numpy as np
from causal_theory import *
from causal_theory.kernels import interpreted
interpreted.compile_always = True
matrix = [[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]]
options = {"draws": 3, "rng": 0}
for prior in (PointPrior(matrix), OrbitPrior(matrix), DirichletPrior(3, 0.5), DirichletPrior(3, 0.5).fixed(2, rng=0)):
    task = InContextTask(CausalGraph.chain(6), prior)
    edge_scores(InContextTask(CausalGraph.chain(40), prior), epsilon=0.05, **options)
    edge_scores(task, epsilon=0.05, **options), limit_edge_scores(task, epsilon=0.05, **options)
    pairwise_information(task, "kl", **options), pairwise_joint(task, **options)
    counts_rule_loss(task, smoothing=0.5, **options), parent_attention_loss(task, np.eye(3), epsilon=0.05, **options)
    for model in (DisentangledTransformer(6, 3), ReducedTransformer(np.zeros((6, 6)), np.zeros((3, 3)), 0.1)):
        settings = {"steps": 2, "batch_size": 32, "learning_rate": 0.1, "test_size": 32}
        run = train_sgd(task, model, rng=0, progress=False, **settings)
        run.model.forward(np.zeros((2, 6), dtype=int))
for prior in (PointPrior(matrix), OrbitPrior(matrix)):
    task = InContextTask(CausalGraph.chain(6), prior)
    for method, more in (("enumerate", {}), ("monte_carlo", {"samples": 64, "rng": 0})):
        population_gradient(task, np.eye(6), np.eye(3), epsilon=0.1, method=method, **more)
counts = signatures()
print(sum(counts.values()) > 15, {name: count for name, count in counts.items() if count > 1})
"""


def test_no_kernel_is_compiled_for_two_types():
    """Matrices of priors cannot be written, those that are drawn can."""
    only_kernels = COUNT_SIGNATURES.replace("isinstance(value, Dispatcher)", "type(value) is CPUDispatcher").replace(
        "import sys", "import sys\nfrom numba.core.registry import CPUDispatcher"
    )
    assert run_python("-c", only_kernels + PROGRAM) == "True {}\n"
