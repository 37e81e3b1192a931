"""The process that compiles: it solves the problems whose numbers it reads, and says when it is ready for the next."""

import gc
import os
import sys
import threading
import warnings
from queue import SimpleQueue

from causal_theory.kernels import interpreted
from causal_theory.warming.problems import PROBLEMS


def work() -> None:
    """Solve problems until there are none left, or nobody asks any more."""
    answers, sys.stdout = sys.stdout, sys.stderr
    numbers: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_listen, args=(numbers,), daemon=True).start()
    # Nearly all that numba builds up is needed until the end: to look through it takes a fifth of the time.
    gc.disable()
    interpreted.compile_always = True
    # Compiling what cannot be kept would be in vain.
    warnings.filterwarnings("error", "compiled kernels cannot be kept", RuntimeWarning)
    while True:
        print("ready", file=answers, flush=True)
        number = numbers.get()
        if number >= len(PROBLEMS):
            print("nothing left", file=answers, flush=True)
            return
        try:
            PROBLEMS[number]()
        except (OSError, RuntimeWarning) as error:
            print(" ".join(str(error).split()), file=answers, flush=True)
            return


def _listen(numbers: "SimpleQueue[int]") -> None:
    """Read numbers; end this process, whatever it is compiling, when the one that started it is gone."""
    for line in sys.stdin:
        numbers.put(int(line))
    os._exit(1)
