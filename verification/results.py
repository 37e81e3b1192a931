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
from causal_theory.files import write_text
from verification.claim import Claim
from verification.profiles import Profile
from verification.runner import Outcome, available_processors

__all__ = ["Record", "check_output_folder", "describe_run", "make_record", "write_record"]

Record = dict[str, Any]

FORMAT = 1
FILE_NAME = "verification.json"
SCHEMA = Path(__file__).with_name("schema.json")
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
            probe = target / f".probe.{os.getpid()}"
            probe.touch()
            probe.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"out must be a folder that can be written, got {str(folder)!r}: {reason}") from error


def describe_run(claims: Sequence[Claim], profile: Profile, *, seed: int, jobs: int) -> Record:
    """Return what is known before the first claim runs: budgets, versions, machine, commit."""
    names = [claim.name for claim in claims]
    return {
        "format": FORMAT,
        "profile": {**asdict(profile)},
        "seed": seed,
        "jobs": jobs,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "causal_theory": causal_theory.__version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "processors": available_processors(),
        },
        "commit": _commit(),
        "requested": names,
    }


def make_record(run: Record, outcomes: Sequence[Outcome], *, complete: bool, seconds: float) -> Record:
    """Return the record of a run, finished or not, as plain data."""
    finished = {outcome.claim.name for outcome in outcomes}
    ordered = sorted(outcomes, key=lambda outcome: outcome.claim.number)
    return _plain(
        {
            **run,
            "complete": complete,
            "passed": complete and bool(outcomes) and all(outcome.passed for outcome in outcomes),
            "seconds": round(seconds, 3),
            "unfinished": [name for name in run["requested"] if name not in finished],
            "claims": [_claim_record(outcome, run) for outcome in ordered],
        }
    )


def write_record(folder: Path, record: Record) -> Path:
    """Check a record against the schema and write it, all or nothing."""
    jsonschema.validate(record, json.loads(SCHEMA.read_text(encoding="utf-8")))
    path = folder / FILE_NAME
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def _claim_record(outcome: Outcome, run: Record) -> Record:
    claim = outcome.claim
    return {
        "name": claim.name,
        "number": claim.number,
        "title": claim.title,
        "statement": claim.statement,
        "source": claim.source,
        "predicted": claim.predicted,
        "assumptions": list(claim.assumptions),
        "control_statement": claim.control_statement,
        "declared_outside": list(claim.declared_outside),
        "command": (
            f"python -m verification --claim {claim.name} --profile {run['profile']['name']} --seed {run['seed']}"
        ),
        "status": "error" if outcome.error else "finished",
        "passed": outcome.passed,
        "shortcomings": list(outcome.shortcomings),
        "seconds": round(outcome.seconds, 3),
        "control_seconds": round(outcome.control_seconds, 3),
        "evidence": None if outcome.evidence is None else asdict(outcome.evidence),
        "control": None if outcome.control is None else asdict(outcome.control),
        "error": outcome.error,
    }


def _plain(content: Record) -> Record:
    """Turn tuples into lists, and prove that the content is JSON."""
    plain: Record = json.loads(json.dumps(content, allow_nan=False))
    return plain


def _processor() -> str:
    """Name the processor; the platform module leaves it empty on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _commit() -> str | None:
    """Name the commit of the checkout, with ``-dirty`` when files differ from it; None without git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
