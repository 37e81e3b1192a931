"""Folders with modules of a user's own, and the digests of code that belong to them."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import causal_theory

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
