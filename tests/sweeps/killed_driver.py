"""Kill the driver of a sweep at random moments: ``python -m tests.sweeps.killed_driver STORE UNITS SEED``.

Each driver is a copy of this process, so that the package is imported once. None can finish before it is killed: its
units wait at gates, files in the folder ``GATES`` of the environment, and one more gate is opened for every driver.
What was seen of the store goes to standard output as JSON, one line for each killed driver.
"""

import json
import multiprocessing
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from causal_theory.errors import StoreError
from causal_theory.sweeps import read_store, sweep
from tests.helpers import wait_until
from tests.sweeps.studies_for_tests import pauses

SERIAL, WITH_PROCESSES = 8, 2


def drive(store: str, units: int, processes: int) -> None:
    """Run the sweep, once more."""
    sweep(pauses, {"number": range(units)}, store=store, processes=processes, rng=5)


def stored(store: str) -> int:
    """Return how many units a reader sees now."""
    with suppress(StoreError):
        return len(read_store(store))
    return 0


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def is_alive(pid: int) -> bool:
    """Return whether a process exists, and is more than its exit status."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    return False


def main() -> None:
    """Start drivers and kill them."""
    store, units, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = np.random.default_rng(seed)
    context = multiprocessing.get_context("fork")
    gates = Path(os.environ["GATES"])
    os.environ["UNITS_PER_GATE"] = str(units // (SERIAL + WITH_PROCESSES + 1))
    for number, processes in enumerate([0] * SERIAL + [2] * WITH_PROCESSES):
        (gates / str(number)).touch()
        last = stored(store)
        driver = context.Process(target=drive, args=(store, units, processes))
        driver.start()
        try:
            wait_until(lambda last=last: stored(store) > last)
            time.sleep(rng.uniform(0.0, 0.4))
            before, workers = stored(store), children(driver.pid or 0)
            was_running = driver.is_alive()
        finally:
            driver.kill()
            driver.join()
        wait_until(lambda workers=workers: not any(map(is_alive, workers)))
        print(json.dumps({"was_running": was_running, "before": before, "after": stored(store)}), flush=True)
    os.environ["PAUSE"] = "0"
    del os.environ["GATES"]
    drive(store, units, 0)


if __name__ == "__main__":
    main()
