"""Processes that several tests share: each takes a second to start."""

import pytest

from causal_theory.sweeps.executors import ProcessPool


@pytest.fixture(scope="module")
def pool():
    with ProcessPool(2) as processes:
        yield processes
