"""Run the command line as users do, in a process of its own, without importing the package each time.

One interpreter has imported everything; each run is a copy of it, made by ``fork``, which ends as every interpreter
does: what it leaves in its buffers, its exit status and its last words are those of the program.
"""

import atexit
import os
import pickle
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

PROGRAM = "import sys; from causal_theory.cli import main; sys.argv[0] = 'causal-theory'; main()"

STRICT = {"PYTHONIOENCODING": "utf-8:strict", "PYTHONUTF8": "0"}
"""Without UTF-8 mode, standard output refuses what is no text, as it does where a language is set."""

_COPIED = """
import importlib, os, pickle, pkgutil, socket, sys
import numba
import causal_theory.cli

for module in pkgutil.walk_packages(causal_theory.cli.__path__, "causal_theory.cli."):
    importlib.import_module(module.name)

def next_run(channel):
    while True:
        message, files, _, _ = socket.recv_fds(channel, 2**17, 2)
        if not message:
            os._exit(0)
        process = os.fork()
        if process == 0:
            channel.close()
            for number, file in enumerate(files, 1):
                os.dup2(file, number)
                os.close(file)
            return pickle.loads(message)
        for file in files:
            os.close(file)
        channel.send(pickle.dumps(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])))

arguments, code, folder, environment = next_run(socket.socket(fileno=int(sys.argv[1])))
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
sys.argv[1:] = arguments
exec(code)
"""


@cache
def _channel() -> socket.socket:
    """Start the process that is copied; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = os.environ | STRICT | {"OPENBLAS_NUM_THREADS": "1"}  # what is copied has one thread
    with theirs:
        command = [sys.executable, "-c", _COPIED, str(theirs.fileno())]
        # Pipes, since Python's streams remember whether they can be rewound.
        process = subprocess.Popen(
            command,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def end() -> None:
        ours.close()
        process.communicate()

    atexit.register(end)
    return ours


def run_program(
    *arguments: object,
    code: str = PROGRAM,
    stdout: int | None = None,
    stderr: int | None = None,
    cwd: str | os.PathLike[str] | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run code with arguments; without descriptors to write to, what it writes is returned."""
    channel = _channel()
    words = [str(one) for one in arguments]
    whole = os.environ | STRICT | environment
    message = pickle.dumps((words, code, os.fspath(cwd or os.getcwd()), whole))
    with ThreadPoolExecutor(2) as threads:
        read, targets = [], []
        for given in (stdout, stderr):
            source, target = (None, os.dup(given)) if given is not None else os.pipe()
            read.append(threads.submit(_read, source))
            targets.append(target)
        socket.send_fds(channel, [message], targets)
        for target in targets:
            os.close(target)
        status = pickle.loads(channel.recv(1000))
        return subprocess.CompletedProcess(words, status, *(one.result() for one in read))


def _read(source: int | None) -> bytes:
    if source is None:
        return b""
    with open(source, "rb") as file:
        return file.read()
