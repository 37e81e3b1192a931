"""Draw, compare and rename transition tensors, and turn what a prior was given into JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import TransitionError
from causal_theory.validation import SeedLike, check_entries, check_transition_tensors, own_array

if TYPE_CHECKING:
    from causal_theory.priors.base import Prior


def distance(given: ArrayLike, used: NDArray[np.float64]) -> float:
    """Return the largest distance between what was given and what is used."""
    return float(np.abs(used - np.asarray(given, dtype=np.float64)).max())


def divided_rows(name: str, value: ArrayLike) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return counts or rounded rows divided by their sums, and the smallest and the largest sum.

    Examples
    --------
    >>> divided_rows("counts", [[3, 1], [0, 2]])
    (array([[0.75, 0.25], [0. , 1. ]]), (2.0, 4.0))
    """
    rows = own_array(name, value)
    if rows.ndim == 0 or rows.size == 0:
        raise TransitionError(f"{name} must hold rows of numbers, got shape {rows.shape}")
    check_entries(name, rows)
    sums = np.array([_sum(row) for row in rows.reshape(-1, rows.shape[-1]).tolist()]).reshape((*rows.shape[:-1], 1))
    if not sums.all() or not np.isfinite(sums).all():
        wrong = np.argwhere((sums[..., 0] == 0.0) | ~np.isfinite(sums[..., 0]))[0]
        where = int(wrong[0]) if len(wrong) == 1 else tuple(wrong.tolist())
        raise TransitionError(
            f"{name} must have rows with a finite sum above 0, got {float(sums[tuple(wrong)][0])!r} in row {where}; "
            "leave out a symbol that nothing follows, or give the counts to estimate_transition with smoothing"
        )
    return rows / sums, (float(sums.min()), float(sums.max()))


def _sum(row: list[float]) -> float:
    try:
        return math.fsum(row)
    except OverflowError:
        return math.inf


def draw_laws(
    prior: "Prior", size: int, in_degrees: Sequence[int], rng: SeedLike = None
) -> dict[int, NDArray[np.float64]]:
    """Draw tensors for some numbers of parents, as `Prior.sample_transitions` does, and make sure that they are laws.

    Raises
    ------
    TransitionError
        If a prior of somebody's own draws arrays of another shape, or rows that are no laws within 1e-10.
    """
    single = tuple(in_degrees) == (1,)
    drawn = {1: prior.sample(size, rng)} if single else prior.sample_transitions(size, in_degrees, rng)
    if prior._draws_laws:
        return drawn
    laws, moved = {}, prior.moved
    for k in in_degrees:
        shape = (size,) + (prior.vocab_size,) * (k + 1)
        laws[k] = check_transition_tensors(f"the draws of {type(prior).__name__} for {k} parents", drawn[k], shape)
        moved = max(moved, distance(drawn[k], laws[k]))
    vars(prior)["_moved"] = moved
    return laws


def renamed(transitions: NDArray[np.float64], orders: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a stack of transition tensors with the symbols of each in another order, along all axes alike.

    Examples
    --------
    >>> renamed(np.array([[[0.9, 0.1], [0.2, 0.8]]]), np.array([[1, 0]])).tolist()
    [[[0.8, 0.2], [0.1, 0.9]]]
    """
    count, size = orders.shape
    parents = transitions.ndim - 2
    rows = np.arange(len(transitions)).reshape(-1, *[1] * (parents + 1))
    axes = (orders.reshape(count, *[1] * axis, size, *[1] * (parents - axis)) for axis in range(parents + 1))
    drawn: NDArray[np.float64] = transitions[(rows, *axes)]
    return drawn


def require_tensors(
    known: Sequence[Mapping[int, NDArray[np.float64]]], vocab_size: int, in_degrees: Sequence[int]
) -> None:
    """Refuse tensors of a rule that belong to another prior.

    Raises
    ------
    TransitionError
        If one lacks, or has another number of symbols.
    """
    for transitions in known:
        for k in in_degrees:
            if k not in transitions:
                raise TransitionError(
                    f"the rule must have a tensor for {k} parents, got those for {sorted(transitions)}"
                )
            if len(transitions[k]) != vocab_size:
                raise TransitionError(
                    f"tensors of the rule must have {vocab_size} symbols, as vocab_size says, got {len(transitions[k])}"
                )


def plain(value: Any) -> Any:
    """Return a value in terms of JSON."""
    if hasattr(value, "to_dict"):  # a prior that is part of another
        return value.to_dict()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
