"""Configuration of the documentation: ``make docs`` builds it with every warning as an error."""

import inspect
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import causal_theory

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "causal_theory"
author = "The causal_theory developers"
copyright = "2026, " + author
version = release = causal_theory.__version__

extensions = [
    "mathml",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_extensions", "_templates"]
templates_path = ["_templates"]
nitpicky = True

# Markdown
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.strikethrough"]

# Reference
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_validation_checks = {"all", "ES01", "EX01", "SA01", "GL01", "GL02", "GL03"}
# Records that functions return and nobody constructs: their fields are documented as attributes, not as parameters.
RECORDS = (
    "AssumptionCheck",
    "AssumptionReport",
    "BatchGradient",
    "BestMultiple",
    "Certificate",
    "CodeVersion",
    "ConditionalTable",
    "Counterexample",
    "CriticalLength",
    "EdgeVerdict",
    "ExactCheck",
    "ExactMargin",
    "FailedUnit",
    "FlowTimes",
    "Generalisation",
    "Gradient",
    "GradientAgreement",
    "LearningCurve",
    "Parameter",
    "PopulationRun",
    "PredictionError",
    "Preset",
    "RecoveryMap",
    "Sample",
    "SearchResult",
    "Stage1Run",
    "Stage2Run",
    "StoredUnit",
    "Study",
    "StudyStatus",
    "SubsetInformations",
    "SweepResult",
    "SweepTable",
    "TrainingRun",
    "Unit",
    "Verification",
)
numpydoc_validation_exclude = {
    *(rf"\.{name}$" for name in RECORDS),
    r"\.BestMultiple\.(multiple|loss)$",
    r"\.ConditionalTable\.(parents|states|values)$",
    r"\.Sample\.(tokens|targets|transitions)$",  # Python writes the docstrings of the fields of a named tuple.
    r"\.PRESETS$",  # The docstring of a variable: numpydoc looks at that of its type.
}


def _inherit_docstrings():
    """Give overridden members the docstring of what they override, as readers and numpydoc's checks expect it."""
    for module in pkgutil.walk_packages(causal_theory.__path__, "causal_theory."):
        for _, one in inspect.getmembers(import_module(module.name), inspect.isclass):
            for name, member in vars(one).items():
                code = getattr(member, "fget", getattr(member, "__func__", member))
                if getattr(code, "__override__", False) and not member.__doc__:
                    text = next(
                        (inspect.getdoc(vars(base)[name]) for base in one.__mro__[1:] if name in vars(base)), None
                    )
                    target = member if isinstance(member, property) else code
                    target.__doc__ = text


_inherit_docstrings()

# Figures are drawn from the code of the page while it is built.
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("svg", 100)]
plot_rcparams = {"figure.constrained_layout.use": True, "svg.hashsalt": "causal_theory"}
plot_apply_rcparams = True

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_math_renderer = "mathml"
html_title = "causal_theory"
html_static_path = ["_static"]
html_css_files = ["causal_theory.css"]
html_show_sourcelink = False
# Pages without pages below them have nothing to navigate to.
html_sidebars = {name: [] for name in ("changelog", "exact", "tutorial/index", "where-the-theorem-stops")}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "secondary_sidebar_items": ["page-toc"],
}
