"""The derivative of the softmax, and the first-order gradient that follows from it, as identities."""

from itertools import product
from typing import Any

import sympy as sp

from causal_theory.errors import InvalidArgumentError
from causal_theory.validation import check_integer


def _softmax(logits: Any) -> Any:
    weights = [sp.exp(logit) for logit in logits]
    return sp.Matrix([weight / sum(weights) for weight in weights])


def softmax_jacobian_residual(size: int) -> sp.Matrix:
    r"""Return the difference of both sides of :math:`\partial a / \partial \theta = \mathrm{diag}(a) - a a^T`.

    Parameters
    ----------
    size : int
        Number of logits, at least 1; the logits are symbols.

    Returns
    -------
    sympy Matrix, shape (size, size)
        Zero in every entry if the identity holds.

    Raises
    ------
    InvalidArgumentError
        If ``size`` is not an integer of at least 1.

    Examples
    --------
    >>> softmax_jacobian_residual(2)
    Matrix([
    [0, 0],
    [0, 0]])
    """
    check_integer("size", size, 1)
    logits = sp.Matrix(sp.symbols(f"theta0:{size}", real=True))
    attention = _softmax(logits)
    # The exponentials as positive unknowns: what is left to decide is an identity of rational functions.
    unknowns = sp.symbols(f"x0:{size}", positive=True)
    rational = dict(zip([sp.exp(logit) for logit in logits], unknowns, strict=True))
    difference = attention.jacobian(logits) - (sp.diag(*attention) - attention * attention.T)
    return difference.subs(rational).applyfunc(sp.cancel)


def first_order_residual(length: int, query: int, tokens: tuple[int, ...]) -> sp.Matrix:
    r"""Return the difference of both sides of the first-order gradient for one sequence over two symbols.

    The loss of a sequence with the target ``y`` is :math:`-\sum_b y_b \log(f_b + \varepsilon)` at
    :math:`A_2 = \beta_0 I`. Its derivative in :math:`\beta_0` at zero and in row *i* of :math:`A_1` is

    .. math:: -\frac1T (\mathrm{diag}(a_i) - a_i a_i^T) g_i, \qquad
        g_{ij} = \sum_b y_b \frac{[s_i = b] - c_b}{c_b + \varepsilon} [s_j = q].

    Parameters
    ----------
    length : int
        T, at least 2.
    query : int
        The row i whose logits are differentiated, from 0 to T - 1.
    tokens : tuple of int
        The sequence, T symbols 0 or 1; the last one is the query.

    Returns
    -------
    sympy Matrix, shape (i + 1, 1)
        Zero if the identity holds, for all logits, targets and ``eps``.

    Raises
    ------
    InvalidArgumentError
        If ``length`` is not an integer of at least 2, ``query`` no position, or ``tokens`` not T symbols 0 or 1.

    Examples
    --------
    >>> first_order_residual(3, 1, (0, 1, 1))
    Matrix([
    [0],
    [0]])
    """
    check_integer("length", length, 2)
    if check_integer("query", query, 0) >= length:
        raise InvalidArgumentError(f"query must be at most {length - 1}, got {query}")
    if len(tokens) != length or not set(tokens) <= {0, 1}:
        raise InvalidArgumentError(f"tokens must be {length} symbols 0 or 1, got {tokens!r}")
    epsilon, beta, chance = sp.symbols("epsilon beta0 y0", positive=True)
    targets = (chance, 1 - chance)
    logits = [sp.symbols(f"theta{i}_0:{i + 1}", real=True) for i in range(length)]
    unknowns = [sp.symbols(f"x{i}_0:{i + 1}", positive=True) for i in range(length)]
    rational = {
        sp.exp(logit): x for row, xs in zip(logits, unknowns, strict=True) for logit, x in zip(row, xs, strict=True)
    }
    attention = [_softmax(row) for row in logits]
    met = [sum(a for a, token in zip(row, tokens, strict=False) if token == tokens[-1]) for row in attention]
    weights = [sp.exp(beta * value) for value in met]
    found = [sum(w for w, token in zip(weights, tokens, strict=True) if token == b) / sum(weights) for b in (0, 1)]
    loss = -sum(y * sp.log(f + epsilon) for y, f in zip(targets, found, strict=True))
    slope = sp.diff(loss, beta).subs(beta, 0)
    left = sp.Matrix([sp.diff(slope, theta) for theta in logits[query]])
    frequency = [sp.Rational(tokens.count(b), length) for b in (0, 1)]
    pull = sum(
        y * (int(tokens[query] == b) - c) / (c + epsilon) for b, y, c in zip((0, 1), targets, frequency, strict=True)
    )
    scores = sp.Matrix([pull * int(tokens[j] == tokens[-1]) for j in range(query + 1)])
    a = attention[query]
    right = -(sp.diag(*a) - a * a.T) * scores / length
    return (left - right).subs(rational).applyfunc(lambda entry: sp.cancel(sp.together(entry)))


def all_sequences(length: int) -> list[tuple[int, ...]]:
    """Return every sequence of two symbols."""
    return list(product((0, 1), repeat=length))
