"""Show reports on recovered edges, and informations of sets of positions."""

import numpy as np

from causal_theory.information import SubsetInformations
from causal_theory.notebook.graphs import draw_graph
from causal_theory.notebook.html import details, facts, figure, paragraph, table
from causal_theory.notebook.shown import parts_of
from causal_theory.recovery import ROOT, EdgeReport
from causal_theory.verdict import EdgeVerdict
from causal_theory.wording import count, number, with_error

SHOWN_SETS = 8
"""Sets of positions that are listed, largest information first."""


@parts_of.register
def _(report: EdgeReport) -> list[str]:
    found = report.counts
    wrong = np.flatnonzero(report.predicted != report.true).tolist()
    children = report.true != ROOT
    undecided = int((~report.significant & children).sum())
    edges = count(found.edges, "edge")
    summary: dict[str, object] = {
        "recall": f"{report.recall:.3f} ({found.correct} of {edges})" if found.edges else "no edges",
        "precision": f"{report.precision:.3f} ({found.correct} of {found.predicted} predicted)"
        if found.predicted
        else "none predicted",
    }
    if found.edges:
        least = int(np.nanargmin(report.margin))
        text = with_error(report.margin[least], report.margin_error[least], 4)
        summary["smallest margin"] = f"{text}, at position {report.graph.name(least)}"
        best = int((report.best_key[children] == report.true[children]).sum())
        summary["best key is the parent"] = f"in {best} of {count(found.edges, 'row')}"
    if undecided:
        summary["margins within two error bars"] = f"{undecided}, undecided"
    verdict = f"{found.edges - found.correct} of {edges} lost, {found.predicted - found.correct} false ones"
    if report.exact_match:
        verdict = f"the graph is recovered ({edges})" if found.edges else "no edge, and none is predicted"
    whole = facts(f"Edge report: {verdict}", summary)
    return [whole, *([_drawing(report), _wrong_rows(report, wrong)] if wrong else [])]


@parts_of.register
def _(verdict: EdgeVerdict) -> list[str]:
    rows = zip(verdict.parent.tolist(), verdict.rival.tolist(), verdict.margin, verdict.error, strict=True)
    judged = zip(verdict.undecided.tolist(), verdict.recovered.tolist(), strict=True)
    lines = [
        [i, _key(parent), _key(rival), _margin(margin, error), _answer(open_, right)]
        for i, ((parent, rival, margin, error), (open_, right)) in enumerate(zip(rows, judged, strict=True))
    ]
    header = ["position", "parent", "best rival", "margin", "verdict"]
    return [paragraph(repr(verdict)), details("All positions", table("Verdicts", header, lines))]


def _answer(undecided: bool, recovered: bool) -> str:
    return ("undecided, " if undecided else "") + ("recovered" if recovered else "not recovered")


def _key(position: int) -> str:
    return "none" if position == ROOT else str(position)


def _margin(margin: float, error: float) -> str:
    return "" if np.isnan(margin) else with_error(margin, error, 4)


def _wrong_rows(report: EdgeReport, wrong: list[int]) -> str:
    rows = []

    def name(position: int) -> str:
        return "none" if position == ROOT else report.graph.name(position)

    for i in wrong:
        true, predicted = int(report.true[i]), int(report.predicted[i])
        found = "itself" if predicted == i else name(predicted)
        rival, margin = "", ""
        if true >= 0:
            rival = "itself" if report.best_rival[i] == i else name(int(report.best_rival[i]))
            margin = with_error(report.margin[i], report.margin_error[i], 4)
        rows.append([name(i), name(true), found, rival, margin])
    header = ["position", "parent", "predicted", "best rival", "margin over it"]
    note = "A positive margin beside the prediction none: the score of the edge is below the threshold."
    below = any(report.predicted[i] == ROOT and report.margin[i] > 0.0 for i in wrong)
    return table("Positions that are not as in the graph", header, rows) + (paragraph(note) if below else "")


def _drawing(report: EdgeReport) -> str:
    pairs = list(enumerate(zip(report.true.tolist(), report.predicted.tolist(), strict=True)))
    missed = [(true, i) for i, (true, predicted) in pairs if true >= 0 and predicted != true]
    false = [(predicted, i) for i, (true, predicted) in pairs if 0 <= predicted < i and predicted != true]
    drawn = draw_graph(report.graph, missed=missed, false=false)
    return figure(drawn.markup, drawn.legend, width=drawn.width)


@parts_of.register
def _(found: SubsetInformations) -> list[str]:
    rows = [
        [
            ", ".join(map(str, found.subsets[k].tolist())),
            number(found.informations.value[k]),
            number(found.informations.error[k], 2),
        ]
        for k in found.order[:SHOWN_SETS].tolist()
    ]
    caption = f"Information between position {found.position} and sets of earlier ones ({found.measure}), largest first"
    return [table(caption, ["set", "information", "error"], rows)]
