"""Claims that record numbers: check statements of the theory, each with a control that must fail, and report."""

from causal_theory.claims.check import Check
from causal_theory.claims.claim import PROFILES, Claim, budget, claim
from causal_theory.claims.files import read_record
from causal_theory.claims.folder import find_claims, load_claim, select_claims
from causal_theory.claims.records import Findings, Record

__all__ = [
    "PROFILES",
    "Check",
    "Claim",
    "Findings",
    "Record",
    "budget",
    "claim",
    "find_claims",
    "load_claim",
    "read_record",
    "select_claims",
]
