"""A library of certificates: instances on which edges are recovered, and instances on which one condition fails alone.

Each entry is a JSON file that :func:`causal_theory.certificates.read_certificate` reads; ``index.json`` says which
graph family it is, which conditions it violates, and the verdict. ``python -m verification.certificates.build`` writes
all of it again, from the matrices and graphs in ``instances.py``.
"""

from verification.certificates.conditions import CONDITIONS, Condition, check_conditions
from verification.certificates.library import FOLDER, Entry, read_library

__all__ = ["CONDITIONS", "FOLDER", "Condition", "Entry", "check_conditions", "read_library"]
