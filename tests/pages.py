"""Runs the code of a Markdown page: its blocks in their order, in one folder and with one set of names.

===================  ==========================================================================================
block                what is done with it
===================  ==========================================================================================
```python            ``>>>`` examples, compared with the output shown
``.. plot::``        the same, in a block ```{eval-rst}; sees the names of other plots only, as in the build, and must
                     draw a figure, with a name of its own and an ``:alt:`` text
```console           lines ``$ command``, which must exit with status 0, and lines of their output, which must occur
                     in this order; ``...`` stands for anything left out
other languages      a file, named by its first line ``# name`` or as ``{code-block} language`` with ``:caption: name``;
                     it is written for the blocks that follow, one of which must name it
{literalinclude}     the same with a file of the repository, as ``:caption: name``
===================  ==========================================================================================

Everything else is a problem: a block without a language, an indented one, an unknown directive.

Markdown is read by markdown-it, examples are run by doctest. Sybil (10.1 was tried) would replace neither well: it does
not see indented blocks and text beside examples, and loses options of a figure that go on for several lines.
"""

import contextlib
import doctest
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from markdown_it import MarkdownIt
from typer.testing import CliRunner

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL | doctest.ELLIPSIS

FILES = {"toml", "json", "csv", "text", "python"}
"""Languages of files; Python files are named by a caption, all other Python is examples."""

SILENT = {"toctree", "math", "figure", "image", "list-table", "currentmodule", "autosummary"}
"""Directives that hold no code."""

CONTAINERS = {
    "note",
    "tip",
    "warning",
    "important",
    "admonition",
    "seealso",
    "dropdown",
    "grid",
    "grid-item-card",
    "card",
}
"""Directives whose content is Markdown."""

WIDTH = "100"
"""Columns of the terminal that commands see."""


@dataclass(frozen=True)
class Block:
    """One piece of code: its language or directive, and the number of its first line in the page."""

    language: str
    directive: bool
    argument: str
    options: Mapping[str, str]
    lines: Sequence[str]
    line: int
    rst: bool = False

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass(frozen=True)
class Command:
    """A line ``$ command`` of a console block, and the output shown below it."""

    text: str
    output: Sequence[str]
    line: int


def read_blocks(text: str, folder: Path | None = None, line: int = 1) -> list[Block]:
    """Return the blocks of a page in their order, those inside notes and included files as well."""
    blocks = []
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "code_block":
            blocks.append(Block("", False, "", {}, token.content.splitlines(), line + token.map[0]))
        elif token.type == "fence":
            blocks += _read_fence(token.info.strip(), token.content.splitlines(), line + token.map[0] + 1, folder)
    return blocks


def _read_fence(info: str, lines: list[str], line: int, folder: Path | None) -> list[Block]:
    found = re.fullmatch(r"\{([\w:-]+)\}\s*(.*)", info)
    if found is None:
        return [Block(info.partition(" ")[0], False, "", {}, lines, line)]
    name, argument = found.groups()
    options, start = _read_options(lines)
    if name == "eval-rst":
        return _read_rst(lines, line)
    if name == "include" and folder is not None:
        target = folder / argument
        return read_blocks(target.read_text(encoding="utf-8"), target.parent)
    if name == "literalinclude" and folder is not None:
        # A file of the repository, which readers of the page have too: it is written where the caption says.
        target = folder / argument
        content = target.read_text(encoding="utf-8").splitlines()
        return [Block("code-block", True, options.get("language", target.suffix[1:]), options, content, line)]
    if name in CONTAINERS:
        return read_blocks("\n".join(lines[start:]), folder, line + start)
    return [Block(name, True, argument, options, lines[start:], line + start)]


def _read_options(lines: Sequence[str]) -> tuple[dict[str, str], int]:
    """Return the options ``:name: value`` at the head of a directive, and where its content starts."""
    options: dict[str, str] = {}
    name, start = "", 0
    for entry in lines:
        found = re.fullmatch(r":([\w-]+):(.*)", entry)
        if found:
            name = found[1]
            options[name] = found[2].strip()
        elif name and re.match(r"\s+\S", entry):
            options[name] += " " + entry.strip()
        else:
            break
        start += 1
    return options, start + len(list(takewhile(lambda entry: not entry.strip(), lines[start:])))


def _read_rst(lines: Sequence[str], line: int) -> list[Block]:
    """Return the directives of reStructuredText; what else could be code becomes a block without a language."""
    blocks = []
    k = 0
    while k < len(lines):
        found = re.fullmatch(r"\.\. ([\w:-]+)::\s*(.*)", lines[k])
        k += 1
        if found is None:
            if re.search(r"^\s*>>> |::\s*$|^\s+\S", lines[k - 1]):
                blocks.append(Block("", False, "", {}, [lines[k - 1]], line + k - 1))
            continue
        body = list(takewhile(lambda entry: not entry.strip() or entry.startswith(" "), lines[k:]))
        content = textwrap.dedent("\n".join(body)).splitlines()
        options, start = _read_options(content)
        blocks.append(Block(found[1], True, found[2], options, content[start:], line + k + start, rst=True))
        k += len(body)
    return blocks


def read_commands(block: Block) -> list[Command]:
    """Return the commands of a console block, without comments; a backslash at the end of a line continues it.

    Raises
    ------
    ValueError
        If the block does not start with a command.
    """
    commands: list[tuple[str, list[str], int]] = []
    continued = False
    for number, entry in enumerate(block.lines, start=block.line):
        if continued:
            commands[-1] = (f"{commands[-1][0]} {entry.strip()}", [], commands[-1][2])
        elif entry.startswith("$ "):
            commands.append((re.sub(r"\s#\s.*", "", entry[2:]).strip(), [], number))
        elif not commands:
            raise ValueError("a console block must start with '$ ' and a command")
        else:
            commands[-1][1].append(entry)
            continue
        continued = commands[-1][0].endswith("\\")
        if continued:
            commands[-1] = (commands[-1][0][:-1].strip(), [], commands[-1][2])
    return [Command(*command) for command in commands]


def first_missing(shown: Sequence[str], output: str) -> str | None:
    """Return the first line that does not occur in the output after those before it; blanks count as one."""
    remaining = iter([" ".join(entry.split()) for entry in output.splitlines()])
    for entry in shown:
        wanted = " ".join(entry.split())
        if wanted in ("", "..."):
            continue
        pattern = re.compile(".*".join(map(re.escape, re.split(r" ?\.\.\. ?", wanted))))
        if not any(pattern.fullmatch(candidate) for candidate in remaining):
            return entry
    return None


@dataclass
class Page:
    """A page while it runs.

    Attributes
    ----------
    name : str
        For messages.
    smaller : callable
        Maps a command to the arguments that are appended to it, to make it quick.
    checked : callable
        Looks at a command that is not run, and returns None when it is to be run, else the problems with it.
    problems : list of str
        What went wrong, each with its line.
    """

    name: str
    smaller: Callable[[str], str] = lambda command: ""
    checked: Callable[[str], list[str] | None] = lambda command: None
    problems: list[str] = field(default_factory=list)
    _names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    _plot_names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    _unused: dict[str, int] = field(default_factory=dict)

    def run(self, blocks: Sequence[Block], folder: Path) -> list[str]:
        """Run the blocks in a folder and return the problems."""
        with _surroundings(folder):
            for block in blocks:
                self._unused = {name: line for name, line in self._unused.items() if not _mentions(block, name)}
                self._run_block(block)
        for name, line in self._unused.items():
            self._report(line, f"no block uses the file {name}")
        return self.problems

    def _report(self, line: int, message: str) -> None:
        self.problems.append(f"{self.name}:{line}: {message}")

    def _run_block(self, block: Block) -> None:
        if block.directive and block.language in SILENT:
            return
        if block.directive and block.language == "plot" and block.rst:
            self._run_plot(block)
        elif block.directive and block.language == "code-block" and block.argument in FILES:
            self._write_file(block, block.options.get("caption", ""), block.text)
        elif block.directive:
            self._report(block.line, f"unknown directive {block.language!r} {block.argument!r}".rstrip())
        elif block.language == "python":
            self._run_examples(block, self._names)
        elif block.language == "console":
            self._run_console(block)
        elif block.language in FILES:
            first = re.fullmatch(r"# (\S+)", block.lines[0]) if block.lines else None
            self._write_file(block, first[1] if first else "", block.text)
        else:
            self._report(block.line, f"a block in the unknown language {block.language!r}")

    def _run_examples(self, block: Block, names: dict[str, Any]) -> None:
        try:
            pieces = doctest.DocTestParser().parse(block.text, self.name)
        except ValueError as error:
            self._report(block.line, str(error))
            return
        for piece in pieces:
            if isinstance(piece, str) and piece.strip():
                self._report(block.line, f"code or output that is no '>>>' example: {piece.strip()[:80]!r}")
        examples = [piece for piece in pieces if isinstance(piece, doctest.Example)]
        test = doctest.DocTest(examples, names, self.name, self.name, block.line - 1, None)
        said: list[str] = []
        failed = doctest.DocTestRunner(verbose=False, optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
        names.clear()
        names.update(test.globs)
        if failed.failed:
            self._report(block.line, "".join(said))

    def _run_plot(self, block: Block) -> None:
        from matplotlib import pyplot

        context = block.options.get("context")
        names = {"__name__": "__main__"} if context in (None, "reset") else self._plot_names
        self._run_examples(block, names)
        self._names.update(names)
        if context is not None:
            self._plot_names = names
        if "nofigs" not in block.options:
            if not pyplot.get_fignums():
                self._report(block.line, "a plot block must draw a figure")
            if not block.options.get("alt"):
                self._report(block.line, "a plot block must have an ':alt:' text")
        pyplot.close("all")

    def _run_console(self, block: Block) -> None:
        try:
            commands = read_commands(block)
        except ValueError as error:
            self._report(block.line, str(error))
            return
        for command in commands:
            found = self.checked(command.text)
            if found is None:
                self._run_command(command)
                continue
            if any(entry.strip() for entry in command.output):
                found = [*found, "the output of a command that is not run must not be shown"]
            for message in found:
                self._report(command.line, f"{command.text}: {message}")

    def _run_command(self, command: Command) -> None:
        words = shlex.split(f"{command.text} {self.smaller(command.text)}")
        if words[0] == "causal-theory":
            from causal_theory.cli import app

            result = CliRunner().invoke(app, words[1:])
        elif words[:3] == ["python", "-m", "verification"]:
            from verification.cli import app

            result = CliRunner().invoke(app, words[3:])
        else:
            self._report(command.line, f"unknown program in {command.text!r}")
            return
        if result.exit_code != 0:
            reason = result.output if isinstance(result.exception, SystemExit) else repr(result.exception)
            self._report(command.line, f"{command.text}: exit status {result.exit_code}: {reason}")
            return
        missing = first_missing(command.output, result.output)
        if missing is not None:
            self._report(command.line, f"{command.text}: the output has no line {missing!r}:\n{result.output}")

    def _write_file(self, block: Block, name: str, content: str) -> None:
        path = PurePosixPath(name)
        if not name or path.is_absolute() or ".." in path.parts:
            self._report(block.line, f"a {block.argument or block.language} block must name its file, got {name!r}")
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content, encoding="utf-8")
        self._unused[name] = block.line


def _mentions(block: Block, name: str) -> bool:
    """Whether a block names a file, or the module in it."""
    return name in block.text or (name.endswith(".py") and PurePosixPath(name).stem in block.text)


@contextlib.contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    """Work in a folder whose modules can be imported, draw without a screen, and on a terminal of a known width."""
    import matplotlib as mpl

    before = {name: os.environ.get(name) for name in ("COLUMNS", "TERMINAL_WIDTH")}
    mpl.use("agg")
    os.environ.update(dict.fromkeys(before, WIDTH))
    sys.path.insert(0, str(folder))
    known = set(sys.modules)
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                del sys.modules[name]
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
