#!/usr/bin/env bash
# numpy.savez(file, allow_pickle=False, a=...) before NumPy 2.2: the option becomes an array.
#
# Guess of a reader: numpy.load and numpy.save take allow_pickle, and so numpy.savez does; where it does not, the call is
# a TypeError. The archive holds `a` and nothing else.
# What happens: until NumPy 2.1 every keyword of numpy.savez is the name of an array. The call succeeds, and the archive
# holds a second array, `allow_pickle`, with the value False. From 2.2 on it is an option. Nothing is said either way.
# Why users care: whoever digests or enumerates the arrays of an archive finds one more than was written, as it was with
# the checkpoints of this package, which could not be read back under the oldest NumPy that it promises.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# NumPy 2.1 has wheels for Python 3.10 to 3.13.
python3 -m venv environment
environment/bin/python -m pip install --quiet --disable-pip-version-check numpy==2.1.3 2>pip.log || { cat pip.log; exit 1; }
environment/bin/python - <<'PYTHON'
import io
import sys

import numpy as np

file = io.BytesIO()
np.savez(file, allow_pickle=False, a=np.arange(3))
file.seek(0)
with np.load(file) as archive:
    found = {name: archive[name].tolist() for name in archive.files}
print(f"numpy {np.__version__}: np.savez(file, allow_pickle=False, a=np.arange(3)) wrote {found}")
sys.exit(found != {"allow_pickle": False, "a": [0, 1, 2]})
PYTHON
