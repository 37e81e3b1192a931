"""Every claim holds and every control fails, on a small budget; results depend on the seed alone."""

import numpy as np
import pytest

from verification.claim import FAILS, HOLDS, Context, Table
from verification.claims import all_claims
from verification.matrices import near_deterministic, trace_one
from verification.profiles import Profile

TINY = Profile(
    name="tiny",
    gradient_tasks=2,
    forests=10,
    information_forests=30,
    lengths=(20, 40, 80, 160),
    recovery_lengths=(20,),
    draws=64,
    orbits=2,
)

CLAIMS = all_claims()


def test_numbers_and_names():
    assert [claim.number for claim in CLAIMS] == list(range(1, len(CLAIMS) + 1))
    assert {"first_order_gradient", "edge_score_is_chi2", "data_processing"} <= {claim.name for claim in CLAIMS}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_holds_and_its_control_fails(claim):
    context = Context(1, claim.name)
    evidence = claim.run(TINY, context)
    assert evidence.verdict == HOLDS, evidence
    assert evidence.tables
    assert claim.control(TINY, context).verdict == FAILS


@pytest.mark.parametrize("claim", CLAIMS[:3], ids=lambda claim: claim.name)
def test_same_seed_same_evidence(claim):
    first, second = (claim.run(TINY, Context(5, claim.name)) for _ in range(2))
    assert first == second
    assert claim.run(TINY, Context(6, claim.name)) != first


def test_streams_of_claims_differ():
    draws = {Context(0, claim.name).rng(1).random() for claim in CLAIMS}
    assert len(draws) == len(CLAIMS)
    assert Context(0, "a").rng(1).random() != Context(0, "a").rng(2).random()


def test_table_checks_its_rows():
    with pytest.raises(ValueError, match="must have 2 cells"):
        Table("t", ("a", "b"), (("1",),))


@pytest.mark.parametrize("size", [3, 5, 10])
def test_matrices_of_trace_one(size):
    for seed in range(20):
        matrix = trace_one(size, np.random.default_rng(seed))
        assert abs(np.trace(matrix) - 1.0) < 1e-14
        assert np.abs(matrix.sum(axis=1) - 1.0).max() < 1e-14
        assert matrix.min() >= 0.0


def test_near_deterministic_matrices():
    matrix = near_deterministic(4, np.random.default_rng(0))
    assert (matrix.max(axis=1) > 0.98).all()
    assert np.abs(matrix.sum(axis=1) - 1.0).max() < 1e-14
