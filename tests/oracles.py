"""Slow second implementations, written from the formulas: every sequence is visited, nothing is clever.

The functions are generic in their numbers. Transition probabilities, root laws and epsilon may be floats, Fractions
(then scores, joint laws and the rational informations come out without any rounding), mpmath numbers, or NumPy arrays
that hold one entry per transition matrix. Matrices are lists of lists. ``parents`` has one entry per context
position, -1 for a root; the query is appended, uniform and independent. Nothing here uses the code under test.
"""

import math
from fractions import Fraction
from itertools import permutations, product

import mpmath
import numpy as np

__all__ = [
    "assert_within_error",
    "attention",
    "binary_dirichlet_grid",
    "context_parents",
    "disentangled_attention",
    "disentangled_forward",
    "exact",
    "forward",
    "gradient",
    "information",
    "informations",
    "joint",
    "limit_scores",
    "loss",
    "number_type",
    "relabel",
    "relabelings",
    "root_law",
    "scores",
    "sequence_gradient",
    "sequences",
    "stationary",
    "to_array",
]


UNDERFLOW = 1e-300
"""What an exact result below the normal range of a double may be off by."""


# Numbers and matrices.


def exact(matrix):
    """The same matrix in rational numbers: every double is one."""
    return [[Fraction(float(entry)) for entry in row] for row in matrix]


def to_array(nested):
    """Nested lists of any numbers, or one number, as an array of doubles."""
    if isinstance(nested, list | tuple):
        return np.array([to_array(entry) for entry in nested], dtype=np.float64)
    return np.asarray(nested, dtype=np.float64) if isinstance(nested, np.ndarray) else np.array(float(nested))


def number_type(matrix):
    """One in the numbers of the matrix."""
    return matrix[0][0] * 0 + 1


def relabel(matrix, order):
    """``[a, b] -> [order[a], order[b]]``: the matrix after the symbols have been renamed."""
    return [[matrix[a][b] for b in order] for a in order]


def relabelings(matrix):
    """The matrix under all S! orders of its symbols, with the orders."""
    for order in permutations(range(len(matrix))):
        yield order, relabel(matrix, order)


def stationary(pi):
    """Solve ``mu pi = mu, sum mu = 1`` by elimination without rounding; floats are taken as the rationals they are.

    The diagonal is replaced by what the rest of its row leaves, so that rows sum to one exactly.
    """
    size = len(pi)
    rates = exact(pi) if not isinstance(pi[0][0], Fraction) else [list(row) for row in pi]
    for a in range(size):
        rates[a][a] = -sum(rates[a][b] for b in range(size) if b != a)
    rows = [[rates[a][b] for a in range(size)] + [Fraction(0)] for b in range(size - 1)] + [[Fraction(1)] * (size + 1)]
    for column in range(size):
        pivot = next(r for r in range(column, size) if rows[r][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for r in range(size):
            if r != column and rows[r][column] != 0:
                rows[r] = [x - rows[r][column] * y for x, y in zip(rows[r], rows[column], strict=True)]
    law = [row[-1] for row in rows]
    return law if isinstance(pi[0][0], Fraction) else [type(pi[0][0])(float(value)) for value in law]


def root_law(pi, kind):
    """The law of a root."""
    if kind == "stationary":
        return stationary(pi)
    return [number_type(pi) / len(pi)] * len(pi)


def context_parents(graph):
    """One parent per context position of a forest, -1 for a root."""
    return [entry[0] if entry else -1 for entry in graph.parents[:-1]]


def assert_within_error(estimate, truth, truth_error=UNDERFLOW):
    """Fail unless every entry of an estimate is within its own error of the truth, given in any numbers.

    The truth is rounded to doubles for the comparison, which may move it by half a unit in the last place; it may
    be off by ``truth_error`` itself. No bound is expected to know about numbers below the normal range of a double.
    """
    expected = to_array(truth)
    assert estimate.value.shape == estimate.error.shape == expected.shape
    assert np.isfinite(estimate.error).all(), "an error bound must be finite"
    off = np.abs(estimate.value - expected) - np.spacing(np.abs(expected)) / 2 - truth_error
    bad = ~(off <= estimate.error)
    if bad.any():
        worst = tuple(int(k) for k in np.argwhere(bad)[np.argmax((off - estimate.error)[bad])])
        raise AssertionError(
            f"{int(bad.sum())} of {bad.size} entries are outside their error; worst at {worst}: "
            f"{estimate.value[worst]!r} instead of {expected[worst]!r}, off by {off[worst]:.3g}, "
            f"claimed {estimate.error[worst]:.3g}"
        )


# Sequences and their pairs.


def sequences(parents, pi, root):
    """All sequences of T tokens with their probabilities."""
    size = len(pi)
    for tokens in product(range(size), repeat=len(parents) + 1):
        chance = number_type(pi) / size
        for i, parent in enumerate(parents):
            chance = chance * (root[tokens[i]] if parent < 0 else pi[tokens[parent]][tokens[i]])
        yield tokens, chance


def joint(parents, pi, root):
    """``P(s_i = a, s_j = b)`` as nested lists [i][j][a][b]."""
    size, length = len(pi), len(parents) + 1
    zero = number_type(pi) * 0
    table = [[[[zero] * size for _ in range(size)] for _ in range(length)] for _ in range(length)]
    for tokens, chance in sequences(parents, pi, root):
        for i in range(length):
            for j in range(length):
                cell = table[i][j][tokens[i]]
                cell[tokens[j]] = cell[tokens[j]] + chance
    return table


def information(table, measure):
    """A divergence of one joint law from the product of its marginals; mpmath for logarithms and roots."""
    size = len(table)
    first = [sum(row) for row in table]
    second = [sum(table[a][b] for a in range(size)) for b in range(size)]
    total = first[0] * 0
    for a, b in product(range(size), repeat=2):
        p, q = table[a][b], first[a] * second[b]
        if q == 0:
            continue
        if measure == "chi2":
            total = total + (p - q) ** 2 / q
        elif measure == "tv":
            total = total + abs(p - q) / 2
        elif measure == "kl" and p != 0:
            total = total + _mp(p) * (mpmath.log(_mp(p)) - mpmath.log(_mp(q)))
        elif measure == "hellinger":
            total = total + (mpmath.sqrt(_mp(p)) - mpmath.sqrt(_mp(q))) ** 2 / 2
    return total


def _mp(value):
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mpmath.mpf(value)


def informations(parents, pi, root, measure):
    """All pairs [i][j]; to 150 digits where logarithms or roots are needed and the numbers are rational."""
    table = joint(parents, pi, root)
    with mpmath.workdps(150):
        return [[information(cell, measure) for cell in row] for row in table]


# Scores.


def scores(parents, pi, root, epsilon):
    """``G_ij = E[sum_b y_b ([s_i=b] - c_b)/(c_b+eps) [s_j=query]]``, the full matrix [i][j], above the diagonal too."""
    length, size = len(parents) + 1, len(pi)
    one = number_type(pi)
    table = [[one * 0] * length for _ in range(length)]
    for tokens, chance in sequences(parents, pi, root):
        query = tokens[-1]
        frequency = [tokens.count(b) * one / length for b in range(size)]
        for i in range(length):
            gain = sum(pi[query][b] * ((tokens[i] == b) - frequency[b]) / (frequency[b] + epsilon) for b in range(size))
            for j in range(length):
                if tokens[j] == query:
                    table[i][j] = table[i][j] + chance * gain
    return table


def limit_scores(parents, pi, epsilon):
    """``(1/S) sum_ab pi_ab/(mu_b + eps) (P(s_j=a, s_i=b) - mu_a mu_b)`` for the context, [i][j]."""
    size, law = len(pi), stationary(pi)
    table = joint(parents, pi, law)
    length = len(parents)
    result = [[number_type(pi) * 0] * length for _ in range(length)]
    for i, j in product(range(length), repeat=2):
        for a, b in product(range(size), repeat=2):
            if law[b] + epsilon != 0:
                deviation = table[j][i][a][b] - law[a] * law[b]
                result[i][j] = result[i][j] + pi[a][b] / (law[b] + epsilon) * deviation / size
    return result


# The model. ``functions`` is ``math`` or an mpmath context.


def _softmax(logits, functions):
    largest = max(logits)
    weights = [functions.exp(value - largest) for value in logits]
    total = sum(weights)
    return [weight / total for weight in weights]


def attention(A1, functions=math):
    """Rows ``softmax(A1[i, :i+1])``, as long as they are."""
    return [_softmax([A1[i][j] for j in range(i + 1)], functions) for i in range(len(A1))]


def forward(tokens, first, A2, functions=math):
    """Weights w and frequencies f of one sequence; ``first`` is the attention of layer 1."""
    query = tokens[-1]
    keys = [sum(a * A2[tokens[j]][query] for j, a in enumerate(row)) for row in first]
    weights = _softmax(keys, functions)
    return weights, [sum(w for w, s in zip(weights, tokens, strict=True) if s == b) for b in range(len(A2))]


def loss(parents, pi, root, A1, A2, epsilon, functions=math):
    """``-E sum_b y_b log(f_b + eps)``."""
    first = attention(A1, functions)
    terms = []
    for tokens, chance in sequences(parents, pi, root):
        _, f = forward(tokens, first, A2, functions)
        terms.append(-chance * sum(y * functions.log(f[b] + epsilon) for b, y in enumerate(pi[tokens[-1]])))
    return _sum(terms)


def _sum(terms):
    return math.fsum(terms) if isinstance(terms[0], float) else sum(terms)


def sequence_gradient(tokens, target, A1, A2, epsilon, functions=math):
    """Derivatives of the loss of one sequence by A1 and A2, by the chain rule one layer at a time."""
    length, size, query = len(tokens), len(A2), tokens[-1]
    first = attention(A1, functions)
    weights, f = forward(tokens, first, A2, functions)
    by_frequency = [-target[b] / (f[b] + epsilon) for b in range(size)]
    by_weight = [by_frequency[s] for s in tokens]
    mean = sum(w * g for w, g in zip(weights, by_weight, strict=True))
    by_logit = [w * (g - mean) for w, g in zip(weights, by_weight, strict=True)]
    by_first = [[0.0] * length for _ in range(length)]
    by_second = [[0.0] * size for _ in range(size)]
    for i in range(length):
        by_attention = [by_logit[i] * A2[tokens[j]][query] for j in range(i + 1)]
        centre = sum(a * g for a, g in zip(first[i], by_attention, strict=True))
        for j in range(i + 1):
            by_first[i][j] = first[i][j] * (by_attention[j] - centre)
            by_second[tokens[j]][query] += by_logit[i] * first[i][j]
    return by_first, by_second


def gradient(parents, pi, root, A1, A2, epsilon, functions=math):
    """Derivatives of the population loss by A1 (T, T) and A2 (S, S), as arrays of doubles."""
    length, size = len(parents) + 1, len(pi)
    first = [[[0.0] for _ in range(length)] for _ in range(length)]
    second = [[[0.0] for _ in range(size)] for _ in range(size)]
    for tokens, chance in sequences(parents, pi, root):
        if chance == 0:
            continue
        by_first, by_second = sequence_gradient(tokens, pi[tokens[-1]], A1, A2, epsilon, functions)
        for table, part in ((first, by_first), (second, by_second)):
            for i, row in enumerate(part):
                for j, value in enumerate(row):
                    table[i][j].append(float(chance * value))
    return tuple(np.array([[math.fsum(cell) for cell in row] for row in table]) for table in (first, second))


# The Dirichlet prior on two symbols.


def binary_dirichlet_grid(concentration, floor):
    """Matrices and weights of a fine grid: the trapezoidal rule in the logits of the two free entries.

    ``x = 1/(1 + exp(-v))`` is Beta(c, c) when v has the density ``x^c (1 - x)^c / B(c, c)``. That is analytic in v up
    to the distance pi from the real line, and so is all that is averaged here, so the rule converges like
    ``exp(-2 pi^2 / step)``, 1e-21 at 0.4; a large c makes the density narrow, and the step shorter. Returns pi as
    nested lists of arrays, and the weights.
    """
    step = min(0.4, 1.0 / concentration)
    reach = 40.0 / concentration
    v = np.arange(-math.ceil(reach / step), math.ceil(reach / step) + 1) * step
    up, down = np.exp(-np.logaddexp(0.0, -v)), np.exp(-np.logaddexp(0.0, v))
    log_beta = 2.0 * math.lgamma(concentration) - math.lgamma(2.0 * concentration)
    density = step * np.exp(-concentration * (np.logaddexp(0.0, -v) + np.logaddexp(0.0, v)) - log_beta)
    x, not_x = (np.repeat(part, v.size) for part in (up, down))
    y, not_y = (np.tile(part, v.size) for part in (up, down))
    weights = np.outer(density, density).ravel()
    pi = [[floor / 2 + (1 - floor) * part for part in row] for row in ([not_x, x], [y, not_y])]
    return pi, weights


# The disentangled transformer, with dense matrices and one-hot vectors.


def disentangled_stream(layers, tokens, size):
    """The residual stream (T, d) at the end, and the attention (H, T, T) of every layer."""
    length = len(tokens)
    x = np.zeros((length, size + length))
    for i, token in enumerate(tokens):
        x[i, token] = x[i, size + i] = 1.0
    attentions = []
    for matrices in layers:
        heads = []
        for matrix in matrices:
            scores = x @ matrix @ x.T
            weights = np.zeros((length, length))
            for i in range(length):
                row = np.exp(scores[i, : i + 1] - scores[i, : i + 1].max())
                weights[i, : i + 1] = row / row.sum()
            heads.append(weights)
        attentions.append(np.array(heads))
        x = np.concatenate([x, *(weights @ x for weights in heads)], axis=1)
    return x, attentions


def disentangled_attention(layers, tokens, size):
    """The attention of every layer on one sequence."""
    return disentangled_stream(layers, tokens, size)[1]


def disentangled_forward(layers, output, tokens, size):
    """The predicted law of the next token of one sequence."""
    logits = disentangled_stream(layers, tokens, size)[0][-1] @ output
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()
