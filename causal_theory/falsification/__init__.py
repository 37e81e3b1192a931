"""Search for counterexamples to statements of the theory, each proved in rational arithmetic."""

from causal_theory.falsification.claims import CLAIMS, FalsifiableClaim
from causal_theory.falsification.critical import CriticalLength, critical_length
from causal_theory.falsification.instance import Instance
from causal_theory.falsification.maps import concentration_map, symbols_map, trace_map
from causal_theory.falsification.rational import ExactCheck
from causal_theory.falsification.recovery_map import RecoveryMap
from causal_theory.falsification.result import Counterexample, SearchResult
from causal_theory.falsification.search import find_counterexample
from causal_theory.falsification.space import FAMILIES, SearchSpace

__all__ = [
    "CLAIMS",
    "FAMILIES",
    "Counterexample",
    "CriticalLength",
    "ExactCheck",
    "FalsifiableClaim",
    "Instance",
    "RecoveryMap",
    "SearchResult",
    "SearchSpace",
    "concentration_map",
    "critical_length",
    "find_counterexample",
    "symbols_map",
    "trace_map",
]
