"""Search for counterexamples to statements of the theory, each proved in rational arithmetic."""

from causal_theory.falsification.critical import CriticalLength, critical_length
from causal_theory.falsification.instance import Instance
from causal_theory.falsification.maps import concentration_map, symbols_map, trace_map
from causal_theory.falsification.rational import ExactCheck
from causal_theory.falsification.recovery_map import RecoveryMap
from causal_theory.falsification.result import Counterexample, SearchResult
from causal_theory.falsification.search import find_counterexample
from causal_theory.falsification.space import SearchSpace
from causal_theory.falsification.statements import STATEMENTS, Statement

__all__ = [
    "STATEMENTS",
    "Counterexample",
    "CriticalLength",
    "ExactCheck",
    "Instance",
    "RecoveryMap",
    "SearchResult",
    "SearchSpace",
    "Statement",
    "concentration_map",
    "critical_length",
    "find_counterexample",
    "symbols_map",
    "trace_map",
]
