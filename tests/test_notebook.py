"""Displays of every object in notebooks, odd states included: short text, and markup that can stand anywhere."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    DisentangledTransformer,
    EdgeReport,
    Estimate,
    Gradient,
    GradientAgreement,
    InContextTask,
    LearningCurve,
    OrbitPrior,
    PointPrior,
    PopulationRun,
    PredictionError,
    ReducedTransformer,
    Stage1,
    Stage2,
    TrainingRun,
    TrainingSettings,
    check_assumptions,
)
from causal_theory.dynamics import FlowTimes, Generalisation, Stage1Run, Stage2Run
from causal_theory.notebook import svg
from causal_theory.notebook.svg import NEGATIVE, POSITIVE
from causal_theory.priors import AssumptionCheck, Prior
from causal_theory.priors.drawn import DrawnPrior
from causal_theory.training import PRESETS
from causal_theory.wording import TIMES

SVG = "{http://www.w3.org/2000/svg}"
HTML_CHILDREN = {
    "div": {"p", "div", "table", "figure", "details", "svg"},
    "figure": {"svg", "div", "figcaption"},
    "details": {"summary", "table", "figure", "div", "p"},
    "table": {"caption", "thead", "tbody"},
    "thead": {"tr"},
    "tbody": {"tr"},
    "tr": {"th", "td"},
    **{name: {"strong"} for name in ("p", "td")},
    **{name: set() for name in ("strong", "caption", "th", "figcaption", "summary")},
}
"""Which element may stand in which: a part of the content model of HTML that is enough for all that is written here."""

SVG_ELEMENTS = {"svg", "title", "g", "path", "circle", "rect", "text"}
ATTRIBUTES = {
    "div": {"style", "tabindex", "role", "aria-label"},
    "th": {"style", "scope"},
    "svg": {"role", "width", "height", "viewBox", "fill", "stroke", "font-family", "style"},
}
COLOURS = {"none", "currentColor", POSITIVE, NEGATIVE}


def parse(markup):
    """The root element; it must be well-formed as XML, which is more than HTML asks for."""
    return ElementTree.fromstring(f"<div>{markup}</div>")


def words(markup):
    return " ".join(" ".join(parse(markup).itertext()).split())


def check(markup):
    """Fail unless the markup is whole, elements stand in their places, have names, and take colours from the page."""
    root = parse(markup)
    for parent in root.iter():
        name = parent.tag.removeprefix(SVG)
        inside_svg = parent.tag.startswith(SVG)
        if inside_svg:
            assert name in SVG_ELEMENTS
            assert {parent.get("fill", "none"), parent.get("stroke", "none")} <= COLOURS
            children = SVG_ELEMENTS - {"svg"} if name in {"svg", "g"} else set()
        else:
            assert set(parent.attrib) <= ATTRIBUTES.get(name, {"style"})
            children = HTML_CHILDREN[name]
        assert {child.tag.removeprefix(SVG) for child in parent} <= children, name
        assert not {"id", "class", "href", "src"} & set(parent.attrib)
        style = parent.get("style", "")
        assert "url" not in style
        assert set(re.findall(r"(?<![-\w])color:([^;]*)", style)) <= {"inherit"}
        for colour in re.findall(r"background:([^;]*)", style):
            assert re.fullmatch(r"transparent|rgba\(\d+,\d+,\d+,0\.[0-5]\d*\)", colour), colour
    for entry in root.iter("table"):
        assert [child.tag for child in entry].count("caption") == 1
        assert entry[0].tag == "caption"
        assert entry[0].text
        rows = list(entry.iter("tr"))
        assert len({len(row) for row in rows}) <= 1
        assert all(row[0].tag == "th" for row in entry.iterfind("tbody/tr"))
    for heading in root.iter("th"):
        assert heading.get("scope") in {"row", "col"}
        assert heading.text
    for drawing in root.iter(f"{SVG}svg"):
        assert drawing.get("role") == "img"
        assert drawing[0].tag == f"{SVG}title"
        assert drawing[0].text
        assert not re.search("nan|inf", " ".join(element.get("d", "") for element in drawing.iter()))
    for box in root.iter("div"):
        if "tabindex" in box.attrib:
            assert box.get("role") == "group"
            assert box.get("aria-label")
    assert root[0].tag == "div" or root[0].tag == f"{SVG}svg"
    return root


def estimate(value, error=0.0, method="exact"):
    value = np.asarray(value, dtype=float)
    return Estimate(value, np.broadcast_to(np.asarray(error, dtype=float), value.shape), method)


def training_run(**changes):
    run = TrainingRun(
        model=DisentangledTransformer(4, 3),
        settings=TrainingSettings(steps=20, batch_size=4, learning_rate=0.5),
        steps=np.array([10, 20]),
        losses=np.array([1.1, 0.9]),
        snapshot_steps=np.array([0, 20]),
        test_losses=np.array([1.1, 0.875]),
        test_errors=np.array([0.01, 0.012]),
        attention=np.full((2, 1, 4, 4), 0.25),
        baselines={"floor": 0.5, "counts": 0.7, "unigram": 1.0, "uniform": math.log(3)},
        status="finished",
        diverged_at=-1,
        graph=CausalGraph.chain(4),
    )
    return replace(run, **changes)


def stage1_run(**changes):
    attention = np.array([[np.nan, 0.5, 0.3, np.nan], [np.nan, 0.9, 0.8, np.nan]])
    run = Stage1Run(
        A1=np.zeros((4, 4)),
        steps=np.array([0, 7]),
        attention_on_parents=attention,
        root_deviation=np.where(np.isnan(attention), 0.0, np.nan),
        slowest_child=7,
        fastest_root=-1,
        status="converged",
    )
    return replace(run, **changes)


def stage2_run(**changes):
    trajectory = np.array([np.zeros((3, 3)), 2.0 * np.eye(3)])
    return replace(Stage2Run(trajectory[-1], np.array([1.0, 0.75]), trajectory, "stopped"), **changes)


EMPTY = {"steps": np.zeros(0, dtype=int), "attention_on_parents": np.zeros((0, 4)), "root_deviation": np.zeros((0, 4))}
MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]
ORBIT = OrbitPrior(MATRIX)
ERROR = PredictionError(estimate(0.25, 0.01, "monte_carlo"), (0.23, 0.27), 0.5, (0.45, 0.55), 0.9, 0.95, 0.95, 400)
CURVE = LearningCurve(
    np.array([40, 80]),
    np.array([0.025, 0.0125]),
    np.array([0.9, 0.89]),
    np.array([0.88, 0.88]),
    np.array([2.5, 3.0]),
    3,
    -0.9,
    np.nan,
)
SEVERAL = CausalGraph.from_parents([-1, -1, (0, 1), (0, 2), (1, 2, 3)])


class CustomPrior(Prior):
    """A prior that somebody else wrote: with nothing but what every prior must have."""

    vocab_size = 2
    mean = np.full((2, 2), 0.5)

    def sample(self, size, rng=None):
        return np.broadcast_to(self.mean, (size, 2, 2))

    def __repr__(self):
        return "CustomPrior(<b>&</b>)"


def noisy_report(length=20, seed=0):
    rng = np.random.default_rng(seed)
    return EdgeReport(estimate(rng.normal(size=(length, length)), 0.5, "monte_carlo"), CausalGraph.binary_tree(length))


OBJECTS = {
    "graph": CausalGraph.random_forest(14, 0.4, 3),
    "graph without edges": CausalGraph.from_parents([-1]),
    "graph with several parents": SEVERAL,
    "graph with other targets": CausalGraph([(), (0,), (1,), (0, 2)], (1, 2)),
    "wide graph": CausalGraph.star(60),
    "long graph": CausalGraph.random_forest(500, 0.3, 1),
    "task": InContextTask(CausalGraph.pairs(10), ORBIT, "uniform"),
    "task without query": InContextTask(CausalGraph([(), (0,)], (0,)), DirichletPrior(3, 0.1)),
    "sample": InContextTask(CausalGraph.chain(50), DirichletPrior(10, 1.0)).sample(9, rng=0),
    "one sequence": InContextTask(CausalGraph.chain(3), ORBIT).sample(1, rng=0),
    "point prior": PointPrior(np.full((12, 12), 1 / 12)),
    "orbit prior": ORBIT,
    "dirichlet prior": DirichletPrior(4, 0.1, floor=0.2),
    "drawn prior": DrawnPrior(DirichletPrior(3, 1.0), 4, rng=0),
    "custom prior": CustomPrior(),
    "assumptions": check_assumptions(DirichletPrior(3, 1.0)),
    "assumption": AssumptionCheck("lower_bound", "a <b>", True, math.nan, "x & y"),
    "number": estimate(0.5, 1e-16),
    "not a number": estimate(np.nan, np.inf, "monte_carlo"),
    "vector": estimate([1.0, -2.0], [0.1, 0.2], "quadrature"),
    "long vector": estimate(np.sin(np.arange(50.0))),
    "empty": estimate(np.zeros((0, 3))),
    "zeros": estimate(np.zeros((3, 3))),
    "not finite": estimate([[0.0, np.nan], [np.inf, 1e-9]], np.nan),
    "nothing finite": estimate(np.full((20, 20), np.nan), np.inf),
    "large": estimate(np.random.default_rng(0).normal(size=(300, 300))),
    "wide": estimate(np.ones((2, 90))),
    "four axes": estimate(np.ones((4, 4, 3, 3))),
    "huge and tiny": estimate([[1e300, -1e308], [1e-300, 5e-324]]),
    "gradient": Gradient(estimate(np.eye(12)), estimate(-np.eye(3)), estimate(0.7)),
    "report": EdgeReport(CausalGraph.chain(9).adjacency, CausalGraph.chain(9)),
    "report of failures": noisy_report(),
    "report without edges": EdgeReport(np.zeros((5, 5)), CausalGraph.from_parents([-1] * 4)),
    "long report": noisy_report(200),
    "stage 1": Stage1(),
    "stage 2": Stage2(steps=30, path="one_parameter"),
    "stage 1 run": stage1_run(),
    "stage 1 run without children": stage1_run(attention_on_parents=np.full((2, 4), np.nan), slowest_child=0),
    "stage 1 run, diverged": stage1_run(status="diverged", diverged_at=0, slowest_child=-1, **EMPTY),
    "stage 2 run": stage2_run(),
    "stage 2 run, diverged": stage2_run(
        losses=np.zeros(0), trajectory=np.zeros((0, 3, 3)), status="diverged", diverged_at=0
    ),
    "both stages": PopulationRun(stage1_run(), stage2_run()),
    "flow": FlowTimes(np.array([np.nan, 3.0, np.nan]), np.array([np.inf, np.nan, np.inf])),
    "flow that fails": FlowTimes(np.array([np.nan, np.inf]), np.array([np.inf, np.nan])),
    "learning curve": CURVE,
    "learning curve without slope": replace(CURVE, exponent=np.nan, losses=np.array([np.nan, 0.8])),
    "generalisation": Generalisation(*[estimate(0.5, 0.01, "monte_carlo")] * 4, ERROR),
    "prediction error": ERROR,
    "agreement": GradientAgreement(np.array([0.5, -3.0]), ["A1[1, 0]", "A2[0, <1>]"], 512, "enumerate"),
    "agreement of nothing": GradientAgreement(np.zeros(0), [], 512, "first_order"),
    "training": training_run(),
    "training, diverged": training_run(status="diverged", diverged_at=3, losses=np.array([1.0, np.inf])),
    "training, diverged at once": training_run(
        status="diverged",
        diverged_at=0,
        steps=np.zeros(0, dtype=int),
        losses=np.zeros(0),
        snapshot_steps=np.zeros(0, dtype=int),
        test_losses=np.zeros(0),
        test_errors=np.zeros(0),
        attention=np.zeros((0, 1, 4, 4)),
    ),
    "training without measurements": training_run(
        snapshot_steps=np.zeros(0, dtype=int), test_losses=np.zeros(0), attention=np.zeros((0, 1, 4, 4))
    ),
    "training settings": TrainingSettings(steps=20, batch_size=4, learning_rate=0.5, schedule="cosine"),
    "preset": PRESETS["paper-many-graphs"],
    "preset with markup": replace(PRESETS["paper-chain"], title="<script>alert(1)</script> & 'more'"),
    "reduced": ReducedTransformer(np.zeros((12, 12)), np.eye(3), 0.1),
    "disentangled": DisentangledTransformer(6, 3, (2, 1), scale=1.0, rng=0),
}


@pytest.fixture(params=OBJECTS)
def shown(request):
    return OBJECTS[request.param]


class TestEveryObject:
    def test_text_is_short(self, shown):
        text = repr(shown)
        assert text.startswith(type(shown).__name__ + "(")
        assert len(text) < 400
        assert len(text.splitlines()) <= 4
        assert not re.search(r"array\(|\.\.\.|object at", text)

    def test_markup_is_sound(self, shown):
        check(shown._repr_html_())

    def test_markup_is_small(self, shown):
        assert len(shown._repr_html_()) < 60_000

    def test_many_stand_on_one_page(self, shown):
        """The same object twice gives the same markup: nothing in it is a name that must be unique."""
        assert shown._repr_html_() == shown._repr_html_()
        assert "id=" not in shown._repr_html_()


def test_the_check_sees_faults():
    for fault in (
        "<div><p>text</div>",
        "<div><p><table><caption>c</caption></table></p></div>",
        "<div><table><tbody><tr><th scope='row'>a</th></tr></tbody></table></div>",
        "<div><table><caption>c</caption><tbody><tr><th>a</th></tr></tbody></table></div>",
        "<div><table><caption>c</caption><tbody><tr><td>a</td></tr></tbody></table></div>",
        "<div><p style='color:black'>text</p></div>",
        "<div><p style='background:url(x.png)'>text</p></div>",
        "<div id='one'></div>",
        "<div><img src='x.png'/></div>",
        "<div tabindex='0'></div>",
        svg(1, 1, "", ""),
        svg(1, 1, "title", '<path d="M0 0" stroke="black"/>'),
        svg(1, 1, "title", '<path d="Mnan 0"/>'),
        svg(1, 1, "title", "<script>1</script>"),
    ):
        with pytest.raises((AssertionError, ElementTree.ParseError, KeyError)):
            check(fault)
    check(svg(1, 1, "title", '<path d="M0 0"/>'))


def test_text_of_others_is_escaped():
    for name in ("custom prior", "assumption", "agreement", "preset with markup"):
        markup = OBJECTS[name]._repr_html_()
        assert not re.search(r"<script|<b>|<1>", markup)
    assert "<script>alert(1)</script> & 'more'" in words(OBJECTS["preset with markup"]._repr_html_())
    drawn = svg(1, 1, "a < b & 'c'", "")
    assert parse(drawn)[0][0].text == "a < b & 'c'"


class TestWhatIsSaid:
    def test_estimate(self):
        text = words(estimate(0.5, 0.01, "monte_carlo")._repr_html_())
        assert text == "Estimate value 0.5 error 0.01 (one standard error) method Monte Carlo"
        text = words(estimate([[1.0, -0.25]], 1e-12, "quadrature")._repr_html_())
        assert text == "Estimate, quadrature, error at most 1e-12 (truncation and roundoff) 0 1 0 1.00 -0.25"

    def test_large_estimate(self):
        value = np.zeros((20, 20))
        value[3, 2], value[5, 1] = -0.5, 0.25
        text = words(estimate(value, 1e-15)._repr_html_())
        assert f"shape 20 {TIMES} 20" in text
        assert "range -0.5 to 0.25" in text
        assert "largest absolute value -0.5 at [3, 2]" in text
        value[0, 0] = np.nan
        assert "not finite 1 of 400 entries" in words(estimate(value)._repr_html_())

    def test_training_run(self):
        assert repr(training_run()) == (
            "TrainingRun(finished after 20 steps, test loss 0.8750 +- 0.01 (floor 0.5000, counts 0.7000), "
            "mean attention on parents 0.250)"
        )
        text = words(training_run()._repr_html_())
        for part in ("finished after 20 steps", "0.875 ± 0.012", "entropy floor 0.5", "counting along the edges 0.7"):
            assert part in text
        assert "diverged at step 0" in words(OBJECTS["training, diverged at once"]._repr_html_())
        assert repr(OBJECTS["training, diverged at once"]) == (
            "TrainingRun(diverged at step 0, no test loss (floor 0.5000, counts 0.7000), "
            "mean attention on parents none)"
        )

    def test_training_settings_can_be_evaluated(self):
        settings = TrainingSettings(steps=20, batch_size=4, learning_rate=0.5, schedule="cosine")
        assert repr(settings) == "TrainingSettings(steps=20, batch_size=4, learning_rate=0.5, schedule='cosine')"
        assert eval(repr(settings)) == settings

    def test_settings_that_differ_stand_out(self):
        strong = [cell.text for cell in parse(Stage2(steps=30)._repr_html_()).iter("strong")]
        assert strong == ["30"]

    def test_stages(self):
        assert repr(stage1_run()) == (
            "Stage1Run(converged after 7 steps, tokens 4, smallest attention on a parent 0.800, "
            "slowest child at step 7, fastest root not seen)"
        )
        assert repr(stage2_run()) == (
            "Stage2Run(stopped after 1 step, symbols 3, loss 1.0000 to 0.7500 nats, copying 0 to 2)"
        )
        both = repr(PopulationRun(stage1_run(), stage2_run()))
        assert both == f"PopulationRun(\n  {stage1_run()!r},\n  {stage2_run()!r})"

    def test_agreement(self):
        """For the largest of m independent normal variables: 1 - (1 - p)^m with p the two-sided tail."""
        found = OBJECTS["agreement"]
        tail = 0.002699796063260189  # 2 (1 - Phi(3)), from tables
        assert found.chance == pytest.approx(1.0 - (1.0 - tail) ** 2, rel=1e-12)
        assert "A2[0, <1>] -3 A1[1, 0] 0.5" in words(found._repr_html_())

    def test_assumptions(self):
        report = check_assumptions(DirichletPrior(3, 1.0))
        assert repr(report) == (
            "AssumptionReport(lower_bound fails, non_degeneracy fails, symmetry holds, constant_mean holds)"
        )
        root = parse(report._repr_html_())
        assert root.find(".//caption").text == "Assumptions on the prior: 2 of 4 fail"
        assert [row[1][0].text if len(row[1]) else row[1].text for row in root.iterfind(".//tbody/tr")] == [
            *["fails"] * 2,
            *["holds"] * 2,
        ]

    def test_sample(self):
        task = InContextTask(CausalGraph.chain(4), PointPrior([[0.5, 0.5], [0.25, 0.75]]))
        sample = task.sample(2, rng=0)
        assert repr(sample) == "Sample(2 sequences of 4 tokens over 2 symbols)"
        first = next(parse(sample._repr_html_()).iterfind(".//tbody/tr"))
        query = int(sample.tokens[0, -1])
        assert [cell.text for cell in first] == [
            "0",
            " ".join(map(str, sample.tokens[0, :-1])),
            str(query),
            ["0.500, 0.500", "0.250, 0.750"][query],
        ]

    def test_learning_curve(self):
        root = parse(CURVE._repr_html_())
        assert [cell.text for cell in root.findall(".//tbody/tr")[1]][:4] == ["80", "0.0125", "0.89", "0.88"]
        assert "exponent -0.900" in repr(CURVE)


class TestEdgeReport:
    GRAPH = CausalGraph.from_parents([-1, 0, 1, -1, 3])

    def scores(self):
        return self.GRAPH.adjacency + 0.01 * np.eye(6)

    def test_success_is_short(self):
        root = parse(EdgeReport(self.scores(), self.GRAPH)._repr_html_())
        assert [entry[0].text for entry in root.iter("table")] == ["Edge report: the graph is recovered (3 edges)"]
        assert root.find(f".//{SVG}svg") is None

    def test_failures_are_listed(self):
        """Position 2 prefers 0, position 3 is no root any more, the edge into 4 is too weak."""
        value = self.scores()
        value[2, 0], value[3, 1], value[4, 3] = 1.5, 0.8, 0.1
        report = EdgeReport(Estimate(value, np.full((6, 6), 0.02), "exact"), self.GRAPH)
        root = parse(report._repr_html_())
        summary, wrong = root.iter("table")
        assert summary[0].text == "Edge report: 2 of 3 edges lost, 2 false ones"
        assert [[cell.text for cell in row] for row in wrong.iterfind("tbody/tr")] == [
            ["2", "1", "0", "0", "-0.500 ± 0.040"],
            ["3", "none", "1", None, None],
            ["4", "3", "none", "itself", "0.090 ± 0.040"],
        ]
        assert "below the threshold" in words(report._repr_html_())
        lines = [path.get("stroke-dasharray") for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray")]
        assert sorted(lines) == ["1.5 2.5"] * 2 + ["4 3"] * 2

    def test_best_rival(self):
        value = self.scores()
        value[2, 0], value[4, 4] = 0.5, 0.9
        report = EdgeReport(value, self.GRAPH)
        np.testing.assert_array_equal(report.best_rival, [-1, 1, 0, -1, 4, -1])
        np.testing.assert_allclose(report.margin[[1, 2, 4]], [0.99, 0.5, 0.1], rtol=1e-12)
