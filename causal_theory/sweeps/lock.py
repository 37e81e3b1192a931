"""One driver for a store: a lock that the operating system takes back when the driver dies."""

from pathlib import Path

from filelock import FileLock, Timeout

from causal_theory.errors import StoreError


def lock_store(path: Path) -> FileLock:
    """Return the lock of a store, acquired; it lies beside the store, with ``.lock`` after its name.

    Raises
    ------
    StoreError
        If another sweep holds it, or its file cannot be written.
    """
    # Of the file behind all links: another name for the same store is no second store.
    lock = FileLock(f"{path.resolve()}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"store must be used by one sweep at a time, got {str(path)!r}, which another holds"
        ) from error
    except OSError as error:
        raise StoreError(f"store must be in a folder that can be written, got {str(path)!r}: {error}") from error
    return lock
