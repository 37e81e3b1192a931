"""Restrict the jobs and walks of a split forest to the pairs of some rows.

A pair belongs to the row of its later position. For rows ``first <= i < last`` a job (ys, xs) becomes two: the ys of
the rows with all xs before ``last``, and the ys before ``first`` with the xs of the rows. Both runs of a job are
sorted, so that a part of one is again a run and positions need not be copied.
"""

import numpy as np

from causal_theory.kernels._jit import kernel


@kernel
def restrict_jobs(groups, bounds, positions, first, last):
    """Return groups and bounds of the jobs that remain; groups keep their number and may be empty."""
    kept_groups = np.zeros_like(groups)
    kept = np.empty((2 * bounds.shape[0], 4), dtype=np.int64)
    count = 0
    for group in range(groups.shape[0] - 1):
        for job in range(groups[group], groups[group + 1]):
            y0, y3, x0, x3 = bounds[job, 0], bounds[job, 1], bounds[job, 2], bounds[job, 3]
            ys, xs = positions[y0:y3], positions[x0:x3]
            y1, y2 = y0 + np.searchsorted(ys, first), y0 + np.searchsorted(ys, last)
            x1, x2 = x0 + np.searchsorted(xs, first), x0 + np.searchsorted(xs, last)
            for a, b, c, d in ((y1, y2, x0, x2), (y0, y1, x1, x2)):
                if a < b and c < d:
                    kept[count, 0], kept[count, 1], kept[count, 2], kept[count, 3] = a, b, c, d
                    count += 1
        kept_groups[group + 1] = count
    return kept_groups, kept[:count].copy()


@kernel
def restrict_walks(walk_starts, walk, groups, bounds, positions, count):
    """Return starts and steps of the walks that lead to a position of a job of their own group, and to nothing else."""
    stamp = np.full(count, -1)
    needed = np.zeros(walk.shape[0], dtype=np.bool_)
    kept_starts = np.zeros_like(walk_starts)
    total = 0
    for group in range(groups.shape[0] - 1):
        for job in range(groups[group], groups[group + 1]):
            for at in range(bounds[job, 0], bounds[job, 1]):
                stamp[positions[at]] = group
            for at in range(bounds[job, 2], bounds[job, 3]):
                stamp[positions[at]] = group
        # A walk comes to a position before it comes to those behind it.
        for step in range(walk_starts[group + 1] - 1, walk_starts[group] - 1, -1):
            v, w = walk[step, 0], walk[step, 1]
            if stamp[v] == group:
                needed[step] = True
                total += 1
                if w >= 0:
                    stamp[w] = group
        kept_starts[group + 1] = total
    return kept_starts, walk[needed]
