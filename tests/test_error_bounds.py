"""Error bars of the exact engines are bounds: the true value, a fraction, lies inside. And planted bugs do not pass."""

import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    InContextTask,
    PointPrior,
    certify_edge_scores,
    edge_scores,
    limit_edge_scores,
    pairwise_information,
)
from causal_theory.certificates.rationals import stationary_law
from causal_theory.errors import TransitionError

ROOT = Path(__file__).parent.parent
CASES = 2000


def dyadic_matrix(rng, size):
    """A transition matrix that floats hold exactly, with zeros and entries of very different size."""
    digits = int(rng.choice([3, 8, 24]))
    rows = []
    for _ in range(size):
        counts = rng.multinomial(2**digits, rng.dirichlet(np.full(size, rng.choice([0.05, 0.3, 1.0, 5.0]))))
        rows.append(tuple(Fraction(int(count), 2**digits) for count in counts))
    return tuple(rows)


def random_instance(rng):
    """A forest of 2 to 8 tokens over 2 to 4 symbols, and an eps from 1e-5 to 200 that floats hold exactly."""
    graph = CausalGraph.random_forest(int(rng.integers(2, 9)), float(rng.choice([0.0, 0.3, 0.6])), rng)
    while True:
        matrix = dyadic_matrix(rng, int(rng.integers(2, 5)))
        try:
            stationary_law(matrix)
        except TransitionError:
            continue
        epsilon = Fraction(int(rng.integers(1, 201)), 2 ** int(rng.integers(0, 17)))
        return graph, matrix, epsilon, str(rng.choice(["stationary", "uniform"]))


def outside(estimate, rows):
    """Return the entries whose true value is not within the error bar, and the largest share of it that is used."""
    found, share = [], 0.0
    for i, row in enumerate(rows):
        for j, true in enumerate(row):
            off, bar = abs(Fraction(float(estimate.value[i, j])) - true), Fraction(float(estimate.error[i, j]))
            if off > bar:
                found.append((i, j, float(off), float(bar)))
            elif bar:
                share = max(share, float(off / bar))
    return found, share


@pytest.mark.compiled
@pytest.mark.slow
def test_error_bars_are_bounds():
    """Scores, limits and informations of 2000 random instances; the bars are no more than a hundred times too long."""
    rng = np.random.default_rng(7)
    shares = {"scores": 0.0, "limit": 0.0, "information": 0.0}
    for _ in range(CASES):
        graph, matrix, epsilon, root_law = random_instance(rng)
        certificate = certify_edge_scores(graph, matrix, epsilon, root_law=root_law)
        floats = [[float(entry) for entry in row] for row in matrix]
        task = InContextTask(graph, PointPrior(floats), root_law=root_law)
        checks = [("scores", edge_scores(task, epsilon=float(epsilon)), certificate.scores)]
        if root_law == "stationary":
            checks.append(("limit", limit_edge_scores(task), certificate.limit_scores))
        chi2 = pairwise_information(task, "chi2")
        checks.append(("information", chi2, certificate.information))
        for name, estimate, rows in checks:
            assert estimate.method == "exact"
            wrong, share = outside(estimate, [row[:i] for i, row in enumerate(rows)] if name == "information" else rows)
            assert wrong == [], (name, graph.parents, matrix, epsilon, root_law)
            shares[name] = max(shares[name], share)
    assert all(share > 0.01 for share in shares.values()), shares


CHECK = """
from fractions import Fraction
import causal_theory as ct
from causal_theory.population import work_items
for parents in ([-1, 0, 1, 1, -1, 4], [-1, 0, 0, 2]):
    graph = ct.CausalGraph.from_parents(parents)
    rows = [["1/4", "5/8", "1/8"], ["1/8", "1/2", "3/8"], ["1/2", "1/8", "3/8"]]
    certificate = ct.certify_edge_scores(graph, rows, "1/16")
    matrix = [[float(Fraction(entry)) for entry in row] for row in rows]
    for work_items.SMALL in (100, 0):  # the kernel for small forests, and the one for all
        scores = ct.edge_scores(ct.InContextTask(graph, ct.PointPrior(matrix)), epsilon=1 / 16)
        for i, row in enumerate(certificate.scores):
            for j, true in enumerate(row):
                off = abs(Fraction(float(scores.value[i, j])) - true)
                if not off <= Fraction(float(scores.error[i, j])):
                    print("outside", i, j, float(off))
"""

BUGS = {
    "a wrong sign": ("population/transform.py", "pairs + (means - expected)", "pairs + (means + expected)"),
    "a swapped index": (
        "kernels/pair_sums.py",
        "column[a, lane] = pi[a, symbols[lane]]",
        "column[a, lane] = pi[symbols[lane], a]",
    ),
    "a dropped root": (
        "kernels/messages.py",
        "            for lane in range(lanes):\n                mass = root_mass(root_law, below[v], lane)\n"
        "                evidence[lane] += np.log(mass)\n",
        "            for lane in range(lanes):\n                mass = root_mass(root_law, below[v], lane)\n"
        "                evidence[lane] += np.log(mass) if v == 0 else 0.0\n",
    ),
    "a swapped index in small forests": ("kernels/small_forest.py", "step = pi[a, c]", "step = pi[c, a]"),
    "a dropped root in small forests": (
        "kernels/small_forest.py",
        "weight[lane] *= message[0, lane]",
        "weight[lane] *= message[0, lane] if v == 0 else 1.0",
    ),
}


def run_check(folder, package):
    """Compare scores with certificates in a fresh process, its kernels as plain Python."""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(package)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHECK],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestPlantedBugs:
    """A copy of the package with a bug in its floats does not agree with its certificates."""

    @pytest.fixture
    def copy(self, tmp_path):
        folder = tmp_path / "package"
        shutil.copytree(ROOT / "causal_theory", folder / "causal_theory", ignore=shutil.ignore_patterns("__pycache__"))
        return folder

    def test_an_unchanged_copy_agrees(self, copy, tmp_path):
        assert run_check(tmp_path, copy) == ""

    @pytest.mark.parametrize("bug", BUGS)
    def test_is_caught(self, copy, tmp_path, bug):
        name, good, bad = BUGS[bug]
        path = copy / "causal_theory" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(good) == 1
        path.write_text(text.replace(good, bad), encoding="utf-8")
        assert run_check(tmp_path, copy).count("outside") >= 3
