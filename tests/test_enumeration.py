"""Enumeration as an engine: limits, blocks, progress; its values are tested in test_loss and test_scores."""

import io
import re
import sys

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    population_gradient,
    population_loss,
)
from causal_theory import progress as progress_module
from causal_theory.errors import TooLargeError
from causal_theory.population import enumeration
from tests.helpers import assert_close

MATRIX = [[0.25, 0.75], [0.625, 0.375]]


def chain(length, prior=None):
    return InContextTask(CausalGraph.chain(length), prior or PointPrior(MATRIX))


def parameters(task, seed=0, scale=1.0):
    generator = np.random.default_rng(seed)
    size, length = task.vocab_size, task.length
    return scale * generator.normal(size=(length, length)), scale * generator.normal(size=(size, size))


class TestLimit:
    def test_the_message_gives_the_count_and_the_alternative(self):
        task = chain(40)
        A1, A2 = parameters(task)
        wanted = r"max_sequences=2000000000 sequences, got S\^T = 2\^40 = 1.1e\+12; use {} or raise max_sequences"
        for function in (population_loss, population_gradient):
            with pytest.raises(TooLargeError, match=wanted.format("method='monte_carlo'")):
                function(task, A1, A2, epsilon=0.1, method="enumerate")
        with pytest.raises(TooLargeError, match=wanted.format("method='transform'")):
            edge_scores(task, epsilon=0.1, method="enumerate")

    def test_the_limit_is_inclusive(self):
        task = chain(5)
        A1, A2 = parameters(task)
        assert population_loss(task, A1, A2, epsilon=0.1, method="enumerate", max_sequences=32).method == "exact"
        with pytest.raises(TooLargeError, match=r"2\^5 = 32"):
            population_loss(task, A1, A2, epsilon=0.1, method="enumerate", max_sequences=31)

    @pytest.mark.compiled
    def test_auto_enumerates_small_tasks_only(self):
        for length, method in [(10, "exact"), (22, "exact"), (23, "monte_carlo")]:
            task = chain(length)
            A1, A2 = parameters(task)
            assert population_loss(task, A1, A2, epsilon=0.1, samples=10, rng=0).method == method
        task = chain(5, DirichletPrior(2, 1.0))
        A1, A2 = parameters(task)
        assert population_loss(task, A1, A2, epsilon=0.1, samples=10, rng=0).method == "monte_carlo"
        assert population_loss(task, A1, A2, epsilon=0.1, method="enumerate").method == "quadrature"

    def test_orbit_of_many_symbols(self):
        """9! relabelings are refused when the parameters depend on the names of symbols, and not needed otherwise."""
        size = 9
        matrix = np.random.default_rng(0).dirichlet([1.0] * size, size=size)
        task = chain(3, OrbitPrior(matrix))
        A1, A2 = parameters(task)
        with pytest.raises(TooLargeError, match=r"9! = 362880; use parameters in the span of I and 11\^T"):
            population_loss(task, A1, A2, epsilon=0.1, method="enumerate")
        assert population_loss(task, A1, np.eye(size), epsilon=0.1, method="enumerate").method == "exact"


class TestBlocks:
    """The sum is cut into blocks; how it is cut must not matter."""

    @pytest.mark.parametrize(("blocks", "sequences", "calls"), [(2, 2**20, 64), (500, 8, 64), (24, 64, 4)])
    def test_partition(self, monkeypatch, blocks, sequences, calls):
        matrix = np.random.default_rng(3).dirichlet([0.4] * 3, size=3)
        task = InContextTask(CausalGraph.from_parents([-1, 0, -1, 2, 0, 4, 1]), PointPrior(matrix), "uniform")
        A1, A2 = parameters(task, seed=4, scale=2.0)
        expected_loss = population_loss(task, A1, A2, epsilon=0.02, method="enumerate")
        expected = population_gradient(task, A1, A2, epsilon=0.02, method="enumerate")
        monkeypatch.setattr(enumeration, "MIN_BLOCKS", blocks)
        monkeypatch.setattr(enumeration, "SEQUENCES_PER_BLOCK", sequences)
        monkeypatch.setattr(enumeration, "BLOCKS_PER_CALL", calls)
        got = population_gradient(task, A1, A2, epsilon=0.02, method="enumerate")
        assert_close(population_loss(task, A1, A2, epsilon=0.02, method="enumerate"), expected_loss, rtol=1e-14)
        assert_close(got.A1, expected.A1.value, rtol=0.0, atol=1e-15)
        assert_close(got.A2, expected.A2.value, rtol=0.0, atol=1e-15)

    def test_steep_batches(self, monkeypatch):
        """The other walk: the softmax of every sequence relative to its own maximum, batch by batch."""
        task = chain(7)
        A1, A2 = parameters(task, seed=1)
        expected_loss = population_loss(task, A1, A2, epsilon=0.02)
        expected = population_gradient(task, A1, A2, epsilon=0.02)
        monkeypatch.setattr(enumeration, "STEEP", 0.0)
        monkeypatch.setattr(enumeration, "SEQUENCES_PER_BATCH", 37)
        got = population_gradient(task, A1, A2, epsilon=0.02)
        assert_close(population_loss(task, A1, A2, epsilon=0.02), expected_loss, rtol=1e-14)
        assert_close(got.A1, expected.A1.value, rtol=0.0, atol=1e-15)
        assert_close(got.A2, expected.A2.value, rtol=0.0, atol=1e-15)

    def test_all_sequences_are_visited(self):
        """With y summing to one and eps large: the loss is ``-log(eps + f)``, f from 0 to 1, so chances sum to one."""
        task = chain(11)
        loss = population_loss(task, np.zeros((11, 11)), np.zeros((2, 2)), epsilon=1e6, method="enumerate")
        assert -np.log1p(1e6) <= float(loss) <= -np.log(1e6)


class TestProgress:
    def run(self):
        task = chain(9)
        A1, A2 = parameters(task)
        population_gradient(task, A1, A2, epsilon=0.1, method="enumerate")
        edge_scores(task, epsilon=0.1)
        population_loss(task, A1, A2, epsilon=0.1, method="monte_carlo", samples=1000, rng=0)

    def test_nothing_is_printed_without_a_terminal(self, monkeypatch, capfd):
        monkeypatch.setattr(progress_module, "PATIENCE_SECONDS", -1.0)
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        self.run()
        captured = capfd.readouterr()
        assert captured.out == captured.err == ""

    def test_bar_on_a_terminal(self, monkeypatch):
        """The counterpart: the same work does draw a bar when standard error is a terminal and patience is over."""

        class Terminal(io.StringIO):
            def isatty(self):
                return True

        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(progress_module, "PATIENCE_SECONDS", -1.0)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        self.run()
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
        assert "enumeration" in text
        assert "sampling" in text
