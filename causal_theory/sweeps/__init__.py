"""Evaluate studies on grids of settings: every result is kept, and none depends on the order or place of the work.

>>> import tempfile
>>> from pathlib import Path
>>> from causal_theory.sweeps import sweep
>>> with tempfile.TemporaryDirectory() as folder:
...     store = Path(folder) / "edges.sqlite"
...     done = sweep("edge_recovery", {"length": [8, 12]}, settings={"concentration": 1.0}, store=store, processes=0)
...     done.table()["fraction"]
array([1., 1.])
"""

from causal_theory.errors import StoreError
from causal_theory.provenance import CodeVersion, code_version, note_loaded_modules
from causal_theory.sweeps.executors import SerialExecutor
from causal_theory.sweeps.grid import MOST_UNITS, expand_grid
from causal_theory.sweeps.merge import merge_stores
from causal_theory.sweeps.runner import SweepInterrupted, SweepResult, sweep
from causal_theory.sweeps.store import Store, StoredUnit, StudyStatus
from causal_theory.sweeps.study import Parameter, Study, find_study
from causal_theory.sweeps.table import FailedUnit, SweepTable, read_store
from causal_theory.sweeps.unit import Unit

# Whoever imports this will run studies, of modules that may be edited from now on.
note_loaded_modules()

__all__ = [
    "MOST_UNITS",
    "CodeVersion",
    "FailedUnit",
    "Parameter",
    "SerialExecutor",
    "Store",
    "StoreError",
    "StoredUnit",
    "Study",
    "StudyStatus",
    "SweepInterrupted",
    "SweepResult",
    "SweepTable",
    "Unit",
    "code_version",
    "expand_grid",
    "find_study",
    "merge_stores",
    "read_store",
    "sweep",
]
