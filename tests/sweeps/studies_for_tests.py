"""Studies that are cheap, fail, or kill their own process; importable by every worker."""

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np

from tests.helpers import wait_until

MESSAGE = "number"


def cheap(
    *, rng: np.random.Generator, number: int, scale: float = 1.0, label: str = "a", flag: bool = False
) -> dict[str, object]:
    """Draw a few numbers.

    The rest of the docstring is no summary.
    """
    draws = rng.normal(scale=scale, size=3)
    return {
        "total": float(draws.sum()),
        "square": number**2,
        "even": number % 2 == 0,
        "name": label * 2,
        "undefined": float("nan") if flag else float("-inf"),
        "draws": draws,
    }


def trivial(*, number: int) -> dict[str, object]:
    """Return twice a number, without any randomness."""
    return {"double": 2 * number}


def underflows(*, number: int) -> dict[str, object]:
    """Return zero, the product of two small probabilities."""
    return {"product": float(np.float64(1e-200) ** number)}


def waits(*, number: int, rng: np.random.Generator, seconds: float = 0.01) -> dict[str, object]:
    """Take a while."""
    time.sleep(seconds)
    return {"draw": float(rng.random())}


def waits_at_a_gate(*, number: int, rng: np.random.Generator, gate: str, first: int = 0) -> dict[str, object]:
    """Wait, from a number on, until somebody creates a file."""
    time.sleep(0.002)
    if number >= first:
        wait_until(Path(gate).exists)
    return {"draw": float(rng.random())}


def pauses(*, number: int, rng: np.random.Generator) -> dict[str, object]:
    """Take as long as the environment says, and wait at the gates that it names, which changes no result."""
    time.sleep(float(os.environ.get("PAUSE", "0")))
    if "GATES" in os.environ:
        wait_until(Path(os.environ["GATES"], str(number // int(os.environ["UNITS_PER_GATE"]))).exists)
    return {"draws": rng.random(number % 7 + 1), "draw": float(rng.random())}


def raises(*, number: int, worst: int = 3) -> dict[str, object]:
    """Fail for multiples of a number."""
    if number % worst == 0:
        raise RuntimeError(f"{MESSAGE} {number} is a multiple of {worst}")
    return {"double": 2 * number}


def raises_once(*, number: int, marker: str) -> dict[str, object]:
    """Fail until a file exists."""
    if not Path(marker).exists():
        raise RuntimeError("there is no such file")
    return {"double": 2 * number}


def dies_once(*, number: int, victim: int, marker: str, rng: np.random.Generator) -> dict[str, object]:
    """Kill the process in the middle of one unit, the first time."""
    time.sleep(0.002)
    if number == victim and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"draw": float(rng.random())}


def dies(*, number: int, victim: int, log: str) -> dict[str, object]:
    """Kill the process in the middle of one unit, every time, and say so in a file."""
    if number == victim:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return {"double": 2 * number}


class Poison:
    """Kills the process that sends it anywhere."""

    def __reduce__(self) -> tuple[object, ...]:
        os.kill(os.getpid(), signal.SIGKILL)
        return (Poison, ())


def returns_poison(marker: str) -> Poison:
    """Return what cannot leave the process alive, and the next time not even that."""
    if Path(marker).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    Path(marker).touch()
    return Poison()


def dies_often(*, number: int, victims: int, log: str) -> dict[str, object]:
    """Kill the process at every third number."""
    if number % 3 == 1 and number < victims:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{number}\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return {"double": 2 * number}


def prints(*, number: int) -> dict[str, object]:
    """Print, as a study does that somebody is looking into."""
    print(number, flush=True)
    return {"double": 2 * number}


def meets(*, number: int, folder: str) -> dict[str, object]:
    """Return the number of the process; the first unit waits until a second process evaluates units too."""
    Path(folder, str(os.getpid())).touch()
    if number == 0:
        wait_until(lambda: len(list(Path(folder).iterdir())) > 1)
    return {"process": os.getpid()}


def threads(*, number: int) -> dict[str, object]:
    """Return how many threads kernels and the linear algebra libraries use."""
    import scipy.linalg
    from threadpoolctl import threadpool_info

    from causal_theory.kernels.threads import get_num_threads

    scipy.linalg.inv(np.eye(2))
    blas = [entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"]
    return {"kernels": get_num_threads(), "blas": max(blas), "libraries": len(blas)}


def large(*, number: int, size: int = 1000) -> dict[str, object]:
    """Return an array of bytes."""
    return {"data": np.full(size, number, dtype=np.uint8)}


def returns_number(*, number: int) -> float:
    """Return no mapping."""
    return float(number)


def returns_list(*, number: int) -> dict[str, object]:
    """Return what no table can hold."""
    return {"numbers": [number]}


def returns_parameter(*, number: int) -> dict[str, object]:
    """Return a result that is named like a parameter."""
    return {"number": number}


def returns_complex(*, number: int) -> dict[str, object]:
    """Return complex numbers."""
    return {"numbers": np.array([1j])}


def exits(*, number: int) -> dict[str, object]:
    """Leave the interpreter."""
    raise SystemExit(number)


def positional(number: int) -> dict[str, object]:
    """Take a positional parameter."""
    return {}


def unannotated(*, number) -> dict[str, object]:
    """Lack an annotation."""
    return {}


def listed(*, numbers: list[int]) -> dict[str, object]:
    """Take a parameter that is no scalar."""
    return {}


def repeated(*, repeat: int) -> dict[str, object]:
    """Take a parameter that is named like a column."""
    return {}


def badly_defaulted(*, number: int = 1.5) -> dict[str, object]:  # type: ignore[assignment]
    """Have a default of another kind."""
    return {}


def outer():
    """Return a function that no other process can find."""

    def inner(*, number: int) -> dict[str, object]:
        """Be hidden."""
        return {}

    return inner


def tampers(*, number: int, store: str, how: str) -> dict[str, object]:
    """Do something to the store, in the third unit."""
    if number == 2:
        path, other = Path(store), Path(f"{store}.other")
        if how == "remove":
            path.unlink()
        elif how == "move":
            path.rename(other)
        elif how == "replace":
            other.write_bytes(path.read_bytes())
            other.replace(path)
        elif how == "cut":
            os.truncate(path, 0)
        elif how == "cut -wal":
            os.truncate(f"{path}-wal", 0)
        elif how == "overwrite":
            with path.open("r+b") as file:
                file.write(bytes(path.stat().st_size))
        elif how == "empty":
            path.unlink()
            path.touch()
        elif how == "remove folder":
            shutil.rmtree(path.parent)
        elif how == "move folder":
            path.parent.rename(f"{path.parent}.other")
        elif how.startswith("remove -") or how == "remove .lock":
            Path(f"{store}{how.removeprefix('remove ')}").unlink()
        elif how == "change directory":
            os.chdir(path.parent.parent)
    return {"value": number}


def terminates(*, number: int) -> dict[str, object]:
    """Be sent SIGTERM twice, in the second unit."""
    if number == 1:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
    return {"value": number}
