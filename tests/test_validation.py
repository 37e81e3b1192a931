"""Checks of arguments: what passes comes out converted, what does not is named with its value."""

import numpy as np
import pytest

from causal_theory.errors import CausalTheoryError, InvalidArgumentError, TransitionError
from causal_theory.validation import (
    as_generator,
    check_choice,
    check_integer,
    check_matrix,
    check_positive,
    check_probability,
    check_transition_matrix,
)


class TestAccepted:
    def test_generator(self):
        generator = np.random.default_rng(0)
        assert as_generator(generator) is generator
        assert as_generator(3).random() == np.random.default_rng(3).random()
        assert as_generator([1, 2]).random() == np.random.default_rng([1, 2]).random()
        assert as_generator(None).random() != as_generator(None).random()

    def test_numbers(self):
        assert check_integer("n", np.int32(4), 2) == 4
        assert type(check_integer("n", np.int32(4), 2)) is int
        assert check_positive("x", np.float32(0.5)) == 0.5
        assert check_positive("x", 1) == 1.0
        assert check_probability("p", 0) == 0.0
        assert check_probability("p", np.array(1.0)) == 1.0
        assert check_choice("c", "b", iter("ab")) == "b"

    def test_matrix(self):
        matrix = check_matrix("A", [[1, 2], [3, 4]], (2, 2))
        assert matrix.dtype == np.float64
        fortran = np.asfortranarray(np.arange(4.0).reshape(2, 2))
        checked = check_matrix("A", fortran, (2, 2))
        assert checked.flags.c_contiguous
        assert np.array_equal(checked, fortran)

    def test_transition_matrix_is_copied_and_made_of_laws(self):
        rows = np.array([[0.5, 0.5 + 9e-11], [0.25, 0.75]])
        checked = check_transition_matrix("pi", rows)
        assert checked.sum(axis=1).tolist() == [1.0, 1.0]
        assert 0.0 < np.abs(checked[0] - rows[0]).max() < 9e-11
        assert np.array_equal(checked[1], rows[1])
        rows[1, 0] = 7.0
        assert checked[1, 0] == 0.25


class TestRefused:
    @pytest.mark.parametrize("rng", ["seed", 1.5, -1, [0.5], object()])
    def test_generator(self, rng):
        with pytest.raises(InvalidArgumentError, match="rng must be a seed or a numpy Generator, got "):
            as_generator(rng)

    @pytest.mark.parametrize("value", [2, 1.0, 3.0, "3", None, True, np.float64(4)])
    def test_integer(self, value):
        with pytest.raises(InvalidArgumentError, match="size must be an integer of at least 3, got "):
            check_integer("size", value, 3)

    @pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, -np.inf, "a", None, [1, 2]])
    def test_positive(self, value):
        with pytest.raises(InvalidArgumentError, match="epsilon must be a finite number greater than 0, got "):
            check_positive("epsilon", value)

    @pytest.mark.parametrize("value", [-1e-300, 1.0000001, np.nan, "a", None])
    def test_probability(self, value):
        with pytest.raises(InvalidArgumentError, match="floor must be a number between 0 and 1, got "):
            check_probability("floor", value)

    @pytest.mark.parametrize("value", ["c", "", None, 1, ["a"]])
    def test_choice(self, value):
        with pytest.raises(InvalidArgumentError, match="method must be one of 'a', 'b', got "):
            check_choice("method", value, ("a", "b"))

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (np.zeros((2, 3)), r"A1 must have shape \(2, 2\), got shape \(2, 3\)"),
            (np.zeros(4), r"A1 must have shape \(2, 2\), got shape \(4,\)"),
            ([[0, 0], [0, np.nan]], r"A1 must be finite, got nan at \(1, 1\)"),
            ([[0, np.inf], [0, 0]], r"A1 must be finite, got inf at \(0, 1\)"),
            ([["a", 0], [0, 0]], "A1 must be an array of real numbers"),
            ([[0, 0], [0]], "A1 must be an array of real numbers"),
        ],
    )
    def test_matrix(self, value, message):
        with pytest.raises(InvalidArgumentError, match=message):
            check_matrix("A1", value, (2, 2))

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ([[1.0]], r"pi must be a square matrix with at least 2 symbols, got shape \(1, 1\)"),
            ([[0.5, 0.5]], r"got shape \(1, 2\)"),
            ([0.5, 0.5], r"got shape \(2,\)"),
            ([[0.5, 0.5], [1.5, -0.5]], r"pi must have finite entries of at least 0, got -0.5 at \(1, 1\)"),
            ([[0.5, np.nan], [0.5, 0.5]], r"got nan at \(0, 1\)"),
            ([[np.inf, 0.0], [0.5, 0.5]], r"got inf at \(0, 0\)"),
            ([[0.5, 0.5], [0.5, 0.4]], "pi must have rows that sum to 1 within 1e-10, got .*0.9.* in row 1"),
            ([[0.5, 0.5 + 2e-10], [0.5, 0.5]], "in row 0"),
            ([["x", 0.5], [0.5, 0.5]], "pi must be an array of real numbers"),
            ([[0.5, 0.5], [1.0]], "pi must be an array of real numbers"),
        ],
    )
    def test_transition_matrix(self, value, message):
        with pytest.raises(TransitionError, match=message):
            check_transition_matrix("pi", value)

    def test_every_error_is_a_value_error_of_the_package(self):
        for error in (InvalidArgumentError, TransitionError):
            assert issubclass(error, ValueError)
            assert issubclass(error, CausalTheoryError)
