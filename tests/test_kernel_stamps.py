"""Digests of kernels: they change with everything that the machine code depends on, and with nothing else."""

import importlib.util

import numba
import numpy as np
import pytest

from causal_theory.kernels import stamps

pytestmark = pytest.mark.compiled


FILE = """
import numpy as np
from causal_theory.kernels._jit import helper, kernel, strict_helper
LARGE, TABLE, NAMES = 3.0, np.array([1, 2]), ("a", {1, 2})

@helper
def inner(x, y=2):
    return x + 1

@helper
def middle(x):
    return inner(x) if x > 0 else LARGE

@kernel
def outer(x):
    if x < TABLE[0]:
        return outer(-x)
    return middle(x) + NAMES[1].__len__() + sum([k for k in range(3)])
"""


def stamp_of(folder, text):
    """Digest of ``outer`` in a file with such a text."""
    path = folder / "stamped.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("stamped", path)
    module = importlib.util.module_from_spec(spec)
    code = compile(text, path, "exec")
    exec(code, vars(module))
    return stamps.source_digest(module.outer)


CHANGES = {
    "a line of the kernel": ("x < TABLE[0]", "x <= TABLE[0]"),
    "a number in it": ("range(3)", "range(4)"),
    "the kind of a number": ("x + 1", "x + 1.0"),
    "the sign of zero": ("x > 0", "x > -0.0"),
    "a kernel that it calls": ("x + 1", "x - 1"),
    "a constant of a called kernel": ("LARGE, TABLE, NAMES = 3.0", "LARGE, TABLE, NAMES = 4.0"),
    "an array": ("[1, 2])", "[2, 1])"),
    "the type of an array": ("[1, 2])", "[1, 2], dtype=np.int32)"),
    "a tuple": ('("a", {1, 2})', '("b", {1, 2})'),
    "a set in it": ("{1, 2}", "{1, 3}"),
    "a default": ("y=2", "y=3"),
    "options": ("@helper\ndef inner", "@strict_helper\ndef inner"),
    "a name that another module owns": ("sum(", "max("),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_change_of(tmp_path, name):
    old, new = CHANGES[name]
    assert FILE.count(old) == 1
    assert stamp_of(tmp_path, FILE) == stamp_of(tmp_path, FILE)
    assert stamp_of(tmp_path, FILE.replace(old, new)) != stamp_of(tmp_path, FILE)


def test_comments_and_lines_do_not_count(tmp_path):
    assert stamp_of(tmp_path, "# A comment\n\n" + FILE.replace("    return x", "    # more\n    return x")) == stamp_of(
        tmp_path, FILE
    )


def test_what_cannot_be_told_is_refused(tmp_path):
    with pytest.raises(TypeError, match="must be numbers, text or kernels"):
        stamp_of(tmp_path, FILE.replace("3.0, np.array", "np.random.default_rng(0), np.array"))


def test_types_of_arguments():
    from collections import namedtuple

    def digest(*arguments):
        return stamps.signature_digest(tuple(numba.typeof(argument) for argument in arguments))

    array = np.zeros((2, 2))
    frozen = np.zeros((2, 2))
    frozen.flags.writeable = False
    pairs = [namedtuple("Pair", fields)(1.0, 2.0) for fields in ("a b", "b a")]
    several = [
        (1,),
        (1.0,),
        (1, 1),
        ((1, 1),),
        (array,),
        (frozen,),
        (array[:, :1],),
        (array.T,),
        (array.astype(np.float32),),
        (pairs[0],),
        (pairs[1],),
        ((pairs[0],),),
        ((pairs[1],),),
        (None,),
    ]
    assert len({digest(*arguments) for arguments in several}) == len(several)
    assert digest(1, array) == digest(2, np.ones((3, 3)))
