"""The priors: exact laws of their samples, means, immutability, bad input."""

import json
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from causal_theory.errors import InvalidArgumentError, TransitionError
from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior, Prior
from causal_theory.priors.drawn import DrawnPrior
from tests.helpers import assert_close

FALSE_ALARM = 1e-6
"""Probability that a statistical test of this file fails for a correct sampler; seeds are fixed."""

GENERIC = np.array([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1], [0.25, 0.15, 0.6]])

PRIORS = [
    PointPrior(GENERIC),
    OrbitPrior(GENERIC),
    DirichletPrior(3, 0.1),
    DirichletPrior(3, 1.0, floor=0.25),
    DrawnPrior(DirichletPrior(3, 1.0), 4, rng=0),
]


class TestAllPriors:
    @pytest.mark.parametrize("prior", PRIORS, ids=repr)
    def test_samples_are_transition_matrices_of_the_right_shape(self, prior):
        assert isinstance(prior, Prior)
        draws = prior.sample(50, rng=0)
        assert draws.shape == (50, 3, 3)
        assert draws.min() >= 0.0
        assert_close(draws.sum(axis=2), np.ones((50, 3)), rtol=1e-14)

    @pytest.mark.parametrize("prior", PRIORS[1:], ids=repr)
    def test_seed_decides(self, prior):
        assert np.array_equal(prior.sample(20, rng=7), prior.sample(20, np.random.default_rng(7)))
        assert not np.array_equal(prior.sample(20, rng=7), prior.sample(20, rng=8))
        generator = np.random.default_rng(7)
        assert not np.array_equal(prior.sample(20, generator), prior.sample(20, generator))

    @pytest.mark.parametrize("prior", PRIORS, ids=repr)
    def test_mean_is_the_mean_of_the_draws(self, prior):
        """Each entry within the two-sided normal bound of its standard error, shared over nine entries."""
        draws = prior.sample(20_000, rng=1)
        error = draws.std(axis=0) / np.sqrt(len(draws))
        bound = stats.norm.isf(FALSE_ALARM / 18)
        assert np.all(np.abs(draws.mean(axis=0) - prior.mean) <= bound * error + 1e-12)
        assert_close(prior.mean.sum(axis=1), np.ones(3), rtol=1e-14)

    @pytest.mark.parametrize("prior", PRIORS, ids=repr)
    @pytest.mark.parametrize("size", [0, -1, 1.5, "3", True])
    def test_bad_size(self, prior, size):
        with pytest.raises(InvalidArgumentError, match="size must be an integer of at least 1"):
            prior.sample(size, rng=0)

    @pytest.mark.parametrize("prior", PRIORS[1:], ids=repr)
    def test_bad_rng(self, prior):
        with pytest.raises(InvalidArgumentError, match="rng must be a seed"):
            prior.sample(2, rng="seed")

    @pytest.mark.parametrize("kind", [PointPrior, OrbitPrior])
    @pytest.mark.parametrize(
        ("matrix", "match"),
        [
            ([[0.5, 0.4], [0.5, 0.5]], "transition must have rows that sum to 1"),
            ([[1.5, -0.5], [0.5, 0.5]], "transition must have finite entries of at least 0"),
            ([[np.nan, 0.5], [0.5, 0.5]], "transition must have finite entries"),
            ([[1.0]], "transition must be a square matrix with at least 2 symbols"),
            ("ab", "transition must be an array of real numbers"),
        ],
    )
    def test_bad_matrix(self, kind, matrix, match):
        with pytest.raises(TransitionError, match=match):
            kind(matrix)

    @pytest.mark.parametrize("kind", [PointPrior, OrbitPrior])
    def test_matrix_is_copied_and_locked(self, kind):
        source = GENERIC.copy()
        prior = kind(source)
        source[:] = 1 / 3
        assert np.array_equal(prior.transition, GENERIC)
        assert prior.representative is prior.transition
        assert prior.vocab_size == 3
        with pytest.raises(ValueError, match="read-only"):
            prior.transition[0, 0] = 0.0
        with pytest.raises(AttributeError):
            prior.transition = GENERIC


class TestPointPrior:
    def test_every_draw_is_the_matrix(self):
        draws = PointPrior(GENERIC).sample(4)
        assert all(np.array_equal(draw, GENERIC) for draw in draws)
        assert not draws.flags.writeable

    def test_repr(self):
        assert repr(PointPrior([[0.5, 0.5], [1, 0]])) == "PointPrior([[0.5, 0.5], [1, 0]])"
        assert repr(PointPrior(np.full((10, 10), 0.1))) == "PointPrior(10x10 matrix)"


class TestOrbitPrior:
    def test_relabelings_are_all_relabelings(self):
        """Each order of the symbols once: entry (a, b) of the result is entry (order[a], order[b])."""
        prior = OrbitPrior(GENERIC)
        found = list(prior.relabelings())
        assert len(found) == prior.permutations_count == 6
        for matrix, order in zip(found, permutations(range(3)), strict=True):
            expected = [[GENERIC[order[a], order[b]] for b in range(3)] for a in range(3)]
            assert np.array_equal(matrix, expected)
        assert len({matrix.tobytes() for matrix in found}) == 6

    def test_mean_is_the_average_of_the_relabelings(self):
        generator = np.random.default_rng(0)
        for size in (2, 3, 4):
            prior = OrbitPrior(generator.dirichlet(np.ones(size), size=size))
            assert_close(prior.mean, np.mean(list(prior.relabelings()), axis=0), rtol=1e-13)

    def test_draws_are_uniform_over_the_relabelings(self):
        prior = OrbitPrior(GENERIC)
        seen = Counter(draw.tobytes() for draw in prior.sample(12_000, rng=2))
        keys = [matrix.tobytes() for matrix in prior.relabelings()]
        assert set(seen) == set(keys)
        assert stats.chisquare([seen[key] for key in keys]).pvalue > FALSE_ALARM

    def test_repr(self):
        assert repr(OrbitPrior([[0.5, 0.5], [1, 0]])) == "OrbitPrior([[0.5, 0.5], [1, 0]])"


class TestDirichletPrior:
    @pytest.mark.parametrize("concentration", [1e-3, 0.1, 1.0, 7.5, 1e4])
    @pytest.mark.parametrize("size", [2, 5])
    def test_marginals_are_beta(self, size, concentration):
        """Kolmogorov-Smirnov test of one entry per draw; draws below the smallest double sit at the first step."""
        draws = DirichletPrior(size, concentration).sample(4000, rng=3)[:, 1, 0]
        law = stats.beta(concentration, (size - 1) * concentration)
        points = np.geomspace(1e-300, 1.0, 400)[:-1] if concentration < 1 else np.linspace(0, 1, 401)[1:-1]
        share = np.searchsorted(np.sort(draws), points, side="right") / draws.size
        critical = np.sqrt(-np.log(FALSE_ALARM / 2) / (2 * draws.size))  # Dvoretzky, Kiefer and Wolfowitz
        assert np.abs(share - law.cdf(points)).max() <= critical

    @pytest.mark.parametrize("concentration", [0.05, 0.3, 1.0, 3.0])
    def test_variance_of_an_entry(self, concentration):
        """Var(D) = (S - 1) / (S^2 (S alpha + 1)), to about one percent: a slip in the shape parameter shows."""
        count = 200_000
        squares = (DirichletPrior(2, concentration).sample(count, rng=10)[:, :, 0].ravel() - 0.5) ** 2
        bound = stats.norm.isf(FALSE_ALARM / 8) / np.sqrt(2 * count)
        assert abs(squares.mean() - 0.25 / (2 * concentration + 1)) <= bound * squares.std()

    def test_entries_of_a_row_have_the_dirichlet_covariance(self):
        """Cov(D_a, D_b) = -1 / (S^2 (S alpha + 1)); rows are uncorrelated."""
        size, alpha, count = 3, 0.5, 40_000
        centred = DirichletPrior(size, alpha).sample(count, rng=4) - 1 / size
        bound = stats.norm.isf(FALSE_ALARM / 4) / np.sqrt(count)
        for product, expected in [
            (centred[:, 0, 0] * centred[:, 0, 1], -1 / (size**2 * (size * alpha + 1))),
            (centred[:, 0, 0] * centred[:, 1, 0], 0.0),
        ]:
            assert abs(product.mean() - expected) <= bound * product.std()

    @pytest.mark.parametrize("concentration", [1e-300, 1e-30, 1e-5, 1e15, 1e300])
    def test_extreme_concentrations_stay_finite(self, concentration):
        draws = DirichletPrior(4, concentration).sample(200, rng=5)
        assert np.isfinite(draws).all()
        assert_close(draws.sum(axis=2), np.ones((200, 4)), rtol=1e-14)
        if concentration < 1:
            assert np.all(draws.max(axis=2) > 0.99)
        else:
            assert_close(draws, np.full(draws.shape, 0.25), rtol=1e-6)  # standard deviation 2e-8 of the law itself

    def test_floor_mixes_with_the_uniform_matrix(self):
        plain = DirichletPrior(4, 0.1).sample(100, rng=6)
        floored = DirichletPrior(4, 0.1, floor=0.2).sample(100, rng=6)
        assert_close(floored, 0.05 + 0.8 * plain, rtol=1e-15)

    def test_attributes(self):
        prior = DirichletPrior(4, 0.1, floor=0.2)
        assert (prior.vocab_size, prior.concentration, prior.floor) == (4, 0.1, 0.2)
        assert prior.representative is None
        assert repr(prior) == "DirichletPrior(4, 0.1, floor=0.2)"
        assert repr(DirichletPrior(4, 1)) == "DirichletPrior(4, 1)"
        with pytest.raises(AttributeError):
            prior.floor = 0.0

    @pytest.mark.parametrize(
        ("arguments", "floor", "match"),
        [
            ((1, 0.1), 0.0, "vocab_size must be an integer of at least 2, got 1"),
            ((2.0, 0.1), 0.0, "vocab_size must be an integer"),
            ((3, 0.0), 0.0, "concentration must be a finite number greater than 0, got 0.0"),
            ((3, np.inf), 0.0, "concentration must be a finite number"),
            ((3, 1e-301), 0.0, r"concentration must be between 1e-300 and 1e\+300"),
            ((3, 0.1), -0.1, "floor must be a number between 0 and 1, got -0.1"),
            ((3, 0.1), np.nan, "floor must be a number between 0 and 1"),
            ((3, 0.1), 1.0, "floor must be less than 1"),
        ],
    )
    def test_bad_input(self, arguments, floor, match):
        with pytest.raises(InvalidArgumentError, match=match):
            DirichletPrior(*arguments, floor=floor)


class TestDrawnPrior:
    PRIOR = DirichletPrior(3, 0.5)

    def test_matrices_are_draws_of_the_prior_fixed_for_good(self):
        prior = DrawnPrior(self.PRIOR, 5, rng=9)
        assert np.array_equal(prior.matrices, self.PRIOR.sample(5, np.random.default_rng(9)))
        with pytest.raises(ValueError, match="read-only"):
            prior.matrices[0, 0, 0] = 1.0
        assert (prior.vocab_size, prior.representative) == (3, None)
        assert repr(prior) == "DrawnPrior(DirichletPrior(3, 0.5), 5)"

    def test_continues_a_generator(self):
        rng = np.random.default_rng(9)
        first, second = DrawnPrior(self.PRIOR, 2, rng), DrawnPrior(self.PRIOR, 2, rng)
        assert not np.array_equal(first.matrices, second.matrices)

    def test_samples_are_relabelings_of_the_draws(self):
        prior = DrawnPrior(self.PRIOR, 2, rng=3)
        orders = list(permutations(range(3)))
        allowed = {draw[np.ix_(order, order)].tobytes(): 0 for draw in prior.matrices for order in orders}
        for matrix in prior.sample(6000, rng=4):
            allowed[matrix.tobytes()] += 1
        assert len(allowed) == 12
        assert stats.chisquare(list(allowed.values())).pvalue > FALSE_ALARM

    def test_smoothing_is_that_of_the_prior(self):
        assert DrawnPrior(self.PRIOR, 2, rng=3).smoothing == self.PRIOR.smoothing == 0.5

    def test_mean_is_the_average_over_all_relabelings(self):
        prior = DrawnPrior(self.PRIOR, 3, rng=5)
        assert_close(prior.mean, np.mean([OrbitPrior(draw).mean for draw in prior.matrices], axis=0), rtol=1e-14)

    @pytest.mark.parametrize(
        ("prior", "draws", "match"),
        [
            (PRIOR, 1, "draws must be an integer of at least 2, got 1"),
            (PRIOR, 2.5, "draws must be an integer"),
            (GENERIC, 3, "prior must be a Prior, got ndarray"),
        ],
    )
    def test_bad_input(self, prior, draws, match):
        with pytest.raises(InvalidArgumentError, match=match):
            DrawnPrior(prior, draws, rng=0)


class Blend(Prior):
    """A prior of somebody's own: uniform rows, moved towards a matrix."""

    vocab_size = 3
    mean = np.full((3, 3), 1 / 3)

    def __init__(self, share, towards, label="x"):
        self.share, self.towards, self._label = share, towards, label

    def sample(self, size, rng=None):
        rows = np.random.default_rng(rng).dirichlet(np.ones(3), size=(size, 3))
        return (1 - self.share) * rows + self.share * np.asarray(self.towards)


class TestToDict:
    def test_priors_of_the_package(self):
        sloppy = np.array([[0.5, 0.5 + 1e-11], [0.25, 0.75]])
        assert DirichletPrior(4, 0.1, floor=0.5).to_dict() == {
            "kind": "dirichlet",
            "symbols": 4,
            "concentration": 0.1,
            "floor": 0.5,
        }
        assert PointPrior([[0.5, 0.5], [1, 0]]).to_dict() == {"kind": "point", "transition": [[0.5, 0.5], [1.0, 0.0]]}
        assert OrbitPrior(sloppy).to_dict()["moved"] == OrbitPrior(sloppy).moved > 0.0
        assert OrbitPrior({2: np.full((2, 2, 2), 0.5)}).to_dict() == {
            "kind": "orbit",
            "transition": {"2": [[[0.5, 0.5]] * 2] * 2},
        }

    @pytest.mark.parametrize("prior", [*PRIORS, Blend(0.5, GENERIC)], ids=lambda prior: type(prior).__name__)
    def test_json_takes_it(self, prior):
        assert json.loads(json.dumps(prior.to_dict())) == prior.to_dict()

    def test_a_class_of_your_own(self):
        """What the constructor took, as far as public attributes hold it."""
        assert Blend(0.25, GENERIC).to_dict() == {
            "kind": f"{__name__}:Blend",
            "symbols": 3,
            "share": 0.25,
            "towards": GENERIC.tolist(),
        }

    def test_a_subclass_is_not_taken_for_its_base(self):
        class Other(DirichletPrior):
            pass

        assert Other(3, 0.5).to_dict()["kind"].endswith("Other")


class TestFixed:
    @pytest.mark.parametrize("prior", [PointPrior(GENERIC), OrbitPrior(GENERIC), PRIORS[-1]], ids=repr)
    def test_nothing_to_fix(self, prior):
        assert prior.fixed(5, rng=0) is prior

    def test_draws_of_a_symmetric_prior_stand_for_their_relabelings(self):
        prior = DirichletPrior(3, 0.5)
        assert np.array_equal(prior.fixed(4, rng=3).matrices, prior.sample(4, rng=3))
        assert prior.fixed(4, rng=3).symmetric

    def test_names_are_kept_otherwise(self):
        fixed = Blend(0.5, GENERIC).fixed(4, rng=1)
        known = {matrix.tobytes() for matrix in fixed.matrices}
        assert {matrix.tobytes() for matrix in fixed.sample(50, rng=2)} <= known
        assert_close(fixed.mean, fixed.matrices.mean(axis=0), rtol=0.0)


def test_smoothing_is_the_concentration():
    assert [prior.smoothing for prior in PRIORS] == [1.0, 1.0, 0.1, 1.0, 1.0]
    assert DirichletPrior(3, 0.25).smoothing == 0.25
