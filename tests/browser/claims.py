"""The claims of the report that the browser opens: real ones, and files that are made up for it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from causal_theory.claims import find_claims, select_claims
from tests.verification import made_up
from tests.verification.made_up import write_claim

LONG = "averylongwordwithoutasinglespace" * 8
REAL = Path(__file__).parents[2] / "verification" / "claims"

EVERYTHING = f"""
{made_up.HOLDS}
check.positive("x > 0 & y > 2", [0.5, 1.0], error=[1e-12, 1e-3], kind="quadrature", by="a < b", case=["x", {LONG!r}])
check.measure({LONG!r}, 7.0, unit="nats")
check.row("wide", **{{f"column_{{k}}": 0.123456 for k in range(14)}})
check.row("long words", a={LONG!r}, b=None)
check.figure("Another", {{"b": ((1.0, 10.0), (1.0, 0.1))}}, x="T", y="loss (nats)", description="It falls.")
from causal_theory import CausalGraph
graph = CausalGraph.chain(5)
check.matrices("A graph", {{"": graph}}, graph=graph, description="It is a chain.")
check.note({LONG!r})
"""
"""All that the page can show: verdicts of all kinds, wide tables, long words, three figures."""

_folder = TemporaryDirectory()
FOLDER = Path(_folder.name) / "made_up"

SUM = "$" + " + ".join(rf"\frac{{x_{{{k}}}}}{{\sqrt{{{k}}}}}" for k in range(1, 9)) + "$"

write_claim(FOLDER, 101, EVERYTHING, outside=(LONG,), source=f"Somebody, `{LONG}`")
write_claim(FOLDER, 102, control=SUM)
write_claim(FOLDER, 103, made_up.FAILS, source="**much** of `it`")
write_claim(FOLDER, 104, made_up.BREAKS)
write_claim(FOLDER, 105, "check.measure('seen', 1.0)")

COMMIT = "0123456789abcdef0123456789abcdef01234567-dirty"

HEAD = f"""
title = "A theory & its claims <about> {LONG[:40]}"
theory = '''Somebody (“A paper”, 2024) says $\\frac{{1}}{{2}}$, **much** of `it`, and {LONG}.'''
checked = "All of it was checked."
figures = ["A graph", "Another", "Error of the first-order gradient of A1"]
[[numbers]]
claim = "edge_score_is_chi2"
part = "S times the limit score of an edge is its information"
shows = "{{largest_excess}}"
says = "is the largest difference on {{count:,}} edges."
[[numbers]]
claim = "first_order_gradient"
part = "the relative error of the first-order formula is of order 1 in beta0"
shows = "{{smallest:.1f}} to {{largest:.1f}}"
says = "is the order {LONG}."
[[numbers]]
claim = "claim_101"
part = "{made_up.PART}"
shows = "{{succeeded}} of {{count}}"
says = "hold."
[[stops]]
claim = "claim_101"
part = "{LONG}"
shows = "{{largest}} nats"
says = "are too many."
"""
"""With awkward words, and a number of each kind."""

(FOLDER / "report.toml").write_text(HEAD, encoding="utf-8")

CLAIMS = (*select_claims(find_claims(REAL), ["first_order_gradient", "edge_score_is_chi2"]), *find_claims(FOLDER))
