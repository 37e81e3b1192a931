"""Files that version 0.1 wrote are read, or refused in one line that says what to do."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from causal_theory import CausalGraph, DirichletPrior, InContextTask, ReducedTransformer, train_sgd, verify_certificate
from causal_theory.certificates import read_certificate
from causal_theory.errors import CausalTheoryError
from causal_theory.sweeps import read_store, sweep

OLD = Path(__file__).parent / "data" / "version_0_1"
TASK = InContextTask(CausalGraph.chain(4), DirichletPrior(2, 1.0))
SETTINGS = {"steps": 4, "batch_size": 8, "learning_rate": 0.1, "test_size": 16, "records": 2, "snapshots": 2}


@pytest.fixture
def copied(tmp_path):
    return lambda name: shutil.copy(OLD / name, tmp_path)


def model():
    return ReducedTransformer(np.zeros((4, 4)), np.zeros((2, 2)), 0.1)


@pytest.mark.parametrize("name", ["certificate", "certificate-exact"])
def test_certificates_are_read_and_true(name):
    assert verify_certificate(read_certificate(OLD / f"{name}.json")).valid


def test_certificates_of_floats_without_the_floats_are_read_and_say_why_they_cannot_be_verified():
    found = verify_certificate(read_certificate(OLD / "certificate-early.json"))
    assert found.failures == ("moved: must be None, for the certificate holds no floats that were given",)


@pytest.mark.parametrize("name", ["store.sqlite", "store-early.sqlite"])
def test_stores_are_read(copied, name):
    table = read_store(copied(name))
    assert table["length"].tolist() == [4, 5]
    assert table["recovered"].tolist() == [True, True]
    assert len(table.versions) == 1


@pytest.mark.compiled
def test_units_in_stores_are_computed_anew_or_taken_when_that_is_asked_for(copied):
    path = copied("store.sqlite")
    old = read_store(path)
    asked = ("edge-recovery", {"length": [4, 5]})
    options = {"settings": {"concentration": 1.0}, "store": path, "processes": 0}
    taken = sweep(*asked, **options, reuse_other_versions=True)
    assert (taken.done, taken.skipped) == (0, 2)
    again = sweep(*asked, **options)
    assert (again.done, again.skipped) == (2, 0)
    new = read_store(path)
    assert new.versions != old.versions
    for column in old:  # another machine may round otherwise
        if old[column].dtype.kind == "f":
            np.testing.assert_allclose(new[column], old[column], rtol=1e-9, atol=1e-14)
        else:
            np.testing.assert_array_equal(new[column], old[column])


@pytest.mark.compiled
def test_checkpoints_are_refused_unless_other_code_is_accepted(copied):
    path = copied("run.npz")
    before = Path(path).read_bytes()
    with pytest.raises(CausalTheoryError, match=r"unless reuse_other_versions .*got 0\.1\.0 \w+ instead of") as caught:
        train_sgd(TASK, model(), rng=3, checkpoint=path, resume=True, **SETTINGS)
    assert "\n" not in str(caught.value)
    assert Path(path).read_bytes() == before
    taken = train_sgd(TASK, model(), rng=3, checkpoint=path, resume=True, reuse_other_versions=True, **SETTINGS)
    anew = train_sgd(TASK, model(), rng=3, **SETTINGS)
    np.testing.assert_allclose(taken.model.parameters, anew.model.parameters, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(taken.test_losses, anew.test_losses, rtol=1e-12)
    assert len(taken.versions) == 2
