"""Tasks with several parents by plain enumeration: every sequence is visited, nothing is clever.

Numbers are whatever the kernels hold: floats, or Fractions for results without rounding. Kernels are nested sequences
by number of parents, ``kernels[k][a_1]...[a_k][b]``. Nothing here uses the code under test.
"""

import itertools
import math
from fractions import Fraction

import numpy as np

__all__ = [
    "construction_loss",
    "counting_loss",
    "exact_kernels",
    "floor",
    "information",
    "joint_law",
    "row",
    "sequences",
    "token_counting_loss",
]


def exact_kernels(kernels):
    """The same kernels in rational numbers, as nested lists."""

    def convert(nested):
        return [convert(entry) for entry in nested] if np.ndim(nested) else Fraction(float(nested))

    return {k: convert(kernel) for k, kernel in kernels.items()}


def row(kernels, tokens, parents):
    """The law of a child whose parents carry these tokens."""
    law = kernels[len(parents)]
    for parent in parents:
        law = law[tokens[parent]]
    return law


def sequences(graph, kernels, size):
    """All sequences and their probabilities; roots are uniform."""
    for tokens in itertools.product(range(size), repeat=graph.length):
        chance = Fraction(1)
        for i, parents in enumerate(graph.parents):
            chance *= row(kernels, tokens, parents)[tokens[i]] if parents else Fraction(1, size)
        if chance:
            yield tokens, chance


def joint_law(graph, kernels, size, positions):
    """The joint law of some tokens, as a dictionary; position T is a token drawn from the target."""
    law = dict.fromkeys(itertools.product(range(size), repeat=len(positions)), 0)
    for tokens, chance in sequences(graph, kernels, size):
        target = row(kernels, tokens, graph.target_parents)
        if graph.length not in positions:
            law[tuple(tokens[i] for i in positions)] += chance
            continue
        for b in range(size):
            extended = (*tokens, b)
            law[tuple(extended[i] for i in positions)] += chance * target[b]
    return law


def information(law, measure):
    """The divergence of a joint law of (first token, rest) from independence, by its definition."""
    first, rest = {}, {}
    for key, chance in law.items():
        first[key[0]] = first.get(key[0], 0) + chance
        rest[key[1:]] = rest.get(key[1:], 0) + chance
    total = 0
    if measure == "modified_chi2":
        for z, q in rest.items():
            if q:
                ratio = sum((law[(e, *z)] / q) ** 2 / p for e, p in first.items() if p)
                total += q**2 * (ratio - 1)
        return total
    for key, chance in law.items():
        product = first[key[0]] * rest[key[1:]]
        if not product:
            continue
        if measure == "chi2":
            total += (chance - product) ** 2 / product
        elif measure == "tv":
            total += abs(chance - product) / 2
        elif measure == "kl":
            total += chance * math.log(chance / product) if chance else 0
        else:
            total += (math.sqrt(chance) - math.sqrt(product)) ** 2 / 2
    return total


def _expected(graph, kernels, size, predict):
    """The expected cross-entropy of a prediction from the tokens."""
    total = 0.0
    for tokens, chance in sequences(graph, kernels, size):
        guess = predict(tokens)
        for b, p in enumerate(row(kernels, tokens, graph.target_parents)):
            if p:
                total -= float(chance) * float(p) * math.log(guess[b])
    return total


def construction_loss(graph, kernels, size, A2, epsilon):
    """The loss of the construction: head h carries the token of parent h, or a uniform key."""

    def predict(tokens):
        query = [tokens[i] for i in graph.target_parents]
        scores = []
        for parents in graph.parents:
            score = 0.0
            for h, q in enumerate(query):
                column = [A2[h][a][q] for a in range(size)]
                score += column[tokens[parents[h]]] if h < len(parents) else sum(column) / size
            scores.append(score)
        weights = [math.exp(score - max(scores)) for score in scores]
        shares = [0.0] * size
        for token, weight in zip(tokens, weights, strict=True):
            shares[token] += weight / sum(weights)
        return [share + epsilon for share in shares]

    return _expected(graph, kernels, size, predict)


def counting_loss(graph, kernels, size, smoothing, slots):
    """The loss of counting what followed the query's tokens at some parent slots."""

    def predict(tokens):
        counts = [smoothing] * size
        for i, parents in enumerate(graph.parents):
            if len(parents) == len(graph.target_parents) and all(
                tokens[parents[slot]] == tokens[graph.target_parents[slot]] for slot in slots
            ):
                counts[tokens[i]] += 1.0
        return [count / sum(counts) for count in counts]

    return _expected(graph, kernels, size, predict)


def token_counting_loss(graph, kernels, size, smoothing):
    """The loss of counting tokens, the last one only when it is a child."""

    def predict(tokens):
        counts = [smoothing] * size
        for token in tokens if graph.parents[-1] else tokens[:-1]:
            counts[token] += 1.0
        return [count / sum(counts) for count in counts]

    return _expected(graph, kernels, size, predict)


def floor(graph, kernels, size):
    """The mean entropy of the target's law."""
    total = 0.0
    for tokens, chance in sequences(graph, kernels, size):
        law = [float(p) for p in row(kernels, tokens, graph.target_parents)]
        total -= float(chance) * sum(p * math.log(p) for p in law if p > 0.0)
    return total
