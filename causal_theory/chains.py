"""Stationary laws of transition matrices and the mixing of a chain."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory import kernels
from causal_theory.errors import TransitionError
from causal_theory.floats import default_floats
from causal_theory.kernels.arrays import read_only
from causal_theory.validation import ROW_SUM_TOLERANCE, check_transition_matrix, normalised

__all__ = ["chi2_matrix", "closed_classes", "mixing_decay", "stationary_distribution", "stationary_distributions"]


@default_floats
def stationary_distribution(pi: ArrayLike) -> NDArray[np.float64]:
    r"""Return the stationary law of a transition matrix.

    The unique probability vector with :math:`\mu^\top \pi = \mu^\top`, by the elimination of Grassmann, Taksar and
    Heyman [1]_. It never subtracts, so every entry has a relative error of a few units of roundoff times S [2]_,
    also when the chain is nearly reducible, with entries down to 1e-300. The diagonal is not used: it counts as one
    minus the rest of its row.

    Parameters
    ----------
    pi : array_like of shape (S, S)
        Transition matrix, ``pi[a, b] = P(child = b | parent = a)``. Rows that sum to one up to 1e-10 are normalised.

    Returns
    -------
    ndarray of shape (S,)
        The law. It is exactly 0 at transient symbols, and where it is below the smallest positive double.

    Raises
    ------
    TransitionError
        If ``pi`` is not a transition matrix, or has several closed classes, which the message lists: then the
        stationary law is not unique.

    References
    ----------
    .. [1] W. K. Grassmann, M. I. Taksar, D. P. Heyman, "Regenerative analysis and steady state distributions for
       Markov chains", Operations Research 33 (1985), 1107-1116.
    .. [2] C. A. O'Cinneide, "Entrywise perturbation theory and error analysis for Markov chains", Numerische
       Mathematik 65 (1993), 109-120.

    Examples
    --------
    >>> stationary_distribution([[0.5, 0.5], [0.25, 0.75]])
    array([0.33333333, 0.66666667])
    >>> stationary_distribution([[0.5, 0.5], [0.0, 1.0]])
    array([0., 1.])
    """
    law: NDArray[np.float64] = laws_of(check_transition_matrix("pi", pi)[np.newaxis])[0]
    return law


@default_floats
def stationary_distributions(pis: ArrayLike) -> NDArray[np.float64]:
    """Return the stationary laws of a stack of transition matrices.

    Parameters
    ----------
    pis : array_like of shape (n, S, S)
        Transition matrices.

    Returns
    -------
    ndarray of shape (n, S)
        The law of each matrix, as `stationary_distribution` computes it.

    Raises
    ------
    TransitionError
        If one of them is not a transition matrix, or has several closed classes. The message gives its index.

    Examples
    --------
    >>> stationary_distributions([[[0.5, 0.5], [0.5, 0.5]], [[0.0, 1.0], [1.0, 0.0]]])
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    try:
        matrices = np.ascontiguousarray(pis, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TransitionError(f"pis must be a stack of square matrices of numbers: {error}") from error
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2] or matrices.shape[1] < 2:
        raise TransitionError(f"pis must have shape (n, S, S) with S >= 2, got shape {matrices.shape}")
    good = np.all(matrices >= 0.0, axis=(1, 2))  # False for NaN; infinity fails the sums
    good &= np.all(np.abs(matrices.sum(axis=2) - 1.0) <= ROW_SUM_TOLERANCE, axis=1)
    if not good.all():
        item = int(np.flatnonzero(~good)[0])
        check_transition_matrix(f"pis[{item}]", matrices[item])
    return laws_of(normalised(matrices))


@default_floats
def closed_classes(pi: ArrayLike) -> list[list[int]]:
    """Return the closed classes of a transition matrix: the sets of symbols that cannot be left.

    Parameters
    ----------
    pi : array_like of shape (S, S)
        Transition matrix. Every positive entry counts as a possible step, however small.

    Returns
    -------
    list of lists of int
        Sorted symbols of each class, ordered by their first symbol. The stationary law is unique when there is one.

    Raises
    ------
    TransitionError
        If ``pi`` is not a transition matrix.

    Examples
    --------
    >>> closed_classes([[1.0, 0.0, 0.0], [0.3, 0.3, 0.4], [0.0, 0.0, 1.0]])
    [[0], [2]]
    """
    matrix = check_transition_matrix("pi", pi)
    if matrix.all():
        return [list(range(len(matrix)))]
    return _closed_classes(_reach(matrix[np.newaxis])[0])


@default_floats
def chi2_matrix(pi: ArrayLike) -> NDArray[np.float64]:
    r"""Return the matrix whose squared Frobenius norm is the chi-square information of one edge.

    .. math:: B_{ab} = \sqrt{\mu_a / \mu_b}\, \pi_{ab} - \sqrt{\mu_a \mu_b}

    with the stationary law :math:`\mu`. Rows and columns of symbols with :math:`\mu = 0` are 0, following the
    convention 0/0 = 0.

    Parameters
    ----------
    pi : array_like of shape (S, S)
        Transition matrix.

    Returns
    -------
    ndarray of shape (S, S)
        The matrix B, with ``B sqrt(mu) = 0`` and ``sqrt(mu) B = 0``.

    Raises
    ------
    TransitionError
        If ``pi`` is not a transition matrix with one closed class.

    Examples
    --------
    >>> chi2_matrix([[0.75, 0.25], [0.25, 0.75]])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    matrix = check_transition_matrix("pi", pi)
    return chi2_under(matrix, laws_of(matrix[np.newaxis])[0])


def chi2_under(matrix: NDArray[np.float64], law: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same for a checked matrix and its stationary law."""
    root = np.sqrt(law)
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
    return np.asarray(root[:, np.newaxis] * matrix * inverse - np.outer(root, root), dtype=np.float64)


@default_floats
def mixing_decay(pi: ArrayLike) -> float:
    """Return the largest singular value of :func:`chi2_matrix`, in [0, 1].

    It is the maximal correlation of a parent and its child under the stationary law: the factor by which every
    edge of a path shrinks the dependence between its ends.

    Parameters
    ----------
    pi : array_like of shape (S, S)
        Transition matrix.

    Returns
    -------
    float
        The largest singular value; a value that roundoff has lifted above 1 is returned as 1.

    Raises
    ------
    TransitionError
        If ``pi`` is not a transition matrix with one closed class.

    Examples
    --------
    >>> round(mixing_decay([[0.75, 0.25], [0.25, 0.75]]), 12)
    0.5
    """
    return min(1.0, float(np.linalg.norm(chi2_matrix(pi), 2)))


def laws_of(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the stationary laws of checked matrices (n, S, S)."""
    recurrent = np.ones(matrices.shape[:2], dtype=np.bool_)
    sparse = np.flatnonzero((matrices == 0.0).any(axis=(1, 2)))
    if sparse.size:
        reach = _reach(matrices[sparse])
        found = recurrent[sparse] = _is_recurrent(reach)
        several = (found[:, :, np.newaxis] & found[:, np.newaxis, :] & ~reach).any(axis=(1, 2))
        if several.any():
            worst = int(np.flatnonzero(several)[0])
            name = "pi" if len(matrices) == 1 else f"pis[{sparse[worst]}]"
            listed = _closed_classes(reach[worst])
            raise TransitionError(
                f"{name} must have a unique stationary law, hence one closed class, "
                f"got {len(listed)} closed classes of symbols: {', '.join(map(str, listed))}"
            )
    laws = np.empty(matrices.shape[:2])
    kernels.interpreted.run_kernel(
        kernels.gth.stationary_laws, matrices.size * matrices.shape[1], read_only(matrices), read_only(recurrent), laws
    )
    return laws


def _reach(matrices: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which symbols lead to which in any number of steps, none included, for all matrices (n, S, S) at once."""
    size = matrices.shape[1]
    reach = (matrices > 0.0) | np.eye(size, dtype=np.bool_)
    for _ in range((size - 1).bit_length()):
        steps = reach.astype(np.float32)
        reach = steps @ steps > 0.0
    return reach


def _is_recurrent(reach: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which symbols are in a closed class: all that they reach leads back to them."""
    back = reach.swapaxes(-1, -2)
    return np.asarray((reach <= back).all(axis=-1))


def _closed_classes(reach: NDArray[np.bool_]) -> list[list[int]]:
    """List the symbols of each closed class, classes ordered by their first symbol."""
    classes = {tuple(np.flatnonzero(row).tolist()) for row in reach[_is_recurrent(reach)]}
    return [list(symbols) for symbols in sorted(classes)]
