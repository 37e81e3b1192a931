"""The limit of the edge scores at one transition matrix."""

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.chains import stationary_distribution
from causal_theory.errors import TransitionError
from causal_theory.kernels.arrays import read_only
from causal_theory.pair_structure import PairStructure, chain_powers
from causal_theory.population.lost_symbols import same_support
from causal_theory.tasks import InContextTask, root_law_at
from causal_theory.validation import SMALLEST

Array = NDArray[np.float64]


def _refuse_rare_symbols(transition: Array, law: Array) -> None:
    """Refuse to divide by probabilities that are known to a few digits only, or not at all."""
    if (law >= SMALLEST).all():
        return
    possible = stationary_distribution(same_support(transition)) > 0.0
    rare = np.flatnonzero(possible & (law < SMALLEST))
    if rare.size:
        raise TransitionError(
            f"epsilon must be greater than 0 for a matrix with stationary probabilities below {SMALLEST:g}, got 0 and "
            f"{law[rare[0]]:.3g} for symbol {rare[0]}"
        )


def limit_at(task: InContextTask, structure: PairStructure, epsilon: float, transition: Array) -> tuple[Array, Array]:
    """Return the limit scores at one transition matrix, and bounds on their errors, shapes (T, T)."""
    size = task.vocab_size
    law = root_law_at(task, transition)
    if epsilon == 0.0:
        _refuse_rare_symbols(transition, law)
    scale = law + epsilon
    # Symbols of probability zero are never seen: 0 / 0 = 0.
    inverse = np.divide(1.0, scale, out=np.zeros(size), where=scale > 0.0)
    slopes = transition * inverse
    chain = chain_powers(transition, law, int(structure.depths.max()), stationary=True)
    on_kinds, errors = kernels.pairs.kind_contractions(
        read_only(structure.kinds), tuple(map(read_only, chain)), read_only(slopes)
    )
    per_query = np.diagonal(slopes) - slopes @ law
    own = float(law @ per_query)
    value = structure.below(on_kinds, np.full(task.length, own))
    value[-1, :-1] = own
    value[-1, -1] = per_query.sum()
    roundoff = 4.0 * float(np.finfo(float).eps) * (task.length + size)
    error = structure.below(errors, np.full(task.length, roundoff * float(law @ slopes.sum(axis=1))))
    # On the edges slopes carry the relative error of the stationary law.
    error += roundoff * np.abs(value)
    error[-1, :-1] = roundoff * float(law @ slopes.sum(axis=1))
    error[-1, -1] = roundoff * slopes.sum()
    return value / size, error / size
