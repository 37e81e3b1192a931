#!/usr/bin/env bash
# A reader would guess: two processes that compile one cached function (njit(cache=True)) for different types at the same
# time at worst lose an entry of the cache; files are written beside their place and renamed, so what is loaded is what
# was compiled for these types.
#
# What happens (numba 0.68.1): data files are numbered, and both processes take number 1. If the index of the one and the
# data of the other are renamed last, the entry of one signature points to the code of the other. Every later process
# loads it without a word and computes garbage: here 2 * 3 is no longer 6, or 2 * 0.25 no longer 0.5.
#
# Why our users care: clusters start many processes at once on an empty cache folder. The package therefore keeps its
# kernels in files of its own, whose names hold the types.
#
# The order is forced: each process waits before every rename for a word from this script.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "numba==0.68.1" "numpy<3"
cat >"$folder/doubling.py" <<'PROGRAM'
from numba import njit


@njit(cache=True)
def double(x):
    return 2 * x
PROGRAM
cat >"$folder/worker.py" <<'PROGRAM'
import os
import sys

replace = os.replace


def wait_and_replace(*arguments):
    print("stop", flush=True)
    sys.stdin.readline()
    replace(*arguments)


os.replace = wait_and_replace
from doubling import double

double(eval(sys.argv[1]))
print("end", flush=True)
PROGRAM
cat >"$folder/driver.py" <<'PROGRAM'
import subprocess
import sys

import numba

print("numba", numba.__version__)


def start(number):
    command = [sys.executable, "worker.py", number]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


with start("3") as first, start("0.25") as second:
    assert first.stdout.readline().strip() == second.stdout.readline().strip() == "stop"
    state = go_on(first)
    while go_on(second) == "stop":
        pass
    while state == "stop":
        state = go_on(first)

code = "from doubling import double; print(double(3), double(0.25), dict(double.stats.cache_hits))"
later = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
print("a later process says:", later.strip())
print("right: 6 0.5")
sys.exit(later.startswith("6 0.5 "))
PROGRAM
cd "$folder"
NUMBA_CACHE_DIR="$folder/cache" "$folder/venv/bin/python" driver.py
