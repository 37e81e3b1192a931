"""Proofs of single instances: edge scores in rational arithmetic, checked by a second route."""

from causal_theory.certificates.certificate import Certificate, ExactMargin, certify_edge_scores
from causal_theory.certificates.files import read_certificate, write_certificate
from causal_theory.certificates.verify import Verification, verify_certificate

__all__ = [
    "Certificate",
    "ExactMargin",
    "Verification",
    "certify_edge_scores",
    "read_certificate",
    "verify_certificate",
    "write_certificate",
]
