"""A Dask cluster that somebody else started, as an executor."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from causal_theory.errors import InvalidArgumentError
from causal_theory.wording import needed

PATIENCE = "5s"
"""A scheduler that is there answers at once."""


@contextmanager
def cluster_executor(address: str) -> Iterator[tuple[Any, int]]:
    """Connect to a scheduler, and give its executor.

    Parameters
    ----------
    address : str
        Like ``tcp://host:8786``.

    Yields
    ------
    executor
        With the method ``submit`` of :class:`concurrent.futures.Executor`.
    threads : int
        How many calls it runs at once.

    Raises
    ------
    InvalidArgumentError
        If Dask is missing, nobody answers, or there are no workers.
    """
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ImportError as error:
        raise InvalidArgumentError(
            f"scheduler must not be given without Dask, got {address!r}: {needed('it', 'Dask', 'sweep')}"
        ) from error
    connect: Any = Client  # its package has no types
    try:
        # A client that failed before it could try to connect complains when it is forgotten.
        host, _ = get_address_host_port(address, strict=True)
        host.encode("idna")
        client = connect(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidArgumentError(
            f"scheduler must be the address of a Dask scheduler that answers, like tcp://host:8786, got {address!r}: "
            f"{error}"
        ) from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise InvalidArgumentError(f"scheduler must have workers, got {address!r} without any")
        yield client.get_executor(pure=False), threads
