"""Compiled kernels: the only place that imports numba. They loop over arrays; callers check and allocate."""
