"""Say what figures show of the provided studies: a result of each, and what parameters and results are called."""

VALUES = {
    "edge_recovery": "recovered",
    "margins": "smallest",
    "learning_curve": "normalised_excess",
    "stage1_window": "converges",
    "critical_length": "stays",
    "training_run": "loss",
}
"""What is drawn of each study when nothing is said."""

LABELS = {
    "length": "length T (tokens)",
    "vocab_size": "symbols S",
    "concentration": "concentration of the Dirichlet prior",
    "floor": "weight of the uniform law",
    "epsilon": "epsilon",
    "root_probability": "root probability",
    "learning_rate": "learning rate",
    "steps": "steps",
    "batch_size": "batch size (sequences)",
    "fraction": "share of the edges recovered (0 to 1)",
    "recovered": "share of draws with all edges (0 to 1)",
    "whole_graph": "share of draws with the whole graph (0 to 1)",
    "smallest_margin": "smallest margin (dimensionless)",
    "smallest": "smallest margin (dimensionless)",
    "median": "median margin (dimensionless)",
    "best_multiple": "best multiple of the identity",
    "best_loss": "best loss (nats)",
    "excess": "excess loss (nats)",
    "normalised_excess": "normalised excess loss (nats)",
    "converges": "share of draws whose children arrive (0 to 1)",
    "last_child": "last child arrives (steps)",
    "first_root": "first root leaves (steps)",
    "window": "window (steps)",
    "window_ratio": "first root / last child",
    "first": "first length with all edges (tokens)",
    "stays": "length from which on all edges are recovered (tokens)",
    "loss": "held-out loss (nats)",
    "mean_attention": "mean attention on the parent (weight, 0 to 1)",
    "least_attention": "least attention on a parent (weight, 0 to 1)",
}
