"""Where statements of the theory stop: a search for counterexamples, each proved in rational arithmetic."""

from causal_theory.falsification.claims import CLAIMS, FalsifiableClaim
from causal_theory.falsification.critical import CriticalLength, critical_length
from causal_theory.falsification.instance import Instance
from causal_theory.falsification.maps import RecoveryMap, concentration_map, symbols_map, trace_map
from causal_theory.falsification.rational import ExactCheck
from causal_theory.falsification.result import Counterexample, SearchResult
from causal_theory.falsification.search import find_counterexample
from causal_theory.falsification.space import SearchSpace

__all__ = [
    "CLAIMS",
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
