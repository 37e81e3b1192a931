"""Write files that appear whole under their name, or not at all.

Content goes to temporary files in the same folder, which take their names together when all are complete. Behind a
symbolic link its target is written, and the link stays. A file that is replaced keeps its permissions, a new one gets
those of the umask. What is renamed has reached the disk, so that a crash of the machine leaves the old file or the new
one. A folder, a device or a pipe is refused. Every error of the system becomes an :class:`OutputError` of one line.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from causal_theory.errors import OutputError

Path = str | os.PathLike[str]
Writer = Callable[[IO[bytes]], object]
"""Fills a file that is open for writing."""


def check_target(argument: str, path: Path) -> str:
    """Return the file behind all links, when it can be created or replaced; called before any work is done.

    Raises
    ------
    OutputError
        If it is a folder or a device, or its folder is missing or closed.
    """
    shown = os.fspath(path)
    try:
        target, mode = _find(shown)
    except OSError as error:
        raise OutputError(
            f"{argument} must be in a folder that exists and can be written, got {shown[:80]!r}: {error.strerror}"
        ) from error
    if mode is not None and not stat.S_ISREG(mode):
        raise OutputError(f"{argument} must be a plain file, got the {_kind(mode)} {shown!r}")
    folder = os.path.dirname(target)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{argument} must be in a folder that exists and can be written, got {shown!r}")
    return target


@contextmanager
def new_files(argument: str, paths: Iterable[Path]) -> Iterator[list[str]]:
    """Give an empty temporary file for each path; they take their names, the first one last, if the block ends well.

    Raises
    ------
    OutputError
        If a file cannot be created, completed or renamed. Errors of the block itself pass unchanged. Temporary files
        are removed in any case.
    """
    pending: list[tuple[Path, str, str, int | None]] = []
    try:
        for path in paths:
            with refusing(argument, path):
                pending.append((path, *_create(path)))
        yield [temporary for _, temporary, _, _ in pending]
        for path, temporary, _, mode in pending:
            with refusing(argument, path):
                _complete(temporary, mode)
        for path, temporary, target, _ in reversed(pending):
            with refusing(argument, path):
                os.replace(temporary, target)
    finally:
        for _, temporary, _, _ in pending:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def write_files(argument: str, contents: Iterable[tuple[Path, Writer]]) -> None:
    """Write several files together: when one fails, none appears.

    Raises
    ------
    OutputError
        If one cannot be written; what was there before is kept.
    """
    contents = list(contents)
    with new_files(argument, [path for path, _ in contents]) as temporary:
        for (path, writer), name in zip(contents, temporary, strict=True):
            with refusing(argument, path), open(name, "wb") as file:
                writer(file)


def write_bytes(argument: str, path: Path, content: bytes | memoryview) -> None:
    """Write one file; raise :class:`OutputError` naming ``argument`` if that is impossible."""
    write_files(argument, [(path, lambda file: file.write(content))])


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8; raise :class:`OutputError` naming ``path`` if that is impossible.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(f"{folder}/note.txt", "done")
    ...     os.listdir(folder)
    ['note.txt']
    """
    with refusing("path", path):
        content = text.encode("utf-8")
    write_bytes("path", path, content)


@contextmanager
def refusing(argument: str, path: Path) -> Iterator[None]:
    """Turn what the system says about a file into an :class:`OutputError` that names argument and file."""
    try:
        yield
    except (OSError, UnicodeEncodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{argument} must be a file that can be written, got {os.fspath(path)!r}: {reason}"
        ) from error


def _find(path: str) -> tuple[str, int | None]:
    """Return the file behind all links and its mode, None where there is no file yet."""
    try:
        target = os.path.realpath(path)
        return target, os.stat(target).st_mode
    except FileNotFoundError:
        return target, None
    except ValueError as error:  # a null character
        raise OSError(0, str(error)) from error


def _kind(mode: int) -> str:
    return "folder" if stat.S_ISDIR(mode) else "device"


def _create(path: Path) -> tuple[str, str, int | None]:
    """Create an empty file beside the target; return both names, and the mode of what is going to be replaced."""
    target, mode = _find(os.fspath(path))
    if mode is not None and not stat.S_ISREG(mode):
        raise OSError(f"it is a {_kind(mode)}")
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:40]}.{secrets.token_hex(4)}.part")
    # A new file gets its permissions from the umask here; nobody else reads along where the old one may be private.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if mode is None else 0o600))
    return temporary, target, None if mode is None else stat.S_IMODE(mode)


def _complete(temporary: str, mode: int | None) -> None:
    """Bring a file to the disk, with the permissions of the one that it replaces."""
    handle = os.open(temporary, os.O_RDONLY)
    try:
        if mode is not None:
            os.fchmod(handle, mode)
        os.fsync(handle)
    finally:
        os.close(handle)
