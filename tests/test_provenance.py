"""The digest of code is that of what is loaded: edits, reloads and modules that import each other in every way."""

import hashlib
import importlib
import os
import platform
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import causal_theory
from causal_theory import errors
from causal_theory.errors import InvalidArgumentError
from causal_theory.provenance import check_same_run, check_unedited, code_version, fingerprint
from causal_theory.sweeps import find_study, read_store, sweep

STUDY = '''def value(*, length: int) -> dict[str, object]:
    """Return a value."""
    return {"value": FACTOR * length}
'''
PACKAGE = Path(causal_theory.__file__).parent


def package_digest():
    """Names and digests of all source files, in the order of the names as posix paths of the whole tree."""
    total = hashlib.sha256()
    for path in sorted(map(str, PACKAGE.rglob("*.py"))):
        total.update(Path(path).relative_to(PACKAGE).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return total.hexdigest()


def expected_digest(files):
    """The package, then the user's modules by name with the digests of their files."""
    listed = "".join(
        f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for name, path in sorted(files.items())
    )
    return hashlib.sha256(f"{package_digest()}\n{listed}".encode()).hexdigest()


class Session:
    """A folder with modules of the user's, on the path of this interpreter."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        # Python takes a file of another time for another one, in whole seconds.
        self.clock = getattr(self, "clock", 1_600_000_000) + 10
        os.utime(path, (self.clock, self.clock))
        importlib.invalidate_caches()
        return path

    def load(self, name):
        return importlib.import_module(name)

    def forget(self):
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or getattr(module, "__path__", "")).find(str(self.folder)) >= 0:
                del sys.modules[name]
        importlib.invalidate_caches()


@pytest.fixture
def session(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    found = Session(folder)
    yield found
    found.forget()


def refuses(function, match):
    with pytest.raises(InvalidArgumentError, match=match) as caught:
        check_unedited(function)
    assert "\n" not in str(caught.value)


def test_version_names_what_runs():
    version = code_version(find_study("edge_recovery").function)
    assert version.code == package_digest()
    assert (version.package, version.numpy) == (causal_theory.__version__, np.__version__)
    assert version.python == platform.python_version()


IMPORTS = {
    "import": ("import helper\nFACTOR = helper.FACTOR\n", "helper.py"),
    "import as": ("import helper as h\nFACTOR = h.FACTOR\n", "helper.py"),
    "from": ("from helper import FACTOR\n", "helper.py"),
    "from as": ("from helper import FACTOR as OTHER\nFACTOR = OTHER\n", "helper.py"),
    "star": ("from helper import *\n", "helper.py"),
    "dotted": ("import tools.deep.helper as c\nFACTOR = c.FACTOR\n", "tools/deep/helper.py"),
    "namespace": ("from space.inner.helper import FACTOR\n", "space/inner/helper.py"),
    "by name": ("import importlib\nFACTOR = importlib.import_module('helper').FACTOR\n", "helper.py"),
    "tried": ("try:\n    from helper import FACTOR\nexcept ImportError:\n    FACTOR = 0.0\n", "helper.py"),
    "package": ("from tools import FACTOR\n", "tools/__init__.py"),
    "parent": ("from tools.other import FACTOR\n", "tools/__init__.py"),
}


@pytest.mark.parametrize("kind", IMPORTS)
def test_covers_what_the_study_imports(session, kind):
    head, file = IMPORTS[kind]
    for package in ("tools/__init__.py", "tools/deep/__init__.py"):
        session.write(package, "FACTOR = 1.0\n")
    session.write("tools/other.py", "FACTOR = 1.0\n")
    session.write(file, "FACTOR = 1.0\n")
    session.write("unrelated.py", "FACTOR = 1.0\n")
    session.write("my_study.py", head + STUDY)
    before = code_version(session.load("my_study").value).code
    session.forget()
    session.write("unrelated.py", "FACTOR = 10.0\n")
    assert code_version(session.load("my_study").value).code == before
    session.forget()
    session.write(file, "FACTOR = 10.0\n")
    assert code_version(session.load("my_study").value).code != before


def test_covers_relative_and_lazy_imports_and_those_of_imports(session):
    files = {
        "project": session.write("project/__init__.py", ""),
        "project.study": session.write(
            "project/study.py", "from . import middle\n\n\n" + STUDY.replace("FACTOR", "middle.factor()")
        ),
        "project.middle": session.write(
            "project/middle.py", "def factor():\n    from .last import FACTOR\n    return FACTOR\n"
        ),
        "project.last": session.write("project/last.py", "import numpy as np\nFACTOR = np.float64(2.0)\n"),
    }
    function = session.load("project.study").value
    assert "project.last" not in sys.modules
    assert code_version(function).code == expected_digest(files)
    assert function(length=3) == {"value": 6.0}
    assert "project.last" in sys.modules
    assert code_version(function).code == expected_digest(files)


@pytest.mark.parametrize("place", ["lib/python3.11/site-packages", "vendored"])
def test_installed_packages_are_not_covered(session, tmp_path, monkeypatch, place):
    """Nor what pip put into a folder of its own, by the record that it leaves there."""
    folder = tmp_path / place
    (folder / "installed-1.0.dist-info").mkdir(parents=True)
    (folder / "installed-1.0.dist-info" / "RECORD").write_text(
        "installed/__init__.py,,\ninstalled-1.0.dist-info/RECORD,,\n"
    )
    (folder / "installed").mkdir()
    (folder / "installed" / "__init__.py").write_text("FACTOR = 1.0\n")
    monkeypatch.syspath_prepend(folder)
    files = {"my_study": session.write("my_study.py", "from installed import FACTOR\n" + STUDY)}
    assert code_version(session.load("my_study").value).code == expected_digest(files)
    del sys.modules["installed"]
    if place == "vendored":
        # What lies beside it without a record is the user's own.
        files["beside"] = folder / "beside.py"
        files["beside"].write_text("FACTOR = 1.0\n")
        session.forget()
        files["my_study"] = session.write("my_study.py", "from beside import FACTOR\n" + STUDY)
        assert code_version(session.load("my_study").value).code == expected_digest(files)
        del sys.modules["beside"]


def test_packages_installed_in_place_are_covered(session, tmp_path, monkeypatch):
    """Their link lies among the installed ones, their files in the user's folder."""
    files = {
        "editable": session.write("checkout/editable/__init__.py", "FACTOR = 1.0\n"),
        "my_study": session.write("my_study.py", "from editable import FACTOR\n" + STUDY),
    }
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "editable").symlink_to(session.folder / "checkout" / "editable")
    monkeypatch.syspath_prepend(site)
    assert code_version(session.load("my_study").value).code == expected_digest(files)
    del sys.modules["editable"]


class TestEdits:
    def test_are_noticed_and_a_reload_takes_them(self, session):
        file = session.write("my_study.py", "FACTOR = 1.0\n" + STUDY)
        module = session.load("my_study")
        check_unedited(module.value)
        before = code_version(module.value)
        session.write("my_study.py", "FACTOR = 10.0\n" + STUDY)
        refuses(module.value, rf"{file}', which was edited after it was loaded; reload the module or restart")
        # What runs is known, and goes on under its own name: a sweep in progress is not disturbed.
        assert code_version(module.value) == before
        importlib.reload(module)
        check_unedited(module.value)
        assert code_version(module.value).code == expected_digest({"my_study": file}) != before.code

    def test_that_change_nothing_are_none(self, session):
        file = session.write("my_study.py", "FACTOR = 1.0\n" + STUDY)
        function = session.load("my_study").value
        check_unedited(function)
        session.write("my_study.py", file.read_text())
        check_unedited(function)

    def test_of_a_file_that_is_gone_are_noticed(self, session):
        file = session.write("my_study.py", "FACTOR = 1.0\n" + STUDY)
        function = session.load("my_study").value
        check_unedited(function)
        file.unlink()
        refuses(function, "cannot be read")

    @pytest.mark.parametrize("bytecode", [True, False])
    @pytest.mark.parametrize("recompiled", [True, False])
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("FACTOR = 1.0", "FACTOR = 10.0"),
            ("FACTOR: float = 1.0", "FACTOR: float = -1.0"),
            ("FACTOR = 1", "FACTOR = 1.0"),
            ("def f():\n    return 1.0\nFACTOR = f()", "def f():\n    return 2.00\nFACTOR = f()"),
            (
                "class A:\n    @property\n    def b(self):\n        return 1.0\nFACTOR = A().b",
                "class A:\n    @property\n    def b(self):\n        return 2.00\nFACTOR = A().b",
            ),
            (
                "import functools\n@functools.cache\ndef f():\n    return 1.0\nFACTOR = f()",
                "import functools\n@functools.cache\ndef f():\n    return 2.00\nFACTOR = f()",
            ),
        ],
    )
    def test_before_anybody_looked_are_noticed(self, session, monkeypatch, bytecode, recompiled, old, new):
        """Without the compiled copy of what was loaded, and with that of the new file which another process wrote."""
        monkeypatch.setattr(sys, "dont_write_bytecode", not bytecode)
        session.write("helper.py", old + "\n")
        session.write("my_study.py", "from helper import FACTOR\n" + STUDY)
        function = session.load("my_study").value
        file = session.write("helper.py", new + "\n")
        if recompiled:
            py_compile.compile(str(file))
        refuses(function, rf"{file}', which was edited after it was loaded")
        with pytest.raises(InvalidArgumentError, match="edited after it was loaded"):
            code_version(function)

    def test_of_what_is_computed_at_import_are_noticed_by_the_compiled_copy(self, session):
        session.write("my_study.py", "FACTOR = sum(range(3))\n" + STUDY)
        function = session.load("my_study").value
        session.write("my_study.py", "FACTOR = sum(range(40))\n" + STUDY)
        refuses(function, "my_study.py', which was edited after it was loaded")

    def test_that_python_missed_are_told_as_such(self, session):
        """Of the same size and second as the file before: Python loads its compiled copy of that one."""
        file = session.write("my_study.py", "FACTOR = 1.0\n" + STUDY)
        session.load("my_study")
        session.forget()
        stat = file.stat()
        file.write_text("FACTOR = 2.0\n" + STUDY)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        module = session.load("my_study")
        assert module.FACTOR == 1.0
        refuses(module.value, r"of which Python loaded an older copy, '.*\.pyc': remove that")

    def test_after_a_reload_that_failed_are_noticed(self, session):
        session.write("my_study.py", "FACTOR = 1.0\n" + STUDY)
        module = session.load("my_study")
        check_unedited(module.value)
        session.write("my_study.py", "FACTOR = 1.0\n1 / 0\n" + STUDY.replace("length}", "length + 1}"))
        with pytest.raises(ZeroDivisionError):
            importlib.reload(module)
        refuses(module.value, "edited after it was loaded: value is another")

    def test_do_not_spoil_a_sweep_in_progress(self, session):
        """The study edits its own file: what is stored is of the code that ran, and is computed anew after a reload."""
        text = STUDY.replace("    return", "    edit(__file__)\n    return")
        edit = (
            "from pathlib import Path\n\n\ndef edit(file):\n"
            "    Path(file).write_text(Path(file).read_text().replace('FACTOR = 1.0', 'FACTOR = 10.0'))\n"
        )
        session.write("editing.py", edit)
        file = session.write("my_study.py", "from editing import edit\nFACTOR = 1.0\n" + text)
        module = session.load("my_study")
        old = expected_digest({"my_study": file, "editing": session.folder / "editing.py"})
        store = session.folder / "s.sqlite"
        assert sweep(module.value, {"length": [1, 2]}, store=store, processes=0).done == 2
        table = read_store(store)
        assert table["value"].tolist() == [1.0, 2.0]
        assert table.versions == (f"{causal_theory.__version__} {old[:8]}",)
        with pytest.raises(InvalidArgumentError, match=r"my_study\.py', which was edited after it was loaded"):
            sweep(module.value, {"length": [1, 2]}, store=store, processes=0)
        importlib.reload(module)
        assert sweep(module.value, {"length": [1, 2]}, store=store, processes=0).table()["value"].tolist() == [
            10.0,
            20.0,
        ]


PRIOR = """import numpy as np
from causal_theory.priors import Prior
from levels import LEVEL


class Own(Prior):
    vocab_size = 3
    mean = np.full((3, 3), 1 / 3)

    def sample(self, size, rng=None):
        return np.random.default_rng(rng).dirichlet(np.full(3, LEVEL), (size, 3))
"""


class TestNamedBySettings:
    """A prior, a graph or a model of the user's own that a setting names is code of that unit, and of no other."""

    @pytest.fixture
    def folder(self, session, monkeypatch):
        monkeypatch.chdir(session.folder)
        session.write("own_law.py", PRIOR)
        session.write("levels.py", "LEVEL = 0.5\n")
        return session

    def sweep(self, folder, priors=("own_law:Own", "dirichlet"), **options):
        grid = {"prior": priors, "length": [4]}
        return sweep("margins", grid, store=folder.folder / "s.sqlite", progress=False, **options)

    @pytest.mark.parametrize("processes", [0, 1])
    def test_edits_of_what_it_imports_make_old_results_stale(self, folder, processes):
        first = self.sweep(folder, processes=processes)
        assert (first.done, first.failed) == (2, 0)
        old, same = first.table()["smallest"]
        assert self.sweep(folder, processes=processes).skipped == 2
        folder.write("levels.py", "LEVEL = 5.0\n")
        if processes == 0:
            with pytest.raises(InvalidArgumentError, match=r"levels\.py', which was edited after it was loaded"):
                self.sweep(folder, processes=0)
            folder.forget()
        again = self.sweep(folder, processes=processes)
        assert (again.done, again.skipped, again.failed) == (1, 1, 0)
        new, still = again.table()["smallest"]
        assert still == same
        assert new != old
        assert self.sweep(folder, processes=processes).skipped == 2

    def test_another_prior_leaves_results_as_they_are(self, folder):
        assert self.sweep(folder, ("dirichlet",), processes=0).done == 1
        found = self.sweep(folder, processes=0)
        assert (found.done, found.skipped) == (1, 1)

    def test_the_digest_is_that_of_the_files(self, folder):
        self.sweep(folder, ("own_law:Own",), processes=0)
        files = {name: folder.folder / f"{name}.py" for name in ("own_law", "levels")}
        assert code_version("own_law").code == expected_digest(files)
        table = read_store(folder.folder / "s.sqlite")
        assert table.versions == (f"{causal_theory.__version__} {expected_digest(files)[:8]}",)

    def test_texts_that_only_look_like_it(self):
        plain = code_version().code
        assert code_version("no_such_module_anywhere", "json", "math", "causal_theory.priors").code == plain

    def test_what_is_in_no_file_is_refused(self, tmp_path):
        script = (
            "from causal_theory import DirichletPrior\nfrom causal_theory.sweeps import sweep\n"
            "class Own(DirichletPrior): pass\n"
            "sweep('margins', {'length': [4], 'prior': ['__main__:Own']}, store='s.sqlite', processes=0)\n"
        )
        assert run(tmp_path, "-c", script)[1].endswith("whether it was changed, got __main__")


class TestReloads:
    @pytest.mark.parametrize(
        "taken",
        [
            "from helper import FACTOR\n",
            "from helper import *\n",
            "try:\n    from helper import FACTOR\nexcept ImportError:\n    FACTOR = 0.0\n",
            "if True:\n    from helper import FACTOR\n",
        ],
    )
    def test_of_a_module_that_the_study_took_a_name_from_are_not_enough(self, session, taken):
        session.write("helper.py", "FACTOR = 1.0\n")
        study = session.write("my_study.py", taken + STUDY)
        module = session.load("my_study")
        check_unedited(module.value)
        helper = session.write("helper.py", "FACTOR = 10.0\n")
        refuses(module.value, "helper.py', which was edited after it was loaded")
        importlib.reload(sys.modules["helper"])
        refuses(module.value, rf"{study}', whose FACTOR is an older helper\.FACTOR; reload the module or restart")
        importlib.reload(module)
        check_unedited(module.value)
        assert code_version(module.value).code == expected_digest({"my_study": study, "helper": helper})
        assert module.value(length=1) == {"value": 10.0}

    def test_of_a_module_that_is_asked_every_time_are_enough(self, session):
        session.write("helper.py", "FACTOR = 1.0\n")
        study = session.write("my_study.py", "import helper\n\n\n" + STUDY.replace("FACTOR", "helper.FACTOR"))
        module = session.load("my_study")
        check_unedited(module.value)
        helper = session.write("helper.py", "FACTOR = 10.0\n")
        importlib.reload(sys.modules["helper"])
        check_unedited(module.value)
        assert code_version(module.value).code == expected_digest({"my_study": study, "helper": helper})
        assert module.value(length=1) == {"value": 10.0}

    def test_of_a_module_that_the_study_computed_with_are_not_enough(self, session):
        session.write("helper.py", "def factor():\n    return 1.0\n")
        session.write("my_study.py", "import helper\nFACTOR = helper.factor()\n" + STUDY)
        module = session.load("my_study")
        check_unedited(module.value)
        session.write("helper.py", "def factor():\n    return 10.0\n")
        importlib.reload(sys.modules["helper"])
        refuses(module.value, "my_study.py', which was loaded before helper was loaded anew")
        importlib.reload(module)
        check_unedited(module.value)

    def test_do_not_change_functions_that_were_taken_before(self, session):
        session.write("my_study.py", "FACTOR = 1.0\n" + STUDY)
        module = session.load("my_study")
        kept = find_study(module.value)
        session.write("my_study.py", "FACTOR = 1.0\n" + STUDY.replace("length}", "length + 1}"))
        importlib.reload(module)
        refuses(kept.function, "whose value is another one by now; take it from its module again")
        check_unedited(module.value)

    def test_leave_functions_behind_that_the_file_has_no_more(self, session):
        session.write("my_study.py", "FACTOR = 1.0\n" + STUDY)
        module = session.load("my_study")
        check_unedited(module.value)
        session.write("my_study.py", "FACTOR = 1.0\n" + STUDY.replace("value(", "renamed("))
        importlib.reload(module)
        refuses(module.value, r"my_study\.py', which has no value any more")
        check_unedited(module.renamed)

    def test_of_a_module_that_was_forgotten_leave_the_old_one_behind(self, session):
        session.write("helper.py", "FACTOR = 1.0\n")
        session.write("my_study.py", "import helper\n\n\n" + STUDY.replace("FACTOR", "helper.FACTOR"))
        module = session.load("my_study")
        session.write("helper.py", "FACTOR = 10.0\n")
        del sys.modules["helper"]
        session.load("helper")
        refuses(module.value, "whose helper is an older helper")


def run(folder, *arguments, path=PACKAGE.parent):
    """Output of a new interpreter in a folder, and the last line of its complaint."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(path)},
    )
    return done.stdout.strip(), (done.stderr.strip().splitlines() or [""])[-1]


def test_edits_before_the_package_is_imported_are_noticed(tmp_path):
    """As in a session in which a study was imported and edited before anybody thought of a sweep."""
    (tmp_path / "my_studies.py").write_text("FACTOR = 1.0\n" + STUDY)
    session = (
        "import my_studies, pathlib\nfile = pathlib.Path('my_studies.py')\n"
        "file.write_text(file.read_text().replace('* length', '* length * 10'))\n"
        "from causal_theory.sweeps import sweep\n"
        "sweep(my_studies.value, {'length': [1, 2]}, store='s.sqlite', processes=0)\n"
    )
    out, error = run(tmp_path, "-c", session)
    assert out == ""
    assert "my_studies.py', which was edited after it was loaded: value is another" in error
    assert not (tmp_path / "s.sqlite").exists()


def test_studies_of_a_script_agree_with_their_processes(tmp_path):
    """The script is another module there, and has imported less."""
    (tmp_path / "helper.py").write_text("FACTOR = 2.0\n")
    (tmp_path / "only_here.py").write_text("import sys\n")
    (tmp_path / "script.py").write_text(
        "from helper import FACTOR\nfrom causal_theory.sweeps import sweep\n\n\n"
        + STUDY
        + '\n\nif __name__ == "__main__":\n    import only_here\n'
        '    found = sweep(value, {"length": [1, 2, 3]}, store="s.sqlite", processes=1, progress=False)\n'
        "    print(found.ok, found.table()['value'].tolist())\n"
    )
    assert run(tmp_path, "script.py") == ("True [2.0, 4.0, 6.0]", "")


def test_edits_of_the_package_are_noticed(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "causal_theory")
    session = (
        "import pathlib\nfrom causal_theory.sweeps import sweep\n"
        "file = pathlib.Path('causal_theory/sweeps/grid.py')\n"
        "file.write_text(file.read_text().replace('must have at most', 'must  have at most'))\n"
        "sweep('edge_recovery', {'length': [3]}, settings={'concentration': 1.0}, store='s.sqlite', processes=0)\n"
    )
    out, error = run(tmp_path, "-c", session, path=tmp_path)
    assert out == ""
    assert error.endswith("causal_theory/sweeps/grid.py', which was edited after it was imported; restart")


class TestDifferences:
    def message(self, wanted, found):
        with pytest.raises(InvalidArgumentError) as caught:
            check_same_run("run", wanted, found, ("1", "a"), ("1", "a"), reuse_other_versions=True)
        return str(caught.value)

    def test_of_arrays_are_told_in_short(self):
        one, two = np.arange(1000.0), np.arange(1000.0)
        two[-1] = -1.0
        here, there = fingerprint(one), fingerprint(two)
        digests = [hashlib.sha256(array.tobytes()).hexdigest()[:8] for array in (two, one)]
        assert self.message({"start": here}, {"start": there}) == (
            f"run must belong to the same run, got start = 1000 numbers (0, 1, 2, ...; digest {digests[0]}) instead of "
            f"1000 numbers (0, 1, 2, ...; digest {digests[1]})"
        )

    def test_of_signs_and_types_of_arrays_count(self):
        assert "start" in self.message(
            {"start": fingerprint(np.array([0.0]))}, {"start": fingerprint(np.array([-0.0]))}
        )
        single = fingerprint(np.zeros(2, dtype=np.float32))
        assert "start" in self.message({"start": fingerprint(np.zeros(1))}, {"start": single})

    def test_of_long_lists_are_told_by_the_entry(self):
        one, two = [[k] for k in range(200)], [[k] for k in range(200)]
        two[150] = [0]
        assert self.message({"a": {"parents": one}}, {"a": {"parents": two}}).endswith(
            "got a parents[150] = [0] instead of [150]"
        )

    def test_of_names_count(self):
        assert self.message({"a": 1}, {"a": 1, "b": 2}).endswith("got b = 2 instead of None")

    def test_there_are_none_between_nan_and_itself(self):
        same = {"start": fingerprint(np.array([np.nan]))}
        check_same_run("run", same, same, ("1", "a"), ("1", "a"), reuse_other_versions=False)

    def test_of_the_code_alone_can_be_overridden(self):
        check_same_run("run", {"a": 1}, {"a": 1.0}, ("1", "a"), ("1", "b"), reuse_other_versions=True)
        with pytest.raises(errors.InvalidArgumentError, match=r"unless reuse_other_versions .*got 1 b instead of 1 a"):
            check_same_run("run", {"a": 1}, {"a": 1.0}, ("1", "a"), ("1", "b"), reuse_other_versions=False)


HARMLESS = {
    "import that fails": "READY = True\ntry:\n    import not_there_at_all\nexcept ImportError:\n    READY = False\n",
    "bound when it fails": "from helper import SIZE\ntry:\n    raise KeyError\nexcept KeyError:\n    SIZE = 9\n",
    "two stars": "from helper import *\nfrom other import *\n",
    "star of one's own": "SIZE = 1\nfrom helper import *\n",
    "dictionary": "SIZE = 1\nglobals().update(SIZE=2)\n",
    "pattern": "SIZE = 0\nmatch (1, 2):\n    case (SIZE, _):\n        pass\n",
    "setattr": "import helper\nfrom helper import SIZE\nsetattr(helper, 'SIZE', 7)\n",
    "assigned": "import helper\nfrom helper import SIZE\nhelper.SIZE = 7\n",
}


@pytest.mark.parametrize("kind", HARMLESS)
@pytest.mark.parametrize("bytecode", [True, False])
def test_modules_that_nobody_edited_are_not_refused(session, monkeypatch, kind, bytecode):
    monkeypatch.setattr(sys, "dont_write_bytecode", not bytecode)
    session.write("helper.py", "import logging\nSIZE = 3\nlog = logging.getLogger(__name__)\n")
    session.write("other.py", "import logging\nSIZE = 4\nlog = logging.getLogger(__name__)\n")
    session.write("my_study.py", f"{HARMLESS[kind]}FACTOR = 2.0\n{STUDY}")
    value = session.load("my_study").value
    check_unedited(value)
    # Edits are noticed all the same.
    session.write("my_study.py", f"{HARMLESS[kind]}FACTOR = 3.0\n{STUDY}")
    refuses(value, "edited after it was loaded")


def test_modules_of_a_package_may_have_names_of_its_functions(session):
    session.write("tools/fit.py", "def plot():\n    return 1.0\n")
    session.write("tools/plot.py", "FACTOR = 2.0\n")
    session.write("tools/__init__.py", "from .fit import plot\nfrom .plot import FACTOR\n")
    session.write("my_study.py", f"from tools import FACTOR\n{STUDY}")
    check_unedited(session.load("my_study").value)
