#!/bin/sh
# What a reader would guess: `client.get_executor()` of Dask is a concurrent.futures.Executor (it is an instance of that
# class), so that submitting a function twice calls it twice. Two draws from a fresh generator differ, and what is done
# to one result leaves the other alone, above all when workers are other processes, where results travel as copies.
#
# What happens: the second submit is no call. While the first result is held by anybody, equal calls are one call, by the
# default pure=True that the executor hands on to `client.submit`. Both futures return the same array in the same memory,
# writeable, also with processes=True: what one caller adds in place, the other one finds in its own result.
#
# Why our users care: two programs (or threads, or one loop that runs twice) that share a cluster and use their results
# as buffers change each other's numbers without any error. Edge scores were off by five times the largest score this
# way. `client.get_executor(pure=False)` makes each call a call of its own.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "distributed==2026.8.0" "dask==2026.8.0" "numpy==2.4.6"
cat >"$folder/equal_calls.py" <<'PYTHON'
import concurrent.futures
import sys

import distributed
import numpy as np


def draw(count):
    return np.random.default_rng().random(count)


def main():
    print(f"distributed {distributed.__version__}, numpy {np.__version__}, Python {sys.version.split()[0]}")
    as_described = True
    for processes in (True, False):
        for pure in (True, False):
            with distributed.Client(
                processes=processes, n_workers=1, threads_per_worker=2, dashboard_address=None
            ) as client:
                executor = client.get_executor(pure=False) if not pure else client.get_executor()
                assert isinstance(executor, concurrent.futures.Executor)
                futures = [executor.submit(draw, 3) for _ in range(2)]
                one, other = (future.result() for future in futures)
                equal, shared = bool((one == other).all()), np.shares_memory(one, other)
                before = other.copy()
                one += 1.0
                changed = not np.array_equal(other, before)
                print(
                    f"processes={processes}, {'default' if pure else 'pure=False'}: two draws are equal {equal}, "
                    f"share memory {shared}, one += 1 changes the other {changed}"
                )
                as_described &= equal == shared == changed == pure
    return 0 if as_described else 1


if __name__ == "__main__":
    sys.exit(main())
PYTHON
"$folder/venv/bin/python" "$folder/equal_calls.py"
