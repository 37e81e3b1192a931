"""The digest of code covers what a study, a prior, a graph or a model imports, in every way to import it."""

import platform
import sys

import numpy as np
import pytest

import causal_theory
from causal_theory.errors import InvalidArgumentError
from causal_theory.provenance import code_version
from causal_theory.sweeps import find_study, read_store, sweep

from .own_code import STUDY, expected_digest, package_digest, run


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
