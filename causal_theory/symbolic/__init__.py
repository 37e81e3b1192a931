"""Closed forms with sympy: the softmax Jacobian behind the first-order gradient, and everything about two symbols."""

from causal_theory.symbolic.softmax import first_order_residual, softmax_jacobian_residual
from causal_theory.symbolic.two_symbols import TwoSymbols, parent_wins

__all__ = ["TwoSymbols", "first_order_residual", "parent_wins", "softmax_jacobian_residual"]
