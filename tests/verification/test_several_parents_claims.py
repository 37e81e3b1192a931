"""What the claims on tokens with several parents are built from."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from verification.claims import pairwise_information_is_not_enough as pairwise

TENTH = Fraction(1, 10)

# Claim 18: pairs of tokens.


def informations_by_hand(kernel, subset, length=9):
    """Chi-square, total variation and modified chi-square from the probability of every sequence, in fractions."""
    size = len(kernel)
    joint, sets, token = {}, {}, {}
    for sequence in product(range(size), repeat=length):
        p = Fraction(1, size**2)
        for a, b, c in zip(sequence, sequence[1:], sequence[2:], strict=False):
            p *= kernel[a, b, c]
        z, e = tuple(sequence[j] for j in subset), sequence[-1]
        joint[z, e] = joint.get((z, e), 0) + p
        sets[z] = sets.get(z, 0) + p
        token[e] = token.get(e, 0) + p
    cells = [(joint[z, e], sets[z], token[e]) for z, e in joint if sets[z] * token[e]]
    return {
        "chi2": sum((p / q / r - 1) ** 2 * q * r for p, q, r in cells),
        "tv": sum(max(p - q * r, Fraction(0)) for p, q, r in cells),
        "modified_chi2": sum(q**2 * ((p / q) ** 2 / r - r) for p, q, r in cells),
    }


@pytest.mark.parametrize("subset", [(5,), (7,), (6, 7), (2, 5)])
def test_informations_in_fractions(subset):
    kernel = pairwise.rational_kernel(2, np.random.default_rng(1))
    case = pairwise.Exact("random", kernel)
    for measure, value in informations_by_hand(kernel, subset).items():
        assert case.rational(subset, measure) == value


def test_informations_of_a_sum_in_closed_form():
    """With noise 1/10 each step of the exclusive or flips with correlation 4/5: one step from 6 and 7, two from 5."""
    case = pairwise.Exact("sum", pairwise.sum_of_parents(2, TENTH))
    assert case.hidden
    assert case.rational((6, 7)) == Fraction(4, 5) ** 2
    assert case.singles == (0, 0, Fraction(4, 5) ** 8, 0, 0, Fraction(4, 5) ** 4, 0, 0)
    assert case.bars < 1.0


def test_copies_do_not_hide():
    case = pairwise.Exact("copy", pairwise.copy_of_a_parent(3, TENTH))
    assert case.singles[7] == case.rational((6, 7)) > 0
    assert not case.hidden
    assert pairwise._hidden_part([case]).verdict == "fails"


def test_rational_kernels_are_laws():
    kernel = pairwise.rational_kernel(3, np.random.default_rng(0))
    assert (kernel.sum(axis=2) == 1).all()
    assert {type(entry) for entry in kernel.flat} == {Fraction}
    counts, whole = pairwise.sequence_counts(kernel, 9)
    assert counts.sum() == whole
    with pytest.raises(OverflowError, match="smaller common denominator"):
        pairwise.sequence_counts(kernel, 20)


def test_an_engine_that_is_off_is_noticed(monkeypatch):
    case = pairwise.Exact("sum", pairwise.sum_of_parents(2, TENTH))
    monkeypatch.setattr(pairwise, "rational_information", lambda *_: Fraction(1, 10**9))
    assert pairwise._engine_part([case]).verdict == "fails"


def made_up(top, draws=100, lead=1.0):
    """Informations whose parents are on top for some of the draws."""
    found = np.tile([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0 + lead], (draws, 1))
    found[:, 5] = np.where(np.arange(draws) < top, 0.5, 3.0)
    return pairwise.Draws(3, 0.1, found)


def test_shares_with_their_intervals():
    found = made_up(40)
    assert (found.count, found.share) == (40, 0.4)
    low, high = found.interval  # Clopper and Pearson for 40 of 100, as printed in tables
    assert (round(low, 4), round(high, 4)) == (0.3033, 0.5028)
    assert made_up(0).interval[0] == 0.0
    assert made_up(100).interval[1] == 1.0
    assert pairwise._share_part(found).verdict == "holds"
    assert pairwise._share_part(made_up(70)).verdict == "fails"


def test_least_lead_is_paired():
    found = made_up(90)
    found.informations[:, :5] += np.linspace(0.0, 0.1, 100)[:, None]  # the others vary too
    lead, bars, pair = found.lead
    gaps = np.where(np.arange(100) < 90, 0.5, -2.0)
    assert pair == (6, 5)
    assert lead == pytest.approx(gaps.mean(), rel=1e-12)
    assert bars == pytest.approx(gaps.mean() / (gaps.std(ddof=1) / 10.0), rel=1e-12)
