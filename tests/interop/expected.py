"""Tokens and weights of all sequences, from the formulas alone."""

from itertools import product

import numpy as np

from tests.oracles import context_parents, relabelings, root_law, sequences


def table(task):
    """All sequences (n, T), and the probability of each with each target (n, S)."""
    size = task.vocab_size
    tokens = np.array(list(product(range(size), repeat=task.length)))
    matrices = [task.prior.representative.tolist()]
    if task.prior.symmetric:
        matrices = [matrix for _, matrix in relabelings(matrices[0])]
    weights = np.zeros((len(tokens), size))
    for pi in matrices:
        found = sequences(context_parents(task.graph), pi, root_law(pi, task.root_law))
        chances = np.array([float(chance) for _, chance in found])
        weights += chances[:, None] * np.array(pi, dtype=float)[tokens[:, -1]] / len(matrices)
    return tokens, weights
