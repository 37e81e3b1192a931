"""The reach of stage 2: the loss of every multiple of the identity, beside the entropy floor."""

import numpy as np

from causal_theory.dynamics.learning_curve import LARGEST, best_multiple
from causal_theory.errors import InvalidArgumentError
from causal_theory.population.baselines import loss_floor
from causal_theory.population.parent_attention import parent_attention_loss
from causal_theory.specs import TaskSpec
from causal_theory.sweeps.studies.drawn import TASK, draw_task, epsilon_at
from causal_theory.sweeps.studies.parameters import Result, parameters
from causal_theory.validation import check_integer, check_positive


@parameters({**TASK, "largest": 20.0, "points": 21})
def learning_curve(
    *,
    task: TaskSpec,
    epsilon: float,
    largest: float,
    points: int,
    rng: np.random.Generator,
) -> Result:
    r"""Return the loss of the model whose first layer attends to the parents, along ``A2 = b I``.

    Parameters
    ----------
    length : int
        T, the query included.
    concentration : float, default 1
        Of the Dirichlet law of the rows of the transition matrix.
    graph : str, default "chain"
        A graph family, as on the command line.
    vocab_size : int, default 3
        S.
    floor : float, default 0
        Weight of the uniform law in every row.
    prior : {"orbit", "dirichlet"} or "module:Class", default "orbit"
        As in :func:`edge_recovery`.
    epsilon : float, default 0
        The constant inside the logarithm of the loss; 0 stands for 1/T.
    root_probability : float, default 0.5
        Of a random forest.
    largest : float, default 20
        The largest multiple b of the curve, at most 40.
    points : int, default 21
        Number of multiples, evenly spaced from 0.
    rng : numpy Generator
        Source of a random graph and of the matrix.

    Returns
    -------
    dict
        ``multiples`` and ``losses``, shape (points,); ``best_multiple`` and ``best_loss``: the minimum over all
        multiples from 0 to 40, not only those of the curve; ``best_at_end``: whether it is taken at 0 or 40, so that a
        multiple beyond may be better; ``entropy_floor``; ``excess``: best loss minus
        floor, negative at times, because f + eps is not normalised; ``normalised_excess``:
        :math:`\text{excess} + \log(1 + S \varepsilon)`, never negative. Losses in nats.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown or a number out of range.

    Notes
    -----
    Exact for an orbit, and for a Dirichlet law on two symbols; otherwise an average over 256 draws, the same ones for
    every multiple and for the floor.

    Examples
    --------
    >>> from causal_theory.sweeps.studies import learning_curve
    >>> found = learning_curve(length=20, concentration=0.5, rng=np.random.default_rng(0), points=5)
    >>> found["multiples"], bool(found["best_loss"] <= found["losses"].min() + 1e-6)
    (array([ 0.,  5., 10., 15., 20.]), True)
    """
    count = check_integer("points", points, 2)
    if check_positive("largest", largest) > LARGEST:
        raise InvalidArgumentError(f"largest must be at most {LARGEST:g}, got {largest}")
    drawn = draw_task(task, rng)
    constant, seed = epsilon_at(drawn.length, epsilon), int(rng.integers(2**63))
    copy = np.stack([np.eye(drawn.vocab_size)] * len(drawn.graph.target_parents))
    multiples = np.linspace(0.0, largest, count)
    losses = [float(parent_attention_loss(drawn, b * copy, epsilon=constant, rng=seed)) for b in multiples]
    best = best_multiple(drawn, epsilon=constant, rng=np.random.default_rng(seed))
    entropy = float(loss_floor(drawn, rng=seed))
    return {
        "multiples": multiples,
        "losses": np.array(losses),
        "best_multiple": best.multiple,
        "best_loss": best.loss,
        "best_at_end": best.at_end,
        "entropy_floor": entropy,
        "excess": best.loss - entropy,
        "normalised_excess": best.loss - entropy + float(np.log1p(drawn.vocab_size * constant)),
    }
