"""Executors of kinds that exist: futures that cannot be cancelled, results that others hold, and worse."""

import pickle
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields

import numpy as np


class Bare:
    """A future with a result and nothing else."""

    def __init__(self, future):
        self.future = future

    def result(self):
        return self.future.result()


class Uncancellable(Future):
    """Says that it is under way, whatever happens."""

    def cancel(self):
        return False


class Raising(Future):
    """Fails when it is cancelled, as those of an executor that has lost its connection do."""

    asked = False

    def cancel(self):
        self.asked = True
        raise ConnectionError("the connection is lost")


class Stuck(Future):
    """Never comes back from its cancellation."""

    def cancel(self):
        threading.Event().wait()


FUTURES = {"bare": Bare, "uncancellable": Uncancellable, "raising": Raising, "stuck": Stuck}


class Calling:
    """Calls at once, and returns futures of some kind whose results have been through some hands."""

    def __init__(self, kind="plain", change=lambda result: result, fail_at=None, error=None, undone_from=None):
        self.kind, self.change, self.fail_at, self.error, self.undone_from = kind, change, fail_at, error, undone_from
        self.futures = []

    def submit(self, function, /, *arguments):
        number = len(self.futures)
        if number == self.fail_at:
            raise self.error
        future = Future() if self.kind == "bare" else FUTURES.get(self.kind, Future)()
        self.futures.append(future)
        if self.undone_from is None or number < self.undone_from:
            future.set_result(self.change(function(*arguments)))
        return Bare(future) if self.kind == "bare" else future


class Silent:
    """Never answers, and lets nobody interrupt those who wait for it, as code outside Python does."""

    def __init__(self):
        self.waited_in = []

    def submit(self, function, /, *arguments):
        return self

    def result(self, timeout=None):
        self.waited_in.append(threading.current_thread())
        while True:
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                continue

    def cancel(self):
        threading.Event().wait()


class Sharing:
    """Takes equal calls for one call and hands the same result to all who ask, as Dask does; keeps a copy of each.

    What makes each call a call of its own it overlooks.
    """

    def __init__(self, threads):
        self.pool = ThreadPoolExecutor(threads)
        self.lock, self.known, self.given = threading.Lock(), {}, []

    def submit(self, function, /, *arguments):
        with self.lock:
            key = pickle.dumps([function, *map(self.content, arguments)])
            if key not in self.known:
                self.known[key] = self.pool.submit(self.call, function, *arguments)
        return self.known[key]

    def content(self, argument):
        return [getattr(argument, one.name) for one in fields(argument) if one.name != "number"]

    def call(self, function, *arguments):
        result = function(*arguments)
        with self.lock:
            self.given.append((result, pickle.dumps(result)))
        return result

    def unchanged(self):
        """Whether all results are what they were when they were handed out."""
        return all(pickle.dumps(result) == before for result, before in self.given)


class Meeting:
    """Passes calls on; when several callers have each asked for a number of calls, and not before, they go on."""

    def __init__(self, executor, calls, callers):
        self.executor, self.calls = executor, calls
        self.everybody, self.asked = threading.Barrier(callers), threading.local()

    def submit(self, function, /, *arguments):
        future = self.executor.submit(function, *arguments)
        self.asked.calls = getattr(self.asked, "calls", 0) + 1
        if self.asked.calls == self.calls:
            self.everybody.wait()
        return future


def read_only(result):
    """The same arrays, which nobody may write to."""
    return tuple(np.frombuffer(one.tobytes()).reshape(one.shape) for one in result)
