"""Read matrices from texts and files, digit by digit."""

from causal_theory.matrices.files import given_matrix, is_json, read_matrix

__all__ = ["given_matrix", "is_json", "read_matrix"]
