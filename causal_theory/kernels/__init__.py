"""Compiled kernels: the only place that imports numba. They loop over arrays; callers check and allocate.

Callers write ``kernels.module.function``: a module, and numba with it, is loaded when it is first asked for.
"""

from typing import TYPE_CHECKING

from causal_theory.lazy import attributes

if TYPE_CHECKING:
    from causal_theory.kernels import descent as descent
    from causal_theory.kernels import disentangled as disentangled
    from causal_theory.kernels import enumeration as enumeration
    from causal_theory.kernels import exponential as exponential
    from causal_theory.kernels import flow as flow
    from causal_theory.kernels import frontier as frontier
    from causal_theory.kernels import gth as gth
    from causal_theory.kernels import interpreted as interpreted
    from causal_theory.kernels import pair_sums as pair_sums
    from causal_theory.kernels import pairs as pairs
    from causal_theory.kernels import reduced as reduced
    from causal_theory.kernels import row_blocks as row_blocks
    from causal_theory.kernels import sampler as sampler
    from causal_theory.kernels import sequences as sequences
    from causal_theory.kernels import small_forest as small_forest
    from causal_theory.kernels import tilted as tilted
else:
    __getattr__ = attributes(__name__)
