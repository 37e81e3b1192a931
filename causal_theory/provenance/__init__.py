"""Decide whether two computations are the same: by their parameters, and by the code that ran.

Checkpoints of training and stores of sweeps ask here, and nowhere else.
"""

from causal_theory.provenance.identity import check_same_run, fingerprint, is_same_code
from causal_theory.provenance.version import CodeVersion, check_unedited, code_version, note_loaded_modules, versions

__all__ = [
    "CodeVersion",
    "check_same_run",
    "check_unedited",
    "code_version",
    "fingerprint",
    "is_same_code",
    "note_loaded_modules",
    "versions",
]
