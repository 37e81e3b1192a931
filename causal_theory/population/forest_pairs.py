"""Pairs of tokens of a forest under one transition matrix, in closed form along its paths."""

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.codes import CHI2
from causal_theory.pair_structure import Chain, PairStructure, chain_powers
from causal_theory.population.lost_symbols import lost_by_depth
from causal_theory.tasks import InContextTask, root_law_at

Array = NDArray[np.float64]


def forest_divergences(
    task: InContextTask, structure: PairStructure, code: int, transition: Array
) -> tuple[Array, Array]:
    """Return a divergence for every pair of tokens at one matrix, and bounds on the errors, shapes (T, T)."""
    chain, laws = _laws(task, structure, transition)
    relative = roundoff_of_laws(task)
    values, errors = kernels.pairs.kind_divergences(structure.kinds, tuple(chain), code, relative)
    diagonal = np.array([kernels.pairs.self_divergence(read_only(law), code) for law in laws])
    diagonal_errors = 2.0 * relative * diagonal
    if code == CHI2:
        lost = lost_by_depth(task, chain, transition)
        depth, first, second = structure.kinds.T
        errors += lost[depth + first] + lost[depth + second]
        diagonal_errors += np.where(laws.min(axis=1) > 0.0, 0.0, lost[structure.depths])
    return structure.spread(values, diagonal), structure.spread(errors, diagonal_errors)


def forest_joints(task: InContextTask, structure: PairStructure, transition: Array) -> tuple[Array, Array]:
    """Return the joint law of every pair of tokens at one matrix, and bounds on the errors, shapes (T, T, S, S)."""
    chain, laws = _laws(task, structure, transition)
    joint = _spread_joint(
        structure, kernels.pairs.kind_joints(read_only(structure.kinds), tuple(map(read_only, chain))), laws
    )
    return joint, joint_error(task, joint)


def mean_joint_over_names(joint: Array) -> Array:
    """Return the average of joint laws over relabelings of the symbols."""
    size = joint.shape[-1]
    diagonal = np.trace(joint, axis1=2, axis2=3)[..., None, None]
    # Summed, not subtracted from the total: the rest can be tiny.
    rest = joint.sum(axis=(2, 3), where=~np.eye(size, dtype=bool))[..., None, None] / (size * (size - 1))
    mean: Array = np.where(np.eye(size, dtype=bool), diagonal / size, rest)
    return mean


def _laws(task: InContextTask, structure: PairStructure, transition: Array) -> tuple[Chain, Array]:
    """Powers and laws by depth, and the law of every position."""
    stationary = task.root_law == "stationary"
    root_law = root_law_at(task, transition)
    chain = chain_powers(transition, root_law, int(structure.depths.max()), stationary=stationary)
    laws = chain.marginals[structure.depths]
    if not task.graph.parents[-1]:
        laws[-1] = 1.0 / task.vocab_size
    return chain, laws


def _spread_joint(structure: PairStructure, joints: Array, laws: Array) -> Array:
    """Give every pair the law of its kind; independent pairs the product of their laws."""
    length = len(laws)
    joint: Array = laws[:, None, :, None] * laws[None, :, None, :]
    for i in range(length):
        kinds = structure.index[i, :i]
        tied = np.flatnonzero(kinds >= 0)
        # A kind is stored with the earlier token first.
        joint[tied, i] = joints[kinds[tied]]
        joint[i, tied] = joints[kinds[tied]].transpose(0, 2, 1)
        joint[i, i] = np.diag(laws[i])
    return joint


def joint_error(task: InContextTask, joint: Array) -> Array:
    """Bound the errors of joint probabilities: relative, but for those that may have underflowed."""
    error: Array = 2.0 * roundoff_of_laws(task) * joint + np.where(
        joint < kernels.pairs.TINY, kernels.pairs.UNDERFLOW, 0.0
    )
    return error


def roundoff_of_laws(task: InContextTask) -> float:
    """Relative roundoff of a probability that is a sum of products of at most T factors."""
    return 4.0 * float(np.finfo(float).eps) * (task.length + task.vocab_size)
