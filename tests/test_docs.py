"""Every block of code in the README and in the documentation runs and says what the page says."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from causal_theory.cli import app
from tests.pages import Page, read_blocks, read_commands

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted(DOCS.rglob("*.md")) if not {"_build", "generated"} & set(path.relative_to(DOCS).parts)),
]

SMALLER = {
    r"causal-theory train --preset paper-many-graphs\b.*": (
        "--steps 5 --batch-size 16 --test-size 64",
        "20 runs of 16,384 steps",
    ),
    r"causal-theory train --graph random-forest .*--steps 131072\b.*": (
        "--steps 20 --batch-size 32 --test-size 64",
        "131,072 steps: a quarter of an hour",
    ),
    r"causal-theory sweep --config docs/measured/.*": ("--repeats 1 --processes 0", "88,000 units: some minutes"),
    r"causal-theory train --(preset|config) (?!paper-many-graphs\b).*": (
        "--steps 20 --batch-size 32 --test-size 64",
        "up to 131,072 steps: a quarter of an hour",
    ),
}
"""Arguments that make a command quick, and why it needs them. What a page shows of its output must occur even so."""


def smaller(command):
    found = [arguments for pattern, (arguments, _) in SMALLER.items() if re.fullmatch(pattern, command)]
    assert len(found) <= 1, command
    return found[0] if found else ""


# Commands that change the machine are held against the files that define them instead of being run.


def check_make(words):
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    variables = re.findall(r"^(\w+) \?= ", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for word in words[1:]:
        name, _, value = word.partition("=")
        if name not in (variables if value else targets):
            yield f"make has no {name!r}"


def check_install(words):
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    arguments = words[words.index("install") + 1 :]
    files = [arguments[k + 1] for k, word in enumerate(arguments) if word in ("-c", "-r")]
    yield from (f"there is no file {name!r}" for name in files if not (ROOT / name).is_file())
    for word in arguments:
        if word in files or word in ("-c", "-r", "-e", "--editable"):
            continue
        found = re.fullmatch(r"\.(?:\[([\w,]+)\])?", word)
        if found is None:
            yield f"{word!r} is not this package in its folder: no index has a release"
        elif found[1]:
            yield from (f"there is no extra {name!r}" for name in found[1].split(",") if name not in known)


def check_tool(words):
    """The command is one of the rules of the Makefile, written out."""
    rules = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(BIN)", ".venv/bin").replace("$(VENV)", ".venv")
    plain = [" ".join(line.replace("$(PYTHON)", "python3").split()) for line in rules.splitlines()]
    for command in re.split(r" && ", " ".join(words)):
        if not any(command in line for line in plain):
            yield f"no rule of the Makefile says {command!r}"


def check_options(words):
    """The options exist, and their values can be read."""
    command = typer.main.get_command(app).commands[words[1]]
    try:
        command.make_context(words[1], words[2:])
    except Exception as error:  # of click, which comes with typer
        yield str(error)


NEEDS = {"docs/how-to/your-model.md": ("torch", "jax")}
"""What pages about other frameworks import."""

CHECKED = {
    r"make\b": (check_make, "creates an environment from a package index"),
    r"(\.venv/bin/)?(python -m )?pip install\b": (check_install, "installs from a package index"),
    r"python3 -m venv\b": (check_tool, "creates an environment"),
    r"\.venv/bin/(ruff|lint-imports|mypy|python -m (pytest|verification|sphinx))\b": (
        check_tool,
        "the whole check, of which this test is a part",
    ),
}
if importlib.util.find_spec("torch") is None:
    CHECKED[r"causal-theory train .*(--preset paper-standard|--model standard)\b"] = (check_options, "needs PyTorch")
"""Commands that are not run: what is checked instead, and why they are not run."""


def checked(command):
    for pattern, (check, _) in CHECKED.items():
        if re.match(pattern, command):
            return list(check(shlex.split(command)))
    return None


def name_of(path):
    return str(path.relative_to(ROOT))


def run_page(path, folder):
    page = Page(name_of(path), smaller, checked)
    return page.run(read_blocks(path.read_text(encoding="utf-8"), path.parent), folder)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("path", PAGES, ids=map(name_of, PAGES))
def test_pages(path, tmp_path):
    for name in NEEDS.get(name_of(path), ()):
        pytest.importorskip(name, reason=f"the page needs the optional extra with {name}")
    problems = run_page(path, tmp_path)
    assert not problems, "\n".join(problems)


def commands():
    for path in PAGES:
        for block in read_blocks(path.read_text(encoding="utf-8"), path.parent):
            if block.language == "console":
                yield from (command.text for command in read_commands(block))


@pytest.mark.parametrize("pattern", SMALLER)
def test_every_smaller_budget_is_needed(pattern):
    assert any(re.fullmatch(pattern, command) for command in commands())


# Controls: a page with something wrong must be reported.


def run(text, folder):
    return Page("made-up", smaller, checked).run(read_blocks(text), folder)


def fenced(language, *lines):
    return "\n".join([f"```{language}", *lines, "```", ""])


def plot(*lines):
    return fenced("{eval-rst}", ".. plot::", *("   " + line for line in lines))


GOOD = "\n".join(
    [
        "# A page",
        fenced("python", ">>> x = 2", ">>> x + 1", "3"),
        "- in a list:",
        "",
        *("  " + line for line in fenced("python", ">>> x * x", "4").splitlines()),
        "",
        fenced("{note}", "A note.", "", "~~~python", ">>> x - 2", "0", "~~~"),
        fenced("toml", "# folder/run.toml", "seed = 1"),
        fenced("python", ">>> from pathlib import Path", ">>> Path('folder/run.toml').read_text().split()[-1]", "'1'"),
        fenced("{code-block} json", ":caption: graph.json", "", '{"parents": [-1, 0, 1]}'),
        fenced("console", "$ causal-theory scores --graph-file graph.json --prior orbit \\",
               '    --transition "[[0.2,0.8],[0.8,0.2]]"', "...", "precision 1.000, ... graph recovered (exact,..."),
        plot(":alt: A line,", "   from below.", ":context: reset", "", ">>> from matplotlib import pyplot",
             ">>> lines = pyplot.plot([0, 1], [0, 1])"),
        plot(":alt: It again.", ":context:", "", ">>> axes = pyplot.figure().add_subplot()"),
        fenced("python", ">>> len(lines)", "1"),
        fenced("console", "$ make verify PROFILE=full  # all of it", "$ pip install -c constraints.txt '.[plot]'"),
    ]
)  # fmt: skip


@pytest.mark.compiled
def test_a_page_without_mistakes_has_no_problems(tmp_path):
    assert run(GOOD, tmp_path) == []


MISTAKES = {
    "wrong output": (fenced("python", ">>> 1 + 1", "3"), 2, r"Expected:\s+3\s+Got:\s+2"),
    "no output": (fenced("python", ">>> 1 + 1"), 2, r"Expected nothing\s+Got:\s+2"),
    "error": (fenced("python", ">>> undefined"), 2, "NameError"),
    "warning": (fenced("python", ">>> import warnings", ">>> warnings.warn('careful')"), 2, "careful"),
    "no prompt": (fenced("python", "x = 1"), 2, "no '>>>' example: 'x = 1'"),
    "output after a blank line": (fenced("python", ">>> 1", "1", "", "2"), 2, "no '>>>' example: '2'"),
    "second block": (fenced("python", ">>> x = 1") + fenced("python", ">>> x + 1", "3"), 5, r"Got:\s+2"),
    "inside a note": (fenced("{note}", "text", "", "~~~python", ">>> 1", "2", "~~~"), 5, r"Got:\s+1"),
    "unknown language": ("text\n\n" + fenced("cobol", "ADD 1 TO X."), 4, "unknown language 'cobol'"),
    "no language": (fenced("", "x = 1"), 2, "unknown language ''"),
    "indented": ("text\n\n    x = 1\n", 3, "unknown language ''"),
    "unknown directive": (fenced("{doctest}", ">>> 1", "1"), 2, "unknown directive 'doctest'"),
    "unknown language of a directive": (
        fenced("{code-block} cobol", "X."),
        2,
        "unknown directive 'code-block' 'cobol'",
    ),
    "plot without alternative": (
        plot("", ">>> from matplotlib import pyplot", ">>> f = pyplot.figure()"),
        4,
        "':alt:'",
    ),
    "plot without figure": (plot(":alt: Nothing.", "", ">>> x = 1"), 5, "must draw a figure"),
    "wrong output of a plot": (plot(":nofigs:", "", ">>> 1", "2"), 5, r"Got:\s+1"),
    "plot with a name of a python block": (
        fenced("python", ">>> x = 1") + plot(":nofigs:", ":context:", "", ">>> y = x"),
        9,
        "name 'x' is not defined",
    ),
    "plot with a name of another one": (
        plot(":nofigs:", "", ">>> x = 1") + plot(":nofigs:", "", ">>> y = x"),
        11,
        "name 'x' is not defined",
    ),
    "plot that the build does not know": (fenced("{plot}", ":alt: No.", "", ">>> 1"), 4, "unknown directive 'plot'"),
    "code in reStructuredText": (
        fenced("{eval-rst}", ".. code-block:: python", "", "   x = 1"),
        4,
        "must name its file",
    ),
    "examples in reStructuredText": (fenced("{eval-rst}", "text", "", ">>> 1", "2"), 4, "unknown language ''"),
    "literal block in reStructuredText": (fenced("{eval-rst}", "So::", "", "   x = 1"), 2, "unknown language ''"),
    "console without command": (fenced("console", "causal-theory --version"), 2, r"must start with '\$ '"),
    "wrong output of a command": (
        fenced("console", "$ causal-theory --version", "causal-theory 99"),
        2,
        "no line 'causal-theory 99'",
    ),
    "part of a line": (fenced("console", "$ causal-theory --version", "causal-theory"), 2, "no line 'causal-theory'"),
    "refused value": (fenced("console", "$ causal-theory sample --symbols 1"), 2, "status 1: .*symbols must be"),
    "refused option": (fenced("console", "$ causal-theory scores --colour red"), 2, r"status 2: [\s\S]*No such option"),
    "unknown claim": (
        fenced("console", "$ python -m verification --claim none"),
        2,
        r"status 2: .*claim must be one of",
    ),
    "unknown program": (fenced("console", "$ rm -r results"), 2, "unknown program"),
    "unknown target": (fenced("console", "$ make coffee"), 2, "make has no 'coffee'"),
    "unknown variable": (fenced("console", "$ make verify BUDGET=all"), 2, "make has no 'BUDGET'"),
    "output of what is not run": (fenced("console", "$ make verify", "passed"), 2, "must not be shown"),
    "unknown extra": (fenced("console", "$ pip install '.[gpu]'"), 2, "no extra 'gpu'"),
    "missing constraints": (fenced("console", "$ pip install -c missing.txt ."), 2, "no file 'missing.txt'"),
    "another package": (fenced("console", "$ pip install other"), 2, "'other' is not this package"),
    "from an index": (fenced("console", "$ pip install 'causal-theory[plot]'"), 2, "no index has a release"),
    "unknown tool": (fenced("console", "$ .venv/bin/ruff check --quiet ."), 2, "no rule of the Makefile"),
    "file without name": (fenced("toml", "seed = 1"), 2, "must name its file"),
    "file elsewhere": (fenced("toml", "# ../run.toml", "seed = 1"), 2, "must name its file"),
    "python file without name": (fenced("{code-block} python", "x = 1"), 2, "a python block must name its file"),
    "unused file": (fenced("toml", "# run.toml", "seed = 1"), 2, "no block uses the file run.toml"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_reported_with_their_line(name, tmp_path):
    text, line, message = MISTAKES[name]
    problems = run(text, tmp_path)
    assert problems
    assert problems[0].startswith(f"made-up:{line}: ")
    assert re.search(message, problems[0])


def test_options_are_checked_without_running():
    assert list(check_options(["causal-theory", "train", "--preset", "paper-standard", "--residual", "each"])) == []
    (problem,) = check_options(["causal-theory", "train", "--preset", "paper-standard", "--residual", "none"])
    assert "'none' is not one of 'joint', 'each'" in problem
    (problem,) = check_options(["causal-theory", "train", "--colour", "red"])
    assert "--colour" in problem


def test_later_blocks_run_after_a_mistake(tmp_path):
    assert len(run(fenced("python", ">>> 1", "2") + fenced("python", ">>> 3", "4"), tmp_path)) == 2


@pytest.mark.compiled
def test_shown_lines_must_occur_in_their_order(tmp_path):
    command = "$ causal-theory scores --length 5 --symbols 2"
    shown = ["...position...", "precision..."]
    assert run(fenced("console", command, *shown), tmp_path) == []
    assert "no line '...position...'" in run(fenced("console", command, *reversed(shown)), tmp_path)[0]


def test_a_file_of_the_repository_is_written_where_its_caption_says(tmp_path):
    (tmp_path / "settings.toml").write_text("seed = 3\n", encoding="utf-8")
    text = fenced("{literalinclude} settings.toml", ":caption: folder/run.toml") + fenced(
        "python", ">>> from pathlib import Path", ">>> Path('folder/run.toml').read_text()", "'seed = 3\\n'"
    )
    (tmp_path / "work").mkdir()
    blocks = read_blocks(text, tmp_path)
    assert Page("made-up").run(blocks, tmp_path / "work") == []


def test_blocks_of_included_files_run(tmp_path):
    (tmp_path / "part.md").write_text(fenced("python", ">>> 1", "2"), encoding="utf-8")
    blocks = read_blocks(fenced("{include} part.md"), tmp_path)
    assert [block.text for block in blocks] == [">>> 1\n2\n"]


def test_figures_have_names_of_their_own():
    """Each block of reStructuredText counts its figures from 1: two without a name would be one file."""
    names = []
    for path in PAGES:
        for block in read_blocks(path.read_text(encoding="utf-8"), path.parent):
            if block.language == "plot" and "nofigs" not in block.options:
                names.append((path.parent, block.options.get("filename-prefix", f"{path.stem}-1")))
    assert len(names) > 1
    assert len(set(names)) == len(names)


def test_links_of_the_readme_lead_to_files():
    targets = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert len(local) > 5
    assert [target for target in local if not (ROOT / target).exists()] == []
