"""What differs between two runs, in words."""

import hashlib

import numpy as np
import pytest

from causal_theory import errors
from causal_theory.errors import InvalidArgumentError
from causal_theory.provenance import check_same_run, fingerprint


class TestDifferences:
    def message(self, wanted, found):
        with pytest.raises(InvalidArgumentError) as caught:
            check_same_run("run", wanted, found, ("1", "a"), ("1", "a"), reuse_other_versions=True)
        return str(caught.value)

    def test_of_arrays_are_told_in_short(self):
        one, two = np.arange(1000.0), np.arange(1000.0)
        two[-1] = -1.0
        here, there = fingerprint(one), fingerprint(two)
        digests = [hashlib.sha256(array.tobytes()).hexdigest()[:8] for array in (two, one)]
        assert self.message({"start": here}, {"start": there}) == (
            f"run must belong to the same run, got start = 1000 numbers (0, 1, 2, ...; digest {digests[0]}) instead of "
            f"1000 numbers (0, 1, 2, ...; digest {digests[1]})"
        )

    def test_of_signs_and_types_of_arrays_count(self):
        assert "start" in self.message(
            {"start": fingerprint(np.array([0.0]))}, {"start": fingerprint(np.array([-0.0]))}
        )
        single = fingerprint(np.zeros(2, dtype=np.float32))
        assert "start" in self.message({"start": fingerprint(np.zeros(1))}, {"start": single})

    def test_of_long_lists_are_told_by_the_entry(self):
        one, two = [[k] for k in range(200)], [[k] for k in range(200)]
        two[150] = [0]
        assert self.message({"a": {"parents": one}}, {"a": {"parents": two}}).endswith(
            "got a parents[150] = [0] instead of [150]"
        )

    def test_of_names_count(self):
        assert self.message({"a": 1}, {"a": 1, "b": 2}).endswith("got b = 2 instead of None")

    def test_there_are_none_between_nan_and_itself(self):
        same = {"start": fingerprint(np.array([np.nan]))}
        check_same_run("run", same, same, ("1", "a"), ("1", "a"), reuse_other_versions=False)

    def test_of_the_code_alone_can_be_overridden(self):
        check_same_run("run", {"a": 1}, {"a": 1.0}, ("1", "a"), ("1", "b"), reuse_other_versions=True)
        with pytest.raises(errors.InvalidArgumentError, match=r"unless reuse_other_versions .*got 1 b instead of 1 a"):
            check_same_run("run", {"a": 1}, {"a": 1.0}, ("1", "a"), ("1", "b"), reuse_other_versions=False)
