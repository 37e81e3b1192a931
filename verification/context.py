"""What a check is given besides its budgets: its own source of randomness and a way to show progress."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

__all__ = ["Context", "Listener"]

Item = TypeVar("Item")
Listener = Callable[[str, int, int], None]
"""Called with what is being done, how many items are done, and of how many."""


def _ignore(_text: str, _done: int, _total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Context:
    """The surroundings of one check.

    Attributes
    ----------
    seed : int
        Seed of the whole run.
    path : tuple of str
        Name of the claim, and whether its check or its control runs. Nothing else enters the randomness, so it
        depends neither on the order of the claims nor on the number of processes.
    listener : callable
        Receives progress.
    """

    seed: int
    path: tuple[str, ...]
    listener: Listener = _ignore

    def rng(self, *names: str | int) -> np.random.Generator:
        """Return a generator of its own for each sequence of names.

        Examples
        --------
        >>> context = Context(0, ("claim", "run"))
        >>> first, again, other = (context.rng(name).integers(10**9) for name in ("a", "a", "b"))
        >>> bool(first == again), bool(first == other)
        (True, False)
        """
        digest = hashlib.sha256(repr((self.path, names)).encode()).digest()
        key = np.frombuffer(digest[:16], dtype="<u4")
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=tuple(map(int, key))))

    def track(self, items: Sequence[Item], text: str) -> Iterator[Item]:
        """Yield the items and report how many are done."""
        for done, item in enumerate(items):
            self.listener(text, done, len(items))
            yield item
        self.listener(text, len(items), len(items))
