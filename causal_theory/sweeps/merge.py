"""Put stores together that several sweeps wrote, each for a part of a grid."""

from collections.abc import Iterable
from pathlib import Path

from causal_theory.errors import InvalidArgumentError
from causal_theory.sweeps.store import Store
from causal_theory.sweeps.store_writer import WritableStore


def merge_stores(sources: Iterable[str | Path], into: str | Path) -> int:
    """Copy the units of several stores into one, each unit once.

    A sweep has one driver and one store. A grid that is too much for one driver can be cut into parts: a unit has the
    same key and the same random numbers in every grid, and merged the parts are what one sweep would have stored.

    Of a unit that several stores have, a result is kept rather than a failure, and otherwise the one that was computed
    last.

    Parameters
    ----------
    sources : iterable of str or Path
        Stores, which are left as they are.
    into : str or Path
        A store, which may have units already, or a new file.

    Returns
    -------
    int
        How many units were copied.

    Raises
    ------
    InvalidArgumentError
        If there are no sources, or ``into`` is one of them.
    StoreError
        If a file is no store, ``into`` is being written by a sweep, two stores hold different studies of one name, or
        the same code has computed two results of one unit. Sources before the one at fault have been copied.

    Examples
    --------
    >>> import tempfile
    >>> from causal_theory.sweeps import read_store, sweep
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     parts = [Path(folder) / f"{length}.sqlite" for length in (8, 9)]
    ...     for length, part in zip((8, 9), parts):
    ...         ran = sweep("edge_recovery", {"length": [length]}, store=part, repeats=2, processes=0)
    ...     merge_stores(parts, Path(folder) / "all.sqlite")
    ...     read_store(Path(folder) / "all.sqlite")["length"]
    4
    array([8, 8, 9, 9])
    """
    paths = [Path(source) for source in sources]
    target = Path(into)
    if not paths:
        raise InvalidArgumentError("sources must name at least one store, got none")
    if target.resolve() in {path.resolve() for path in paths}:
        raise InvalidArgumentError(f"into must not be one of the sources, got {str(target)!r}")
    for path in paths:
        # Before anything is written: a file that is no store must not leave half of a merge behind.
        Store(path).close()
    with WritableStore(target) as kept:
        return sum(kept.copy_from(path) for path in paths)
