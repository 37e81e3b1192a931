"""Ctrl-C and SIGTERM between steps: the first is held back, a second is not, handlers of others stay."""

import os
import signal
import threading

import pytest

from causal_theory.training.interrupts import DeferredInterrupt, Terminated

pytestmark = pytest.mark.compiled


@pytest.fixture
def provided():
    """The handlers that a program starts with; a shell that runs the tests in the background has them ignore Ctrl-C."""
    before = {
        number: signal.signal(number, handler)
        for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL))
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def handlers():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)


SIGNALS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_a_second_interrupt_is_not_held_back(provided, number, error):
    with pytest.raises(error), DeferredInterrupt() as interrupt:  # noqa: PT012
        os.kill(os.getpid(), number)
        assert interrupt.pending
        os.kill(os.getpid(), number)
        raise AssertionError
    assert handlers() == (signal.default_int_handler, signal.SIG_DFL)


def test_ctrl_c_at_the_end_is_forgotten_and_sigterm_is_not(provided):
    with DeferredInterrupt():
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(Terminated) as caught, DeferredInterrupt():
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.code == 143
    assert handlers() == (signal.default_int_handler, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_foreign_handlers_are_left_alone(provided, number, error):
    def own(number, frame):
        """Do nothing."""

    for handler in (signal.SIG_IGN, own):
        signal.signal(number, handler)
        with DeferredInterrupt() as interrupt:
            assert signal.getsignal(number) is handler
            os.kill(os.getpid(), number)
            assert not interrupt.pending
        assert signal.getsignal(number) is handler


def test_handlers_that_somebody_sets_meanwhile_stay(provided):
    with DeferredInterrupt():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert handlers() == (signal.default_int_handler, signal.SIG_IGN)


def test_other_threads_change_no_handlers(provided):
    seen = []

    def look():
        with DeferredInterrupt():
            seen.append(handlers())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(signal.default_int_handler, signal.SIG_DFL)]
