"""Describe a run before it starts: versions, machine, commit; and refuse a folder that cannot be written."""

import importlib.metadata
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile

from causal_theory import __version__
from causal_theory.claims.folder import claim_files
from causal_theory.claims.head import read_head
from causal_theory.claims.records import Record
from causal_theory.errors import OutputError
from causal_theory.sweeps.executors import usable_processors

PACKAGES = ("numpy", "scipy", "numba", "matplotlib")


def check_output_folder(folder: Path) -> None:
    """Create the folder and its ``figures``, and refuse one that cannot be written before any work is done.

    Raises
    ------
    OutputError
        If a folder cannot be created or written.
    """
    try:
        for target in (folder, folder / "figures"):
            target.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=target).close()
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"out must be a folder that can be written, got {str(folder)!r}: {reason}") from error


def describe_run(
    requested: tuple[str, ...], profile: str, *, seed: int, jobs: int, command: str, folder: str
) -> Record:
    """Return the record of a run of which no claim has finished."""
    again, _, option = command.rpartition(" ")
    whole = len(requested) == len(claim_files(folder))
    chosen = "" if whole else "".join(f" {option} {name}" for name in requested)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return Record(
        profile=profile,
        seed=seed,
        jobs=jobs,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        repeat=f"{again} --profile {profile} --seed {seed}{chosen}",
        folder=folder,
        head=read_head(folder),
        versions={"causal_theory": __version__, "python": platform.python_version(), **versions},
        machine={"system": platform.platform(), "processor": _processor(), "processors": usable_processors()},
        commit=_commit(Path(folder)),
        requested=requested,
    )


def _processor() -> str:
    """Name the processor; the platform module leaves it empty on Linux."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit(folder: Path) -> str | None:
    """Name the commit of the checkout of a folder, with ``-dirty`` when files differ from it; None without git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
