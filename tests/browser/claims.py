"""The claims of the report that the browser opens."""

from dataclasses import replace

from tests.verification import made_up
from verification.evidence import HOLDS, OUTSIDE, Curve, Part, Plot, Reading, Table
from verification.registry import discover, select

LONG = "averylongwordwithoutasinglespace" * 8


def has_everything(profile, context):
    """Evidence with all that the page can show: verdicts of all kinds, wide tables, long words, two figures."""
    columns = tuple(f"column {k}" for k in range(14))
    part = Part("case", HOLDS, Reading("x < 1 & y > 2"), Reading("x = 0.5"), Reading("bound 1e-12"), "quadrature")
    plots = tuple(
        Plot(f"everything_{k}", f"Figure {k}", "T", "loss (nats)", (Curve("a", (1.0, 10.0), (1.0, 0.1)),), "It falls.")
        for k in range(2)
    )
    return replace(
        made_up.evidence(HOLDS, parts=(part, replace(part, name=LONG, verdict=OUTSIDE))),
        details=(Table("wide", columns, ((0.123456,) * 14,) * 3), Table("long words", ("a", "b"), ((LONG, None),))),
        plots=plots,
        notes=(LONG, "a note"),
    )


def _made_up(number, **changes):
    return replace(made_up.claim(number, run=changes.pop("run", made_up.holds)), **changes)


CLAIMS = (
    *select(discover(), ["first_order_gradient", "edge_score_is_chi2"]),
    _made_up(101, run=has_everything, title=f"Everything at once, {LONG}", source=f"Somebody, `{LONG}`"),
    _made_up(102, statement="$" + " + ".join(rf"\frac{{x_{{{k}}}}}{{\sqrt{{{k}}}}}" for k in range(1, 9)) + "$"),
    _made_up(103, run=made_up.fails, predicted="**much** of `it`"),
    _made_up(104, run=made_up.breaks),
    _made_up(105, run=made_up.outside),
)
