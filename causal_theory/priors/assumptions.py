"""The four assumptions of the theory on the prior, checked one by one with a witness.

For some gamma > 0:

1. lower bound: ``min pi >= gamma / S`` almost surely;
2. non-degeneracy: ``||B||_F >= gamma`` almost surely, with
   ``B[a, b] = sqrt(mu_a / mu_b) pi[a, b] - sqrt(mu_a mu_b)``;
3. symmetry: the law of ``pi`` does not change when the symbols are relabelled;
4. constant mean: ``E[pi] = 11^T / S``.
"""

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.priors.base import Prior
from causal_theory.priors.verdicts import AssumptionReport
from causal_theory.validation import SeedLike, check_integer


@default_floats
def check_assumptions(prior: Prior, *, draws: int = 1000, rng: SeedLike = 0) -> AssumptionReport:
    """Check the four assumptions of the theory on a prior.

    1. lower bound: ``min pi >= gamma/S`` almost surely, for some gamma > 0;
    2. non-degeneracy: ``||B||_F >= gamma`` almost surely, with the matrix B of `chi2_matrix`;
    3. symmetry: the law of ``pi`` is invariant under relabeling of the symbols;
    4. constant mean: ``E[pi] = 11^T/S``.

    For the priors of the package the verdicts are exact, up to a tolerance of 1e-12 for roundoff in the given matrix.
    Draws are then only used for the witness of (2) under a Dirichlet prior. A prior of your own is judged by its mean,
    which decides (4) and can refute (3), and by draws, which can refute (1) and (2) but prove neither: what they leave
    open has the verdict None. It says more by overriding `Prior.assumptions`.

    Parameters
    ----------
    prior : Prior
        The prior.
    draws : int, default 1000
        Number of matrices drawn.
    rng : seed or numpy Generator, default 0
        Source of randomness.

    Returns
    -------
    AssumptionReport
        Four checks, each with its witness.

    Raises
    ------
    InvalidArgumentError
        If ``prior`` is no prior, or ``draws`` is not a positive integer.

    Examples
    --------
    >>> from causal_theory import DirichletPrior, OrbitPrior, check_assumptions
    >>> report = check_assumptions(DirichletPrior(3, 1.0))
    >>> [check.name for check in report if not check.holds]
    ['lower_bound', 'non_degeneracy']
    >>> print(check_assumptions(OrbitPrior([[0.25, 0.75], [0.25, 0.75]])).non_degeneracy.witness)
    ||B||_F = 0 up to roundoff
    """
    count = check_integer("draws", draws, 1)
    if not isinstance(prior, Prior):
        raise InvalidArgumentError(
            "prior must be a PointPrior, an OrbitPrior, a DirichletPrior or of another subclass of Prior, got "
            f"{type(prior).__name__}"
        )
    return prior.assumptions(draws=count, rng=rng)
