#!/usr/bin/env bash
# Arrow refuses truth values beside numbers in a column, and changes them without a word in a column of lists.
#
# Guess: pyarrow.array refuses [[True], [0.5]] as it refuses [True, 0.5], "tried to convert to boolean".
# Found: the flat column is refused; in the column of lists the truth value comes out as the number 1.0. (Integers that
#        a double cannot hold are refused in both.)
# Why it matters: results of a sweep may be arrays, and an array of truth values in one unit and of numbers in another
#        would come back from Parquet as numbers. The package reads every such column back before it writes it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1
"$folder/env/bin/python" - <<'PROGRAM'
import sys

import pyarrow

print("pyarrow", pyarrow.__version__)
try:
    flat = pyarrow.array([True, 0.5]).to_pylist()
except pyarrow.ArrowInvalid as error:
    flat = "refused"
    print("[True, 0.5] is refused:", error)
nested = pyarrow.array([[True], [0.5]])
print("[[True], [0.5]] becomes", nested.to_pylist(), "of type", nested.type)
as_found = flat == "refused" and nested.to_pylist() == [[1.0], [0.5]] and nested.to_pylist()[0][0] is not True
print("as found" if as_found else "changed: the page on sweeps and the finding need another look")
sys.exit(not as_found)
PROGRAM
