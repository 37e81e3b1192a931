"""Many equal steps at once against one after the other."""

import numpy as np
import pytest

from causal_theory import CausalGraph, DirichletPrior, InContextTask, PointPrior, parent_attention_loss
from causal_theory.kernels.frontier import frontier_transforms
from causal_theory.population.several_parents.moments import prepare_transfers
from causal_theory.token_laws.tables import TransferTables

from .helpers import assert_close


def ngram_task(length, parents, size, seed=0):
    prior = DirichletPrior(size, 0.5, floor=0.01)
    kernel = prior.sample_transitions(1, (parents,), np.random.default_rng(seed))[parents][0]
    return InContextTask(CausalGraph.ngram(length, parents), PointPrior({parents: kernel}))


def random_lanes(task, transfers, rng):
    """Blocks of lanes with and without a symbol, some weights zero."""
    rows, size = transfers.layout.count, task.vocab_size
    laws = transfers.laws(task.prior.transitions)
    omega = rng.exponential(1.0, size=(2, rows)) * (rng.random((2, rows)) > 0.2)
    terminals = rng.random((3, transfers.tables.last))
    blocks = 6
    times = rng.exponential(1.0, size=(blocks, 5)) / task.length * np.array([0.1, 0.5, 1.0, 3.0, 10.0])
    block = np.arange(blocks)
    lanes = times, block % (size + 1) - 1, block % 2, rng.random(blocks), block % 3
    return transfers.tables.arrays, laws, omega, terminals, lanes


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 13, 100, 127])
@pytest.mark.parametrize(("parents", "size"), [(1, 2), (1, 5), (2, 2), (2, 3), (3, 2)])
def test_steps_at_once_and_one_after_the_other(parents, size, count):
    task = ngram_task(count + parents + 1, parents, size)
    given = random_lanes(task, prepare_transfers(task, "test"), np.random.default_rng(count))
    one_by_one, slopes = frontier_transforms(*given, True)
    at_once, slopes_at_once = frontier_transforms(*given, True, (parents, count))
    assert_close(at_once, one_by_one, rtol=1e-13)
    assert_close(slopes_at_once, slopes, rtol=1e-13, atol=1e-300)
    assert_close(frontier_transforms(*given, False, (parents, count))[0], one_by_one, rtol=1e-13)


def test_where_steps_repeat():
    def repeated(task):
        return prepare_transfers(task, "test").tables.repeated

    # Positions 0 and 1 have fewer parents; the last step has no equal one after it, whatever it leads to.
    assert repeated(ngram_task(500, 2, 3)) == (2, 497)
    assert repeated(ngram_task(20, 2, 3)) == (0, 0)
    assert repeated(InContextTask(CausalGraph.pairs(64), DirichletPrior(2, 1.0))) == (0, 0)


@pytest.mark.parametrize(("length", "parents", "size"), [(60, 1, 3), (700, 2, 3), (300, 3, 2)])
def test_loss_and_its_error(monkeypatch, length, parents, size):
    task = ngram_task(length, parents, size)
    A2 = 3.0 * np.random.default_rng(1).normal(size=(parents, size, size))
    at_once = parent_attention_loss(task, A2, epsilon=1.0 / length)
    monkeypatch.setattr(TransferTables, "repeated", (0, 0))
    one_by_one = parent_attention_loss(task, A2, epsilon=1.0 / length)
    assert float(at_once) != float(one_by_one)  # two routes indeed
    assert_close(at_once.value, one_by_one.value, rtol=0.0, atol=1e-12)
    assert abs(float(at_once) - float(one_by_one)) <= float(at_once.error) + float(one_by_one.error)
