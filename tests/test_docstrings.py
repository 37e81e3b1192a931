"""Every public module, class, function, method and property says what it is, kernels included."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for package in ("causal_theory", "verification") for path in (ROOT / package).rglob("*.py"))

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public_names(tree: ast.Module, module: str) -> Iterator[tuple[str, Documented]]:
    """The module and what is public in it, without what functions define for themselves.

    The sources are read, not the objects: a dataclass without a docstring is given one that says nothing.
    """
    waiting: list[tuple[str, Documented]] = [(module, tree)]
    while waiting:
        name, node = waiting.pop()
        yield name, node
        if not isinstance(node, ast.Module | ast.ClassDef):
            continue
        for child in definitions(node.body):
            if not child.name.startswith("_") and not repeats(child):
                waiting.append((f"{name}.{child.name}", child))


def definitions(body: list[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Classes and functions among the statements, also behind ``if``, ``try`` and ``with``."""
    for statement in body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement
        else:
            for field in ("body", "orelse", "handlers", "finalbody"):
                yield from definitions(getattr(statement, field, []))


def repeats(node: ast.AST) -> bool:
    """Whether this is documented elsewhere: an overload, the setter of a property, a method of a base class."""
    words = {ast.unparse(decorator).rpartition(".")[2] for decorator in getattr(node, "decorator_list", [])}
    return bool(words & {"overload", "setter", "deleter", "override"})


def missing(tree: ast.Module, module: str) -> list[str]:
    return sorted(name for name, node in public_names(tree, module) if not (ast.get_docstring(node) or "").strip())


def is_public(path: Path) -> bool:
    names = path.relative_to(ROOT).with_suffix("").parts
    return not any(name.startswith("_") and not name.startswith("__") for name in names)


@pytest.mark.parametrize(
    "path", [path for path in FILES if is_public(path)], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_public_names_are_documented(path):
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    assert missing(ast.parse(path.read_text(encoding="utf-8")), module) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_overriding_methods_leave_their_text_to_the_base_class(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    methods = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    marked = [one for one in methods if any("override" in ast.unparse(word) for word in one.decorator_list)]
    assert [one.name for one in marked if ast.get_docstring(one)] == []


def test_finds_what_is_missing():
    source = '''
class Documented:
    """It is."""

    def method(self): ...
    def _private(self): ...
    def __len__(self): ...
    @property
    def value(self): ...
    @value.setter
    def value(self, new): ...
    @property
    @override
    def documented_in_the_base(self): ...

class Bare:
    """ """

if True:
    def behind_a_condition():
        def inside(): ...
else:
    async def elsewhere():
        """It is."""

try:
    class Tried: ...
except ImportError:
    def caught(): ...

_hidden = 1
def _helper(): ...
'''
    assert missing(ast.parse(source), "module") == [
        "module",
        "module.Bare",
        "module.Documented.method",
        "module.Documented.value",
        "module.Tried",
        "module.behind_a_condition",
        "module.caught",
    ]


INDIRECT = re.compile(r"(How|What|When|Where|Which|Who|Whose|Why)\b")


def indirect(tree: ast.Module) -> list[str]:
    """First lines of docstrings that are an indirect question, those of private names included."""
    documented = (node for node in ast.walk(tree) if isinstance(node, Documented))
    return [text.splitlines()[0] for node in documented if INDIRECT.match(text := ast.get_docstring(node) or "")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_docstrings_say_what_a_thing_is(path):
    assert indirect(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_indirect_questions_are_seen():
    source = '"""What it does."""\ndef f():\n    "How far."\ndef g():\n    "Whatever is given."\n'
    assert indirect(ast.parse(source)) == ["What it does.", "How far."]
