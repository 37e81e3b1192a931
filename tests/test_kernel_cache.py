"""Compiled kernels on disk: what is loaded is the code of these sources and these types, or nothing is."""

import os
import resource
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numba
import pytest

import causal_theory
from causal_theory.kernels import _jit, cache

pytestmark = pytest.mark.compiled

ROOT = Path(causal_theory.__file__).parents[1]

HELPER = """
from causal_theory.kernels._jit import helper
STEP = 1000
@helper
def step(x):
    return x + STEP
"""
KERNEL = """
from causal_theory.kernels._jit import kernel
from {helper} import step
@kernel
def double(x):
    return step(2 * x)
"""
REPORT = """
import sys
from kernel_file import double
print(*[double(eval(text)) for text in sys.argv[1:]], sum(double.stats.cache_hits.values()))
"""


@pytest.fixture
def sources(tmp_path):
    """A folder with a kernel that calls one of another file."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "helper_file.py").write_text(HELPER)
    (folder / "kernel_file.py").write_text(KERNEL.format(helper="helper_file"))
    return folder


def environment(folder, **more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("NUMBA_CACHE", cache.SAID))}
    # Python's own caches of bytecode know an edit by time and size only.
    return kept | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"} | more


def report(folder, *numbers, program=REPORT, **more):
    """The words that a fresh process prints, and what it says besides."""
    done = subprocess.run(
        [sys.executable, "-c", program, *numbers],
        env=environment(folder, **more),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def kernel_files(folder):
    return sorted(folder.rglob("*.kernel"))


PLACES = {
    "NUMBA_CACHE_DIR": {"NUMBA_CACHE_DIR": "cache"},
    "beside the sources": {},
    "a chosen locator": {"NUMBA_CACHE_LOCATOR_CLASSES": "InTreeCacheLocator"},
}


@pytest.mark.parametrize("place", list(PLACES))
def test_edits_take_effect(sources, place):
    """Whatever the time and the size of the edited file say; without an edit nothing is compiled."""
    file = sources / "helper_file.py"
    stat = file.stat()
    more = PLACES[place]
    assert report(sources, "3", **more) == (["1006", "0"], "")
    file.write_text(HELPER.replace("1000", "2000"))  # the size stays
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert report(sources, "3", **more) == (["2006", "0"], "")
    file.write_text(HELPER.replace("x + STEP", "x - STEP"))
    os.utime(file, (1, 1))
    assert report(sources, "3", **more) == (["-994", "0"], "")
    assert report(sources, "3", **more) == (["-994", "1"], "")
    assert len(kernel_files(sources)) == 1  # what the older sources have left is gone


STOPS = """
import os, sys
replace = os.replace
def stop_and_replace(*arguments):
    print("stop", flush=True)
    sys.stdin.readline()
    replace(*arguments)
os.replace = stop_and_replace
from kernel_file import double
double(eval(sys.argv[1]))
print("end", flush=True)
"""


def test_two_processes_and_two_signatures_at_once(sources, tmp_path):
    """Both have looked for what is there before either writes; the second writes while the first is in the middle."""
    (sources / "kernel_file.py").write_text(KERNEL.format(helper="helper_file").replace("step(2 * x)", "2 * x"))
    more = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def start(number):
        return subprocess.Popen(
            [sys.executable, "-c", STOPS, number],
            env=environment(sources, **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def go_on(process):
        process.stdin.write("\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    with start("3") as first, start("0.25") as second:
        assert first.stdout.readline().strip() == second.stdout.readline().strip() == "stop"
        state = go_on(first)  # its first write is done
        while go_on(second) == "stop":
            pass
        while state == "stop":
            state = go_on(first)
    assert (first.returncode, second.returncode) == (0, 0)
    assert report(sources, "3", "0.25", **more) == (["6", "0.5", "2"], "")


DIES = """
import os
replace = os.replace
def replace_and_die(*arguments):
    if {before}:
        os._exit(9)
    replace(*arguments)
    os._exit(9)
os.replace = replace_and_die
from kernel_file import double
double(3)
"""


@pytest.mark.parametrize("before", [True, False])
def test_killed_while_it_writes(sources, tmp_path, before):
    """After an edit, before or after its first file is in its place: the next process has the new code."""
    more = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert report(sources, "3", **more) == (["1006", "0"], "")
    (sources / "kernel_file.py").write_text(KERNEL.format(helper="helper_file").replace("2 * x", "5 * x"))
    program = DIES.format(before=before)
    died = subprocess.run([sys.executable, "-c", program], env=environment(sources, **more), check=False)
    assert died.returncode == 9
    assert report(sources, "3", **more)[0][0] == "1015"


# The rest happens in this process: a kernel that is made again knows nothing of what the one before has compiled.


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A place for caches of kernels made here, and a process that has said nothing yet."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(cache.SAID, raising=False)
    return tmp_path / "cache"


def double(x):
    return 2 * x


def loaded(kernel):
    return sum(kernel.stats.cache_hits.values())


def cut(size):
    return lambda content: content[:size]


def flipped(place):
    def change(content):
        altered = bytearray(content)
        altered[place] ^= 1
        return bytes(altered)

    return change


DAMAGES = {
    "empty": cut(0),
    "cut in the key": cut(20),
    "cut in the code": cut(-1),
    "longer": lambda content: content + b"\0",
    "another key": flipped(0),
    "another checksum": flipped(40),
    "another code": flipped(-100),
    "something else": lambda content: b"garbage" * len(content),
}


@pytest.mark.parametrize("name", list(DAMAGES))
def test_damaged_file_is_compiled_again(folder, name):
    assert _jit.kernel(double)(3) == 6
    (path,) = kernel_files(folder)
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[name](whole))
    second = _jit.kernel(double)
    assert (second(3), loaded(second)) == (6, 0)
    third = _jit.kernel(double)
    assert (third(3), loaded(third)) == (6, 1)


def test_file_under_the_name_of_another(folder):
    kernel = _jit.kernel(double)
    assert (kernel(3), kernel(0.25)) == (6, 0.5)
    one, two = kernel_files(folder)
    content = one.read_bytes(), two.read_bytes()
    one.write_bytes(content[1])
    two.write_bytes(content[0])
    again = _jit.kernel(double)
    assert (again(3), again(0.25), loaded(again)) == (6, 0.5, 0)


def test_unreadable_file(folder):
    assert _jit.kernel(double)(3) == 6
    (path,) = kernel_files(folder)
    path.unlink()
    path.mkdir()
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR"):
        assert _jit.kernel(double)(3) == 6


def test_folder_that_vanishes_comes_back(folder):
    kernel = _jit.kernel(double)
    assert kernel(3) == 6
    shutil.rmtree(folder)
    assert kernel(0.25) == 0.5
    assert len(kernel_files(folder)) == 1


def test_what_is_removed(folder):
    """Code of older sources of the same kernel, and what killed writers have left long ago."""
    assert _jit.kernel(double)(3) == 6
    (path,) = kernel_files(folder)
    name, machine, source, types = path.stem.rsplit("-", 3)
    other = source[::-1]
    gone = [f"{name}-{machine}-{other}-{types}.kernel", f"{path.name}.old.tmp"]
    kept = [
        f"{name}-{machine[::-1]}-{other}-{types}.kernel",
        f"{name}_too-{machine}-{other}-{types}.kernel",
        f"{path.name}.young.tmp",
        "notes.txt",
    ]
    for file in gone + kept:
        (path.parent / file).touch()
    os.utime(path.parent / gone[1], (1, 1))
    assert _jit.kernel(double)(0.25) == 0.5
    assert {file.name for file in path.parent.iterdir()} > {path.name, *kept}
    assert not {file.name for file in path.parent.iterdir()} & set(gone)


def test_removed_by_another_process_first(folder, monkeypatch):
    assert _jit.kernel(double)(3) == 6
    (path,) = kernel_files(folder)
    name, machine, _, types = path.stem.rsplit("-", 3)
    (path.parent / f"{name}-{machine}-0123456789abcdef-{types}.kernel").touch()

    def unlink(self, missing_ok=False):
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert _jit.kernel(double)(0.25) == 0.5


class TestNoPlace:
    """Kernels are compiled for this process, and that is said once."""

    PROGRAM = """
import os, subprocess, sys
from kernel_file import double
print(double(3), double(0.25))
sys.stdout.flush()
subprocess.run([sys.executable, "-c", "from kernel_file import double; print(double(7))"], check=True)
"""

    def said(self, sources, nowhere, program=PROGRAM, **more):
        settings = {"NUMBA_CACHE_DIR": str(nowhere), "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
        return report(sources, program=program, **settings | more)

    @pytest.mark.skipif(not hasattr(numba.config, "CACHE_LOCATOR_CLASSES"), reason="this numba has no such setting")
    def test_is_said_once(self, sources, tmp_path):
        """In all signatures, kernels and processes together that are started afterwards."""
        (tmp_path / "file").touch()
        words, told = self.said(sources, tmp_path / "file" / "cache")
        assert words == ["1006", "1000.5", "1014"]
        assert Counter(told.split())["RuntimeWarning:"] == 1
        assert "set NUMBA_CACHE_DIR to a folder that can be written" in told

    def test_existing_code_is_used(self, sources, tmp_path):
        """A container image that cannot be written may hold it, beside the kernels or in NUMBA_CACHE_DIR."""
        (tmp_path / "file").touch()
        beside, given = report(sources, "3"), report(sources, "3", NUMBA_CACHE_DIR=str(tmp_path / "given"))
        assert beside == given == (["1006", "0"], "")
        assert self.said(sources, tmp_path / "file" / "cache", program=REPORT.replace("sys.argv[1:]", "'3'")) == (
            ["1006", "1"],
            "",
        )
        shutil.rmtree(sources / "__pycache__")
        # The folder is there, and cannot be written: numba would take another, of which there is none.
        locked = {"NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
        program = REPORT.replace("sys.argv[1:]", "'3'")
        assert self.said(sources, tmp_path / "given", program=program, **locked) == (["1006", "1"], "")

    @pytest.mark.skipif(not hasattr(numba.config, "CACHE_LOCATOR_CLASSES"), reason="this numba has no such setting")
    def test_unknown_locator(self, sources):
        words, told = report(sources, "3", NUMBA_CACHE_LOCATOR_CLASSES="Nowhere")
        assert words == ["1006", "0"]
        assert "Nowhere" in told

    @pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
    def test_read_only_package_and_no_home(self, tmp_path):
        site = tmp_path / "site"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "causal_theory", site / "causal_theory", ignore=ignored)
        lock = f"mount --bind {site} {site} && mount -o remount,ro,bind {site} && "
        if subprocess.run(["unshare", "-m", "sh", "-c", f"{lock} true"], capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        matrices = "[[[0.5, 0.5], [0.25, 0.75]]] * 200_000"
        program = f"from causal_theory import chains; print(chains.stationary_distributions({matrices})[-1])"
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", f'{lock} exec "$0" -c "$1"', sys.executable, program],
            env={"PATH": os.environ["PATH"], "HOME": "/proc/nonexistent", "PYTHONPATH": str(site)},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, "[0.33333333 0.66666667]"), done.stderr
        assert done.stderr.count("RuntimeWarning") == done.stderr.count("NUMBA_CACHE_DIR") == 1

    def test_numba_of_another_shape(self, folder, monkeypatch):
        monkeypatch.setattr(cache, "_KNOWN", False)
        with pytest.warns(RuntimeWarning, match=f"numba {numba.__version__} does not offer"):
            kernel = _jit.kernel(double)
        assert kernel(3) == 6
        assert not kernel_files(folder)


class TestFullDisk:
    def test_no_file_may_grow(self, folder):
        """As on a full disk; afterwards there is nothing that looks like code, and then there is room again."""
        limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            self.fails(folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        self.goes_on(folder)

    def test_that_is_one(self, folder):
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", folder]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            self.fails(folder)
            subprocess.run(["mount", "-o", "remount,size=8m", folder], check=True)
            self.goes_on(folder)
        finally:
            subprocess.run(["umount", folder], check=True)

    def fails(self, folder):
        kernel = _jit.kernel(double)
        with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR") as told:
            assert (kernel(3), kernel(0.25)) == (6, 0.5)
        assert len(told) == 1
        assert not [path for path in folder.rglob("*") if path.is_file()]

    def goes_on(self, folder):
        assert _jit.kernel(double)(3) == 6
        again = _jit.kernel(double)
        assert (again(3), loaded(again)) == (6, 1)
        assert len(kernel_files(folder)) == 1


def test_interrupted_write_leaves_nothing(folder, monkeypatch):
    def interrupt(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _jit.kernel(double)(3)
    assert not [path for path in folder.rglob("*") if path.is_file()]


COUNT = """
import hashlib, pkgutil, sys
from importlib import import_module
from causal_theory import kernels
from causal_theory.kernels import stamps
for one in pkgutil.iter_modules(kernels.__path__):
    import_module(f"causal_theory.kernels.{one.name}")
from numba.core.dispatcher import Dispatcher
found = set()
for name, module in sorted(sys.modules.items()):
    if name.startswith("causal_theory.kernels."):
        for kernel in vars(module).values():
            kernel = getattr(kernel, "dispatcher", kernel)
            if isinstance(kernel, Dispatcher):
                found.add(stamps.name_of(kernel) + stamps.source_digest(kernel))
print(len(found), hashlib.sha256("".join(sorted(found)).encode()).hexdigest())
"""


def test_kernels_of_the_package(sources):
    """Their digests do not depend on the process."""
    first, second = (report(sources, program=COUNT, PYTHONHASHSEED=seed)[0] for seed in ("1", "2"))
    assert first == second
    assert int(first[0]) > 100


def test_settings_of_the_compiler_count(folder, monkeypatch):
    assert _jit.kernel(double)(3) == 6
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    other = _jit.kernel(double)
    assert (other(3), loaded(other)) == (6, 0)
    strict = cache.keep_on_disk(numba.njit(fastmath={"contract"})(double))
    assert (strict(3), loaded(strict)) == (6, 0)


def test_disabled_compiler_leaves_functions_alone(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _jit.kernel(double) is double
