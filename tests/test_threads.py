"""The number of threads changes nothing, not even the last bit."""

import ast
import threading
from pathlib import Path

import numba
import numpy as np
import pytest

import causal_theory.kernels
from causal_theory import (
    CausalGraph,
    InContextTask,
    PointPrior,
    ReducedTransformer,
    counts_rule_loss,
    edge_scores,
    limit_edge_scores,
    pairwise_information,
    pairwise_joint,
    population_gradient,
    population_loss,
    subset_informations,
)
from causal_theory.kernels import pairs
from causal_theory.kernels.threads import thread_limit
from causal_theory.population.parent_attention import parent_attention_loss_and_gradient

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="this machine gives numba a single thread"),
]

GENERATOR = np.random.default_rng(0)
MATRICES = {size: GENERATOR.dirichlet([0.5] * size, size=size) for size in (2, 3, 5, 10)}


def task(family, length, size):
    return InContextTask(getattr(CausalGraph, family)(length), PointPrior(MATRICES[size]))


def parameters(length, size, scale=1.0):
    generator = np.random.default_rng(1)
    return generator.normal(size=(length, length)), scale * generator.normal(size=(size, size))


def scores(family, length, size):
    estimate = edge_scores(task(family, length, size), epsilon=0.01)
    return [estimate.value, estimate.error]


def enumeration(scale, method):
    a_task = task("binary_tree", 8, 3)
    options = {"samples": 5000, "rng": 3} if method == "monte_carlo" else {}
    A1, A2 = parameters(8, 3, scale)
    gradient = population_gradient(a_task, A1, A2, epsilon=0.02, method=method, **options)
    loss = population_loss(a_task, A1, A2, epsilon=0.02, method=method, **options)
    return [gradient.A1.value, gradient.A2.value, gradient.loss.value, loss.value, gradient.A1.error]


def batch():
    generator = np.random.default_rng(2)
    tokens, targets = generator.integers(5, size=(3000, 12)), generator.dirichlet([1.0] * 5, size=3000)
    model = ReducedTransformer(*parameters(12, 5), 0.1)
    return [model.forward(tokens), np.array(model.loss(tokens, targets)), *model.gradient(tokens, targets)]


def trigram(length, size):
    kernel = np.random.default_rng(4).dirichlet([0.5] * size, size=(size, size))
    return InContextTask(CausalGraph.ngram(length, 2), PointPrior({2: kernel}))


def several_parents_pairs():
    table = subset_informations(trigram(20, 3), 12, 2)
    return [
        pairwise_information(trigram(60, 3), "kl").value,
        pairwise_joint(trigram(20, 3)).value,
        table.informations.value,
    ]


def several_parents_losses():
    A2 = np.random.default_rng(5).normal(size=(2, 3, 3))
    loss, gradient = parent_attention_loss_and_gradient(trigram(40, 3), A2, epsilon=0.02)
    return [loss.value, gradient.value, counts_rule_loss(trigram(40, 3), smoothing=0.3, parents=(1,)).value]


CASES = {
    "scores, chain of 60": lambda: scores("chain", 60, 10),
    "scores, tree of 100": lambda: scores("binary_tree", 100, 5),
    "scores, pairs of 200": lambda: scores("pairs", 200, 3),
    "scores, star of 60": lambda: scores("star", 60, 5),
    "enumerated scores": lambda: [edge_scores(task("chain", 9, 3), epsilon=0.01, method="enumerate").value],
    "enumeration": lambda: enumeration(1.0, "enumerate"),
    "steep enumeration": lambda: enumeration(2000.0, "enumerate"),
    "sampling": lambda: enumeration(1.0, "monte_carlo"),
    "batch": batch,
    "informations": lambda: [pairwise_information(task("chain", 60, 10), measure).value for measure in ("chi2", "kl")],
    "joint": lambda: [pairwise_joint(task("binary_tree", 20, 5)).value],
    "several parents, pairs": several_parents_pairs,
    "several parents, losses": several_parents_losses,
    "limit": lambda: [limit_edge_scores(task("chain", 60, 10), epsilon=0.01).value],
}


@pytest.mark.parametrize("name", list(CASES))
def test_one_thread_and_two(name, monkeypatch):
    monkeypatch.setattr(pairs, "LEAST_WORK", 0)
    with thread_limit(1):
        one = CASES[name]()
    for _ in range(3):
        two = CASES[name]()
        assert len(one) == len(two) > 0
        for left, right in zip(one, two, strict=True):
            assert left.tobytes() == right.tobytes()


def test_a_new_thread_is_like_the_first():
    """Arrays of a new thread lie elsewhere in memory, at other distances from each other."""
    for name, case in CASES.items():
        one, found = case(), []
        thread = threading.Thread(target=lambda case=case, found=found: found.extend(case()))
        thread.start()
        thread.join()
        assert len(one) == len(found) > 0
        for left, right in zip(one, found, strict=True):
            assert left.tobytes() == right.tobytes(), name


# Loops that add up while they store: a compiler that may reorder sums makes two versions of them, and which one runs
# depends on how far apart arrays lie in memory.

KERNELS = Path(causal_theory.kernels.__file__).parent
HARMLESS = {
    ("sampler.py", "_dirichlet_row"): "one array only, which cannot be too close to itself",
    ("sequences.py", "unpack_sequences"): "a token depends on those before it, and so does its probability",
    ("row_blocks.py", "restrict_walks"): "integers",
    ("streams.py", "open_stream"): "integers",
}


def updates(statement):
    """Whether a statement adds to a number or multiplies it."""
    if isinstance(statement, ast.AugAssign):
        return isinstance(statement.target, ast.Name) and isinstance(statement.op, ast.Add | ast.Sub | ast.Mult)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        names = {node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)}
        return isinstance(statement.value, ast.BinOp) and statement.targets[0].id in names
    return False


def stores(statement):
    """Whether a statement writes to an array."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Subscript) for target in targets)


def risky_functions(source):
    """Functions with an innermost loop that adds up and stores, and that may reorder its sums."""
    for function in ast.parse(source).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
        if not decorators & {"kernel", "helper", "pasted_helper"}:
            continue
        for loop in ast.walk(function):
            if not isinstance(loop, ast.For | ast.While):
                continue
            inside = [node for statement in loop.body for node in ast.walk(statement)]
            if any(isinstance(node, ast.For | ast.While) for node in inside):
                continue
            if any(map(updates, inside)) and any(map(stores, inside)):
                yield function.name


def test_no_loop_adds_up_while_it_stores():
    found = {
        (path.name, name) for path in KERNELS.glob("*.py") for name in risky_functions(path.read_text(encoding="utf-8"))
    }
    # The walk over all sequences, into which the leaf is pasted, keeps the order of its sums.
    assert found - {("enumeration.py", "_leaf")} == set(HARMLESS)
    assert "@strict_helper\ndef _walk(" in (KERNELS / "enumeration.py").read_text(encoding="utf-8")


def test_risky_loops_are_found():
    loop = "@kernel\ndef f(x, y):\n    total = 0.0\n    for i in range(3):\n        y[i] = x[i]\n        {}\n"
    for line in ("total += x[i]", "total = total * x[i]", "total -= 1"):
        assert list(risky_functions(loop.format(line))) == ["f"]
        assert not list(risky_functions(loop.format(line).replace("@kernel", "@strict_helper")))
    for line in ("total = x[i]", "x[i] += 1.0", "pass"):
        assert not list(risky_functions(loop.format(line)))
