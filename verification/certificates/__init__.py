"""A library of certificates: instances on which edges are recovered, and instances on which one condition fails alone.

``library.json`` holds each certificate in the form of :mod:`causal_theory.certificates.files`, with its graph family,
the conditions it violates, and the verdict. ``python -m verification.certificates.build`` writes it again, from the
matrices and graphs in ``instances.py``.
"""

from verification.certificates.conditions import CONDITIONS, Condition, check_conditions
from verification.certificates.library import LIBRARY, Entry, read_library

__all__ = ["CONDITIONS", "LIBRARY", "Condition", "Entry", "check_conditions", "read_library"]
