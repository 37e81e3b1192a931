"""Joint laws of any set of tokens of any graph, exactly: by transfers along a frontier, or by elimination."""

from causal_theory.token_laws.elimination import MAX_ENTRIES, eliminated_law
from causal_theory.token_laws.joint import joint_law, transferred_law

__all__ = ["MAX_ENTRIES", "eliminated_law", "joint_law", "transferred_law"]
