"""Check that the files of a store are still those that were opened.

SQLite goes on with a file that nobody can find any more: what is written is in a file without a name, and is gone when
the last process closes it.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from causal_theory.errors import StoreError


@dataclass
class _File:
    identity: tuple[int, int]
    size: int


class Presence:
    """The files of an open store, told by device and inode.

    Parameters
    ----------
    path : Path
        The store, as messages name it.
    companions : iterable of str
        Endings of files beside it that must stay as well, once they are there.
    """

    def __init__(self, path: Path, companions: Iterable[str] = ()) -> None:
        self._path = path
        self._places = [path]
        try:
            # A study may change the working directory.
            place = path.resolve()
            self._places = [place, *(Path(f"{place}{ending}") for ending in companions)]
        except (OSError, RuntimeError) as error:
            raise self._lost(path, f"cannot be reached: {error}") from error
        self._known: dict[Path, _File] = {}
        self.check()

    @property
    def place(self) -> Path:
        """The store, behind all links, wherever this process works."""
        return self._places[0]

    def check(self) -> None:
        """Refuse to go on when a file was removed, moved, replaced or cut.

        Raises
        ------
        StoreError
            If one was; the message names the store and the file.
        """
        for place in self._places:
            known = self._known.get(place)
            try:
                stat = os.stat(place)
            except FileNotFoundError as error:
                if known is None and place != self._places[0]:
                    continue
                raise self._lost(place, "was removed or moved") from error
            except OSError as error:
                raise self._lost(place, f"cannot be reached: {error.strerror or error}") from error
            identity = stat.st_dev, stat.st_ino
            if known is not None and identity != known.identity:
                raise self._lost(place, "was replaced by another file")
            # The database gets no shorter while it is open; the log beside it may.
            if known is not None and place == self._places[0] and stat.st_size < known.size:
                raise self._lost(place, f"was cut from {known.size} bytes to {stat.st_size}")
            self._known[place] = _File(identity, stat.st_size)

    def _lost(self, place: Path, what: str) -> StoreError:
        which = "" if place in (self._path, self._places[0]) else f" and {place.name!r} beside it"
        return StoreError(f"store must stay where it is while it is used, got {str(self._path)!r}{which}, which {what}")
