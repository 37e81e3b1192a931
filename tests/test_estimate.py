"""Estimates and gradients as containers."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from causal_theory import Estimate, Gradient


@pytest.fixture
def scalar():
    return Estimate(np.array(0.5), np.array(1e-16), "exact")


@pytest.fixture
def table():
    return Estimate(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.1, 0.2], [0.0, 0.3]]), "monte_carlo")


class TestEstimate:
    def test_number(self, scalar):
        assert float(scalar) == 0.5

    def test_a_table_is_no_number(self, table):
        with pytest.raises(TypeError):
            float(table)

    def test_array(self, table):
        array = np.asarray(table)
        assert array.tolist() == table.value.tolist()
        assert np.asarray(table, dtype=np.float32).dtype == np.float32
        assert (np.add(table, 1.0) == table.value + 1.0).all()
        assert np.max(np.asarray(table)) == 4.0

    def test_a_copy_is_a_copy(self, table):
        copied = np.array(table, copy=True)
        copied[0, 0] = 9.0
        assert table.value[0, 0] == 1.0

    def test_it_cannot_be_changed(self, scalar):
        with pytest.raises(FrozenInstanceError):
            scalar.value = np.array(1.0)

    def test_comparison_is_by_identity(self, scalar):
        """Equality of arrays has no single truth value: an estimate equals only itself."""
        assert scalar == scalar
        assert scalar != Estimate(scalar.value, scalar.error, scalar.method)

    def test_representation(self, scalar, table):
        assert repr(scalar) == "Estimate(0.5 +- 1.0e-16, exact)"
        assert repr(table) == "Estimate(2x2 array, error <= 3.0e-01, monte_carlo)"
        assert repr(Estimate(np.zeros(0), np.zeros(0), "exact")) == "Estimate(0 array, error <= 0.0e+00, exact)"


class TestGradient:
    def test_fields(self, scalar, table):
        gradient = Gradient(table, table, scalar)
        assert gradient.A1 is table
        assert gradient.A2 is table
        assert gradient.loss is scalar
        with pytest.raises(FrozenInstanceError):
            gradient.A1 = scalar
