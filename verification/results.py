"""The machine-readable record of a run: ``verification.json``, checked against its schema before it is written."""

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema

import causal_theory
from causal_theory.errors import OutputError
from causal_theory.graphs.files import write_text_atomically
from verification.claim import Evidence
from verification.profiles import Profile
from verification.runner import Outcome

__all__ = ["RunDetails", "check_output_folder", "record", "write_record"]

RunDetails = dict[str, Any]

SCHEMA = Path(__file__).with_name("schema.json")


def check_output_folder(folder: Path) -> None:
    """Create the folder, and refuse one that cannot be written before any work is done.

    Raises
    ------
    OutputError
        If the folder cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"out must be a folder that can be written, got {str(folder)!r}: {error.strerror}") from error


def run_details(profile: Profile, seed: int, jobs: int) -> RunDetails:
    """Versions, machine, seed and commit."""
    packages = ("numpy", "scipy", "numba")
    return {
        "profile": profile.name,
        "seed": seed,
        "jobs": jobs,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "causal_theory": causal_theory.__version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "processors": os.cpu_count() or 1,
        },
        "commit": _commit(),
    }


def _processor() -> str:
    """Name the processor; the platform module leaves it empty on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _commit() -> str | None:
    """Name the commit of the checkout, if it is one and git is there."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def record(outcomes: Sequence[Outcome], details: RunDetails, *, complete: bool, seconds: float) -> dict[str, Any]:
    """Return the record of a run as plain data."""
    return {
        "format": 1,
        **details,
        "complete": complete,
        "seconds": round(seconds, 3),
        "passed": complete and bool(outcomes) and all(outcome.passed for outcome in outcomes),
        "claims": [
            {
                "number": outcome.claim.number,
                "name": outcome.claim.name,
                "statement": outcome.claim.statement,
                "source": outcome.claim.source,
                "control_statement": outcome.claim.control_statement,
                "passed": outcome.passed,
                "seconds": round(outcome.seconds, 3),
                "evidence": _plain(outcome.evidence),
                "control": _plain(outcome.control),
            }
            for outcome in sorted(outcomes, key=lambda outcome: outcome.claim.number)
        ],
    }


def _plain(evidence: Evidence) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(evidence)))
    return plain


def write_record(folder: Path, content: dict[str, Any]) -> Path:
    """Check a record against the schema and write it, all or nothing."""
    jsonschema.validate(content, json.loads(SCHEMA.read_text(encoding="utf-8")))
    path = folder / "verification.json"
    write_text_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path
