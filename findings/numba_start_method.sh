#!/usr/bin/env bash
# A reader would guess: asking numba how many threads it uses, or calling a parallel function, has nothing to do with
# multiprocessing; a program that learns afterwards that its workers must be spawned calls
# multiprocessing.set_start_method("spawn").
#
# What happens (numba 0.68.1, Python 3.11 on Linux): launching numba's threads asks for the default start method,
# which thereby is chosen for good. A later set_start_method raises "RuntimeError: context has already been set".
#
# Why our users care: forked workers cannot run parallel functions of numba on GNU OpenMP, so that programs that have
# some of their own must spawn, with multiprocessing.get_context("spawn"), not with set_start_method. Kernels of this
# project do not use numba's threads any more, partly for this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "numba==0.68.1" "numpy<3"
cat >"$folder/program.py" <<'PROGRAM'
import multiprocessing
import sys

import numba

print("numba", numba.__version__, "Python", sys.version.split()[0])
print("chosen after the import:", multiprocessing.get_start_method(allow_none=True))
print("numba.get_num_threads():", numba.get_num_threads())
chosen = multiprocessing.get_start_method(allow_none=True)
print("chosen after that call:", chosen)
try:
    multiprocessing.set_start_method("spawn")
    print("set_start_method works")
    sys.exit(1)
except RuntimeError as error:
    print("set_start_method: RuntimeError:", error)
    sys.exit(chosen is None)
PROGRAM
"$folder/venv/bin/python" "$folder/program.py"
