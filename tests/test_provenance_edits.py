"""Edits and reloads of code that is loaded are noticed, and nothing else is taken for one."""

import importlib
import os
import py_compile
import shutil
import sys

import pytest

import causal_theory
from causal_theory.errors import InvalidArgumentError
from causal_theory.provenance import check_unedited, code_version
from causal_theory.sweeps import find_study, read_store, sweep

from .own_code import PACKAGE, STUDY, expected_digest, run


def refuses(function, match):
    with pytest.raises(InvalidArgumentError, match=match) as caught:
        check_unedited(function)
    assert "\n" not in str(caught.value)


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


def test_edits_before_the_first_sweep_are_noticed(tmp_path):
    """What imports the package and computes may load what runs sweeps only later."""
    shutil.copytree(PACKAGE, tmp_path / "causal_theory")
    session = (
        "import pathlib, causal_theory\nprint(causal_theory.stationary_distribution([[0.5, 0.5], [0.5, 0.5]]))\n"
        "file = pathlib.Path('causal_theory/validation.py')\n"
        "file.write_text(file.read_text().replace('ROW_SUM_TOLERANCE = 1e-10', 'ROW_SUM_TOLERANCE = 1e-9'))\n"
        "from causal_theory.sweeps import code_version\ncode_version()\n"
    )
    out, error = run(tmp_path, "-c", session, path=tmp_path)
    assert out == "[0.5 0.5]"
    assert error.endswith("causal_theory/validation.py', which was edited after it was imported; restart")


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
