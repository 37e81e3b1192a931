"""Exact losses on tasks with several parents, by transfers along the frontier of the graph."""
