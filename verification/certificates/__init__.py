"""A library of certificates: instances on which edges are recovered, and instances on which one condition fails alone.

Each entry of ``library.json`` has a certificate, as ``certificate_to_dict`` writes it, its graph family, its verdict,
and the conditions that the instance violates. ``python -m verification.certificates.build`` writes the file anew from
the matrices and graphs of ``instances.toml``.
"""

from verification.certificates.conditions import CONDITIONS, Condition, check_conditions
from verification.certificates.library import LIBRARY, Entry, read_library

__all__ = ["CONDITIONS", "LIBRARY", "Condition", "Entry", "check_conditions", "read_library"]
