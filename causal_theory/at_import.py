"""The files of the package and the processors of the process, as they were when the package was imported."""

import os
from collections.abc import Iterator

Stamp = tuple[int, int, int, int]

FOLDER = os.path.dirname(os.path.realpath(__file__))


def stamps(folder: str = FOLDER) -> Iterator[tuple[str, Stamp]]:
    """Yield the source files in a folder and what the system says of each: another one after every edit."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                stat = entry.stat()
                yield entry.path, (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from stamps(entry.path)


FILES = dict(stamps())
"""The source files of this package, before anybody edits them: modules are loaded from them later."""

PROCESSORS = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
"""Those that this process may use, before the OpenMP of another library binds the first thread to one of them."""
