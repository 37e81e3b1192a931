"""What importing the package and asking for help load, names that are loaded when asked for, threads and forks."""

import ast
import inspect
import os
import pickle
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import causal_theory
from causal_theory.cli import COMMANDS

HEAVY = ["hypothesis", "jax", "llvmlite", "matplotlib", "networkx", "numba", "opt_einsum", "pandas", "scipy", "sympy"]
HEAVY += ["threadpoolctl", "torch"]
LISTED = "print(*(name for name in %r if name in sys.modules))"
HELP = """
import contextlib, io, sys
from causal_theory.cli import main
sys.argv = ["causal-theory", *sys.argv[1:], "--help"]
with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
    main()
assert "Usage" in text.getvalue()
"""
SUBJECTS = ("causal_theory.kernels.", "causal_theory.symbolic", "causal_theory.testing", "causal_theory.warming.")


def python(code, *arguments, folder=None):
    """The words that a fresh interpreter prints; the test fails when it does not end well."""
    path = [str(folder)] if folder else []
    root = str(Path(causal_theory.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*path, root])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


class TestWhatIsLoaded:
    def test_by_importing_the_package(self):
        names = [*HEAVY, "numpy", "rich", "typer"]
        assert python("import sys, causal_theory\n" + LISTED % names) == []

    @pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS)], ids=" ".join)
    def test_by_help(self, words):
        assert python(HELP + LISTED % HEAVY, *words) == []

    def test_by_all_modules_but_those_about_heavy_ones(self):
        modules = [one.name for one in pkgutil.walk_packages(causal_theory.__path__, "causal_theory.")]
        light = [name for name in modules if not name.startswith(SUBJECTS)]
        assert "causal_theory.population.scores" in light
        code = "import sys\nfrom importlib import import_module\nimport causal_theory\n"
        # Nor do they ask for names that would have to be loaded: two threads might wait for each other.
        code += "del causal_theory.__getattr__\nfor name in sys.argv[1:]:\n    import_module(name)\n"
        assert python(code + LISTED % HEAVY, *light) == []

    def test_by_a_kernel(self):
        """The checks above would see it."""
        code = "import sys\nfrom causal_theory import kernels\nkernels.gth\n"
        assert {"llvmlite", "numba"} <= {*python(code + LISTED % HEAVY)}


class TestNames:
    def test_are_the_same_for_python_and_for_checkers_of_types(self):
        tree = ast.parse(inspect.getsource(causal_theory))
        (block,) = (
            node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        told = {(node.module.removeprefix("causal_theory."), alias.name) for node in block.body for alias in node.names}
        assert told == {(home, name) for home, names in causal_theory._HOMES.items() for name in names.split()}
        assert {name for _, name in told} | {"__version__"} == set(causal_theory.__all__)

    def test_stand_for_what_their_modules_hold(self):
        for home, names in causal_theory._HOMES.items():
            for name in names.split():
                assert getattr(causal_theory, name) is getattr(import_module(f"causal_theory.{home}"), name)

    def test_are_listed(self):
        assert python("import causal_theory\nprint({*causal_theory.__all__} <= {*dir(causal_theory)})") == ["True"]

    @pytest.mark.parametrize("name", ["population.loss", "population.several_parents.moments", "recovery", "sweeps"])
    def test_of_modules(self, name):
        code = f"import causal_theory\nprint(causal_theory.{name}.__name__)"
        assert python(code) == [f"causal_theory.{name}"]

    def test_all_at_once(self):
        assert python("from causal_theory import *\nprint(edge_scores.__module__)") == [
            "causal_theory.population.scores"
        ]

    def test_travel_to_another_process(self):
        content = pickle.dumps([causal_theory.CausalGraph.chain(3), causal_theory.edge_scores]).hex()
        code = f"import pickle\nprint(*(type(one).__name__ for one in pickle.loads(bytes.fromhex({content!r}))))"
        assert python(code) == ["CausalGraph", "function"]

    @pytest.mark.parametrize("package", ["causal_theory", "causal_theory.kernels", "causal_theory.population"])
    def test_that_are_misspelt(self, package):
        module = import_module(package)
        with pytest.raises(AttributeError, match=f"^module '{package}' has no attribute 'edge_score'$") as caught:
            module.edge_score  # noqa: B018
        assert (caught.value.name, caught.value.obj) == ("edge_score", module)
        assert not hasattr(module, "__wrapped__")
        with pytest.raises(ImportError, match="cannot import name 'edge_score'"):
            exec(f"from {package} import edge_score")

    @pytest.mark.parametrize("name", COMMANDS)
    def test_of_commands_stand_beside_the_first_line_of_their_help(self, name):
        module = import_module(f"causal_theory.cli.{name.replace('-', '_')}")
        assert inspect.getdoc(module.command).splitlines()[0] == COMMANDS[name]


def test_threads_that_ask_at_once_get_the_same():
    code = """
import importlib, threading, causal_theory
names = [*causal_theory.__all__, "population", "kernels"]
meeting = threading.Barrier(8, timeout=100)
found = [[] for _ in range(8)]
def ask(k):
    meeting.wait()
    order = names[k:] + names[:k] if k % 2 else names[::-1]
    if k == 3:
        importlib.import_module("causal_theory.training.trainer")
    found[k] = {name: id(getattr(causal_theory, name)) for name in order}
threads = [threading.Thread(target=ask, args=(k,), daemon=True) for k in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join(100)
print(all(one == found[0] for one in found), len(found[0]) == len(names))
"""
    assert python(code) == ["True", "True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
def test_forks_wait_for_other_threads_that_load(tmp_path):
    """What a thread has half loaded when a process is forked would be locked there for ever."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from causal_theory.lazy import attributes\n__getattr__ = attributes(__name__)\n"
    )
    (package / "slow.py").write_text("import beginning, time\nbeginning.event.set()\ntime.sleep(2)\nVALUE = 7\n")
    (tmp_path / "beginning.py").write_text("import os, threading\nevent = threading.Event()\n")
    code = """
import os, signal, threading, beginning, package
thread = threading.Thread(target=lambda: package.slow)
thread.start()
beginning.event.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    print(package.slow.VALUE, flush=True)
    os._exit(0)
print("ended", os.waitpid(child, 0)[1])
"""
    assert python(code, folder=tmp_path) == ["7", "ended", "0"]
