"""From which length on all parents win."""

import numpy as np

from causal_theory.errors import InvalidArgumentError
from causal_theory.falsification.critical import critical_length as critical_length_of
from causal_theory.specs import TaskSpec
from causal_theory.sweeps.studies.drawn import TASK, draw_prior, epsilon_at
from causal_theory.sweeps.studies.parameters import Result, parameters
from causal_theory.validation import check_integer

PARAMETERS = {
    **{name: TASK[name] for name in ("concentration", "graph", "vocab_size", "floor", "prior", "epsilon")},
    "shortest": 3,
    "longest": 64,
}

NEVER = -1
"""Stands for no length."""


@parameters(PARAMETERS)
def critical_length(
    *,
    task: TaskSpec,
    epsilon: float,
    shortest: int,
    longest: int,
    rng: np.random.Generator,
) -> Result:
    """Return the first length at which all parents win, and the one from which on they always do.

    Parameters
    ----------
    concentration : float, default 1
        Of the Dirichlet law of the rows of the transition matrix.
    graph : str, default "chain"
        A family of forests that draws nothing, as on the command line.
    vocab_size : int, default 3
        S.
    floor : float, default 0
        Weight of the uniform law in every row.
    prior : {"orbit", "dirichlet"} or "module:Class", default "orbit"
        As in :func:`edge_recovery`.
    epsilon : float, default 0
        The constant inside the logarithm of the loss; 0 stands for 1/T.
    shortest, longest : int, default 3 and 64
        Lengths T looked at, both included.
    rng : numpy Generator
        Source of the matrix, the same one at every length.

    Returns
    -------
    dict
        ``first`` and ``stays``: the two lengths, -1 when there is none up to ``longest``; ``undecided``: lengths at
        which the error bar hides the sign; ``lengths``, ``margins`` and ``margin_errors``, one entry for each length.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown or a number out of range.

    Notes
    -----
    This is :func:`causal_theory.falsification.critical_length`: exact for an orbit and for a Dirichlet law on two
    symbols, otherwise with the standard errors of 256 draws.

    Examples
    --------
    >>> from causal_theory.sweeps.studies import critical_length
    >>> found = critical_length(concentration=1.0, longest=12, rng=np.random.default_rng(0))
    >>> found["first"], found["stays"], found["undecided"]
    (3, 3, 0)
    """
    low = check_integer("shortest", shortest, 2)
    if check_integer("longest", longest, 2) < low:
        raise InvalidArgumentError(f"longest must be at least shortest = {low}, got {longest}")
    found = critical_length_of(
        task.name_of("graph"),
        draw_prior(task, rng),
        lambda length: epsilon_at(length, epsilon),
        lengths=range(low, longest + 1),
        rng=rng,
    )
    return {
        "first": NEVER if found.first is None else found.first,
        "stays": NEVER if found.stays is None else found.stays,
        "undecided": len(found.undecided),
        "lengths": found.lengths,
        "margins": found.margins,
        "margin_errors": found.errors,
    }
