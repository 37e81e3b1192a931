"""Styles of figures: sizes, fonts that are embedded, and the same bytes from the same figure."""

import io
import pickle
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pypdf
import pytest

from causal_theory import CausalGraph, InContextTask, OrbitPrior, edge_scores, pairwise_information
from causal_theory.errors import InvalidArgumentError, OutputError
from causal_theory.plotting import (
    figure_style,
    plot_graph,
    plot_information,
    plot_matrix,
    plot_overview,
    plot_phase_diagram,
    plot_scores,
    plot_training,
    save_figure,
)
from causal_theory.plotting.canvas import close_ranks, detached_axes
from causal_theory.plotting.saving import FORMATS, write_figure

from .images import PICTURES
from .images.made_up import training_run
from .test_plotting_layout import faults

mpl.use("agg")
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Text

PRIOR = OrbitPrior([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]])
LENGTHS = [2, 3, 20, 100]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def chain(length):
    return InContextTask(CausalGraph.chain(length), PRIOR)


def width_of(ax):
    return float(ax.get_figure(root=True).get_size_inches()[0])


class TestWidth:
    @pytest.mark.parametrize(("width", "inches"), [("column", 3.3), ("page", 6.9), (5, 5.0), ("4.25", 4.25)])
    def test_of_a_new_figure(self, width, inches):
        with figure_style("paper", width=width):
            assert width_of(plot_graph(CausalGraph.chain(5))) == inches
            assert float(pyplot.figure().get_size_inches()[0]) == inches

    def test_paper_is_a_column_and_the_screen_is_as_ever(self):
        natural = width_of(plot_graph(CausalGraph.chain(5)))
        with figure_style():
            assert width_of(plot_graph(CausalGraph.chain(5))) == 3.3
            with figure_style("screen"):
                assert width_of(plot_graph(CausalGraph.chain(5))) == natural
            assert width_of(plot_graph(CausalGraph.chain(5))) == 3.3
        assert width_of(plot_graph(CausalGraph.chain(5))) == natural

    def test_axes_of_ones_own_stay(self):
        with figure_style("paper"):
            ax = Figure(figsize=(5.0, 2.0)).subplots()
            assert width_of(plot_graph(CausalGraph.chain(5), ax=ax)) == 5.0

    def test_a_long_graph_is_not_flat(self):
        with figure_style("paper"):
            assert plot_graph(CausalGraph.chain(40)).figure.get_size_inches()[1] >= 1.3

    @pytest.mark.parametrize("width", ["wide", "", 0.5, 41, float("nan"), -3.3, "nan"])
    def test_refused(self, width):
        wanted = "width must be 'column', 'page', or inches from 1 to 40, got"
        with pytest.raises(InvalidArgumentError, match=wanted), figure_style("paper", width=width):
            pass

    def test_unknown_style(self):
        with pytest.raises(InvalidArgumentError, match=r"style must be .* got 'print'"), figure_style("print"):
            pass

    def test_a_grid_has_as_many_columns_as_fit(self):
        with figure_style("paper", width="page"):
            axes = detached_axes((18.0, 7.6), (2, 4))
            assert len(axes) == 8
            assert axes[0].get_subplotspec().get_gridspec().get_geometry() == (3, 3)
            # Proportions of a panel are kept: 4.5 by 3.8.
            assert tuple(axes[0].figure.get_size_inches()) == pytest.approx((6.9, 3 * 3.8 * 2.3 / 4.5), rel=1e-12)

    def test_panels_move_up_where_one_stayed_empty(self):
        with figure_style("paper", width="column"):
            axes = detached_axes((9.0, 7.6), (2, 2))
            axes[1].set_axis_off()
            before = axes[0].figure.get_figheight()
            close_ranks(axes)
        places = [ax.get_subplotspec().rowspan.start for ax in (axes[0], axes[2], axes[3])]
        assert places == [0, 1, 2]
        assert axes[0].figure.axes == [axes[0], axes[2], axes[3]]
        assert axes[0].figure.get_figheight() == pytest.approx(0.75 * before, rel=1e-12)

    def test_no_panel_moves_on_the_screen(self):
        axes = detached_axes((9.0, 7.6), (2, 2))
        axes[1].set_axis_off()
        close_ranks(axes)
        assert axes[0].figure.axes == axes


class TestSettings:
    def test_come_back_after_an_error(self):
        before = dict(mpl.rcParams)
        with pytest.raises(InvalidArgumentError), figure_style("paper"):
            plot_matrix(np.ones(3))
        assert dict(mpl.rcParams) == before

    @pytest.mark.parametrize("size", [4.0, 13.0])
    def test_legends_follow_them(self, size):
        with mpl.rc_context({"legend.fontsize": size}):
            ax = plot_training(training_run())
        assert {text.get_size() for text in ax.get_legend().get_texts()} == {size}

    def test_lines_and_marks_follow_the_font(self):
        wide = plot_training(training_run()).get_lines()
        with figure_style("paper"):
            fine = plot_training(training_run()).get_lines()
        for one, two in zip(wide, fine, strict=True):
            assert two.get_linewidth() == pytest.approx(0.65 * one.get_linewidth(), rel=1e-12)

    def test_text_on_paper_can_be_read(self):
        with figure_style("paper"):
            figure = plot_overview(chain(20))
            figure.draw_without_rendering()
        sizes = {text.get_size() for text in figure.findobj(mpl.text.Text) if text.get_text().strip()}
        assert min(sizes) >= 5.0
        assert max(sizes) <= 7.0


class TestLayout:
    @pytest.mark.parametrize("name", PICTURES)
    def test_every_figure_in_a_column(self, name):
        with figure_style("paper"):
            assert not faults(PICTURES[name].call(None, PICTURES[name].usual).get_figure(root=True))

    @pytest.mark.parametrize("length", LENGTHS)
    def test_scores_in_a_small_place(self, length):
        task = chain(length)
        with figure_style("paper"):
            ax = Figure(figsize=(3.3, 1.6)).subplots()
            plot_scores(edge_scores(task, epsilon=0.01), graph=task.graph, ax=ax)
            assert not faults(ax.figure)

    @pytest.mark.parametrize("size", [(3.3, 1.6), None, (6.9, 3.0)], ids=["small", "column", "page"])
    @pytest.mark.parametrize("length", LENGTHS)
    def test_overview(self, length, size):
        with figure_style("paper"):
            assert not faults(plot_overview(chain(length), figure=None if size is None else Figure(figsize=size)))

    def test_overview_on_the_screen(self):
        assert not faults(plot_overview(chain(20), measure="hellinger"))

    @pytest.mark.parametrize("length", LENGTHS)
    def test_three_panels_in_a_column(self, length):
        task = chain(length)
        with figure_style("paper"):
            graph, scores, information = Figure(figsize=(3.3, 1.6)).subplots(1, 3)
            plot_graph(task.graph, ax=graph)
            plot_scores(edge_scores(task, epsilon=0.01), graph=task.graph, ax=scores)
            plot_information(pairwise_information(task), measure="chi2", graph=task.graph, ax=information)
            assert not faults(graph.figure)

    @pytest.mark.parametrize("width", ["column", "page"])
    def test_long_labels(self, width):
        words = "attention of the first layer after twenty thousand steps of training on fresh sequences, averaged"
        with figure_style("paper", width=width):
            ax = plot_matrix(np.eye(30), title=words, label=words)
            assert not faults(ax.figure)
            assert ax.get_title().split() == words.split()

    def test_a_legend_is_clear_of_a_label_of_several_lines(self):
        with figure_style("paper"):
            words = "trace of the transition matrix, which decides whether the parent wins over the diagonal"
            ax = plot_phase_diagram([1, 2], [1, 2], np.eye(2), xlabel=words, ylabel="S", label="share", boundary=0.5)
            assert "\n" in ax.get_xlabel()
            assert not faults(ax.figure)

    def test_ticks_survive_a_copy(self):
        with figure_style("paper"):
            figure = plot_matrix(np.eye(1000)).figure
            copy = pickle.loads(pickle.dumps(figure))
        for one in (figure, copy):
            one.draw_without_rendering()
        assert copy.axes[0].get_xticks().tolist() == figure.axes[0].get_xticks().tolist()

    @pytest.mark.parametrize("columns", [1, 3])
    def test_ticks_are_thinned_where_there_is_no_room(self, columns):
        with figure_style("paper"):
            ax = np.ravel(Figure(figsize=(3.3, 2.0)).subplots(1, columns))[0]
            plot_matrix(np.eye(1000), ax=ax)
            ax.figure.draw_without_rendering()
        low, high = ax.get_xlim()
        seen = [tick for tick in ax.get_xticks() if low <= tick <= high]
        assert len(seen) in ({1: range(5, 11), 3: range(1, 4)}[columns])
        assert all(tick == int(tick) for tick in seen)


def written(figure, ending):
    file = io.BytesIO()
    write_figure(figure, file, ending)
    return file.getvalue()


@pytest.fixture(scope="module")
def figures():
    """The overview and the scores, drawn on paper."""
    with figure_style("paper"):
        task = InContextTask(CausalGraph.binary_tree(12), PRIOR)
        return plot_overview(task, figure=Figure(figsize=(3.3, 1.6))), plot_scores(edge_scores(task, epsilon=0.1))


@pytest.mark.parametrize("which", [0, 1], ids=["overview", "scores"])
class TestFonts:
    def test_pdf_embeds_truetype(self, figures, which):
        page = pypdf.PdfReader(io.BytesIO(written(figures[which], "pdf"))).pages[0]
        fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
        assert fonts
        for font in fonts:
            assert font["/Subtype"] == "/Type0"
            descendant = font["/DescendantFonts"][0].get_object()
            assert descendant["/Subtype"] == "/CIDFontType2"
            assert len(descendant["/FontDescriptor"]["/FontFile2"].get_object().get_data()) > 1000

    def test_pdf_text_can_be_searched(self, figures, which):
        text = pypdf.PdfReader(io.BytesIO(written(figures[which], "pdf"))).pages[0].extract_text()
        assert "edge scores" in text

    def test_eps_embeds_type_42(self, figures, which):
        content = written(figures[which], "eps")
        assert b"/FontType 42 def" in content
        assert b"/FontType 3 def" not in content

    def test_svg_has_outlines(self, figures, which):
        content = written(figures[which], "svg")
        assert b"<text" not in content
        assert b"DejaVuSans-" in content  # names of outlines


@pytest.mark.parametrize("ending", [ending[1:] for ending in FORMATS])
class TestBytes:
    @pytest.mark.parametrize("which", [0, 1], ids=["overview", "scores"])
    def test_no_date_is_written(self, figures, which, ending, monkeypatch):
        """Matplotlib takes this variable for the date, in all formats that have one."""
        found = []
        for second in ("1", "1000000000"):
            monkeypatch.setenv("SOURCE_DATE_EPOCH", second)
            found.append(written(figures[which], ending))
        assert found[0] == found[1]
        assert not re.search(rb"CreationDate|<dc:date>", found[0])

    def test_drawn_anew(self, ending):
        task = InContextTask(CausalGraph.binary_tree(12), PRIOR)
        found = set()
        for _ in range(2):
            with figure_style("paper"):
                found.add(written(plot_overview(task), ending))
        assert len(found) == 1


PROGRAM = """
import hashlib, io
from causal_theory import CausalGraph
from causal_theory.plotting import figure_style, plot_graph
from causal_theory.plotting.saving import FORMATS, write_figure
with figure_style("paper"):
    for ending in FORMATS:
        file = io.BytesIO()
        write_figure(plot_graph(CausalGraph.star(9)), file, ending[1:])
        print(hashlib.sha256(file.getvalue()).hexdigest())
"""


def test_bytes_do_not_depend_on_the_order_of_sets():
    said = set()
    for seed in ("1", "2"):
        settings = {"PYTHONHASHSEED": seed, "MPLBACKEND": "agg"}
        command = [sys.executable, "-c", PROGRAM]
        said.add(subprocess.run(command, check=True, capture_output=True, text=True, env=settings).stdout)
    assert len(said) == 1
    assert len(said.pop().split()) == len(FORMATS)


@pytest.mark.parametrize("length", [5, 20])
def test_text_on_paper_has_five_to_seven_points(length):
    with figure_style("paper", width="page"):
        figure = plot_overview(chain(length))
        figure.canvas.draw()
    sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()}
    assert 5.0 <= min(sizes) <= max(sizes) <= 7.0


class TestSaving:
    @pytest.mark.parametrize("ending", FORMATS)
    def test_formats(self, ending, tmp_path):
        path = tmp_path / f"graph{ending.upper()}"
        save_figure(plot_graph(CausalGraph.chain(4)), path)
        start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".eps": b"%!PS-Adobe-3.0 EPSF"}[ending]
        assert path.read_bytes().startswith(start)

    def test_resolution(self, tmp_path):
        with figure_style("paper", width=2):
            ax = plot_graph(CausalGraph.chain(4))
            save_figure(ax, tmp_path / "fine.png")
            save_figure(ax, tmp_path / "coarse.png", dpi=50)
        assert [pyplot.imread(tmp_path / name).shape[1] for name in ("fine.png", "coarse.png")] == [600, 100]

    @pytest.mark.parametrize("name", ["graph.gif", "graph", "pdf"])
    def test_unknown_ending(self, name, tmp_path):
        with pytest.raises(OutputError, match=r"path must end in one of .png, .svg, .pdf, .eps, got"):
            save_figure(plot_graph(CausalGraph.chain(4)), tmp_path / name)
        assert not list(tmp_path.iterdir())

    def test_no_figure(self, tmp_path):
        with pytest.raises(InvalidArgumentError, match="figure must be a figure or axes of matplotlib, got str"):
            save_figure("overview", tmp_path / "graph.pdf")

    def test_missing_folder(self, tmp_path):
        with pytest.raises(OutputError, match="path must be in a folder that exists"):
            save_figure(plot_graph(CausalGraph.chain(4)), tmp_path / "none" / "graph.pdf")

    def test_a_failure_leaves_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "graph.pdf"
        path.write_bytes(b"old")
        figure = plot_graph(CausalGraph.chain(4)).figure

        def fail(*args, **kwargs):
            raise RuntimeError("no paper")

        monkeypatch.setattr(type(figure), "savefig", fail)
        with pytest.raises(RuntimeError, match="no paper"):
            save_figure(figure, path)
        assert [one.name for one in tmp_path.iterdir()] == ["graph.pdf"]
        assert path.read_bytes() == b"old"
