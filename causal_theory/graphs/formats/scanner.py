"""Walk through a text piece by piece, and know the line."""

import re
from bisect import bisect_left
from typing import NoReturn

from causal_theory.graphs.named import NamedGraph

SHOWN = 30
"""Characters of a text that a message quotes."""

QUOTED = r'"(?:[^"\\]|\\.)*"'


class Scanner:
    """A place in a text, which moves over blanks and comments by itself.

    Parameters
    ----------
    named : NamedGraph
        Makes the errors.
    text : str
        The whole text.
    comments : str
        What is skipped like blanks, a regular expression.
    """

    def __init__(self, named: NamedGraph, text: str, comments: str = r"//[^\n]*|/\*.*?\*/") -> None:
        self.named, self.text, self.place = named, text, 0
        self._breaks = [found.start() for found in re.finditer("\n", text)]
        self._blanks = re.compile(rf"(?:\s|{comments})*", re.DOTALL | re.MULTILINE)

    @property
    def line(self) -> int:
        """The line of the place, from 1."""
        return bisect_left(self._breaks, self.place) + 1

    def take(self, pattern: str) -> str | None:
        """Return the next piece and step over it, if it matches; None otherwise."""
        self._skip()
        found = re.compile(pattern, re.DOTALL).match(self.text, self.place)
        if found is None:
            return None
        self.place = found.end()
        return found.group()

    def need(self, pattern: str, what: str) -> str:
        """Return the next piece, which must match; ``what`` says in words what is needed."""
        found = self.take(pattern)
        return self.fail(what) if found is None else found

    def until(self, end: str, what: str) -> str:
        """Return what comes before the next ``end``, and step over both."""
        self._skip()
        stop = self.text.find(end, self.place)
        if stop < 0:
            self.fail(what)
        found, self.place = self.text[self.place : stop], stop + len(end)
        return found

    def at_end(self) -> bool:
        """Return whether nothing is left."""
        self._skip()
        return self.place >= len(self.text)

    def fail(self, what: str) -> NoReturn:
        """Raise an error that says what is needed here, and what there is."""
        self._skip()
        rest = self.text[self.place : self.place + SHOWN].split("\n")[0]
        got = repr(rest) if rest else "the end of the file; is it complete?"
        raise self.named.error(f"must have {what}, got {got}", self.line)

    def _skip(self) -> None:
        found = self._blanks.match(self.text, self.place)
        self.place = found.end() if found else self.place


def unquoted(name: str) -> str:
    r"""Return a name without its quotes.

    Examples
    --------
    >>> unquoted('"a b"'), unquoted("c"), unquoted(r'"say \"d\""')
    ('a b', 'c', 'say "d"')
    """
    if len(name) > 1 and name[0] == name[-1] == '"':
        return re.sub(r"\\\n", "", name[1:-1]).replace('\\"', '"')
    return name
