"""Show graphs, tasks and samples."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs import CausalGraph
from causal_theory.notebook.graphs import draw_graph
from causal_theory.notebook.html import facts, figure, paragraph, table
from causal_theory.notebook.shown import markup, parts_of
from causal_theory.tasks import InContextTask, Sample
from causal_theory.wording import count

SHOWN, SHOWN_TOKENS, SHOWN_SYMBOLS = 5, 30, 6
"""Sequences, tokens and symbols that are shown of a sample."""


@parts_of.register
def _(graph: CausalGraph) -> list[str]:
    drawn = draw_graph(graph)
    edges, roots = count(len(graph.edges), "edge"), count(len(graph.roots) - graph.has_query, "root")
    query = f", the query is position {graph.length - 1}" if graph.has_query else ""
    words = f"Causal graph: {graph.length} positions, {edges}, {roots}{query}"
    return [paragraph(words, strong=True), figure(drawn.markup, drawn.legend, width=drawn.width)]


@parts_of.register
def _(task: InContextTask) -> list[str]:
    graph = task.graph
    query = "independent and uniform" if graph.has_query else "none"
    if not task.is_single_parent:
        query = f"the tokens at {', '.join(map(graph.name, graph.target_parents))}, which the target follows"
    rows: dict[str, object] = {
        "tokens T": task.length,
        "symbols S": task.vocab_size,
        "roots": "uniform" if task.root_law == "uniform" else "stationary law of the transition matrix",
        "query": query,
    }
    return [facts("In-context task", rows), markup(graph), markup(task.prior)]


@parts_of.register
def _(sample: Sample) -> list[str]:
    more = ", …" if sample.targets.shape[1] > SHOWN_SYMBOLS else ""
    rows = [
        [i, _context(tokens[:-1]), int(tokens[-1]), ", ".join(f"{p:.3f}" for p in target[:SHOWN_SYMBOLS]) + more]
        for i, (tokens, target) in enumerate(zip(sample.tokens[:SHOWN], sample.targets, strict=False))
    ]
    first = f", the first {SHOWN}" if len(sample.tokens) > SHOWN else ""
    return [table(f"{sample!r}{first}", ["", "context", "query", "law of the next token"], rows)]


def _context(tokens: NDArray[np.int64]) -> str:
    """Return the tokens of a context, a long one by its end."""
    dots = "… " if len(tokens) > SHOWN_TOKENS else ""
    return dots + " ".join(map(str, tokens[-SHOWN_TOKENS:].tolist()))
