"""Tasks and models as data: plain values that are read alike from Python, the command line, TOML and JSON."""

from causal_theory.specs.base import Option, Spec
from causal_theory.specs.model import ModelSpec
from causal_theory.specs.task import GraphSpec, PriorSpec, TaskSpec

__all__ = ["GraphSpec", "ModelSpec", "Option", "PriorSpec", "Spec", "TaskSpec"]
