"""Handlers of signals run at once in code of the program, and a little later where they would hurt a step of ours."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fedfutures.program import postponing

NUMBER = signal.SIGUSR1
WAIT_SECONDS = 10.0


class Interrupt(Exception):
    """What a handler raises."""


class Node:
    """A node of the program: its lock, and how often it was woken."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def function_of(module: str) -> Callable[..., Any]:
    """Return a function of an imagined module that calls what it is given, in turn."""
    names: dict[str, Any] = {"__name__": module}
    exec("def step(*calls):\n    for call in calls:\n        call()", names)
    step: Callable[..., Any] = names["step"]
    return step


OURS = function_of("fedfutures.imagined")
"""A step of ours: no handler may run inside it."""


def strike() -> None:
    """Raise the signal from C code, so that the frame it interrupts is the caller's."""
    signal.raise_signal(NUMBER)


@pytest.fixture
def seen() -> Iterator[list[int]]:
    """The signals that the program's handler has got."""
    found: list[int] = []
    before = signal.getsignal(NUMBER)
    postponing.install()
    signal.signal(NUMBER, lambda number, frame: found.append(number))
    yield found
    signal.signal(NUMBER, before)
    assert not postponing.pending.due


def test_a_handler_runs_at_once_in_code_of_the_program(seen: list[int]) -> None:
    strike()
    assert seen == [NUMBER]


def test_a_handler_waits_for_the_end_of_a_step_of_ours(seen: list[int]) -> None:
    during: list[list[int]] = []
    OURS(strike, strike, lambda: during.append(seen.copy()), postponing.deliver)
    assert during == [[]]
    assert seen == [NUMBER]  # two signals that wait are one, as the system has it


def test_a_handler_that_nobody_delivers_runs_when_our_code_is_left(seen: list[int]) -> None:
    OURS(strike)
    end = time.monotonic() + WAIT_SECONDS
    while not seen and time.monotonic() < end:
        time.sleep(0.001)
    assert seen == [NUMBER]


def test_only_the_main_thread_delivers(seen: list[int]) -> None:
    during: list[list[int]] = []

    def deliver_elsewhere() -> None:
        thread = threading.Thread(target=postponing.deliver)
        thread.start()
        thread.join()
        during.append(seen.copy())

    OURS(strike, deliver_elsewhere, postponing.deliver)
    assert during == [[]]
    assert seen == [NUMBER]


def test_a_handler_waits_while_the_main_thread_holds_the_lock_of_a_node(seen: list[int]) -> None:
    node = Node()
    postponing.begin(node)
    try:
        with node.lock:
            strike()
            assert not seen
            assert postponing.pending.due
        postponing.deliver()
        assert seen == [NUMBER]
        assert node.woken == 1  # the main thread may wait for what the handler has taken in
    finally:
        postponing.end(node)
    with node.lock:  # the node is closed: its lock hinders nobody
        strike()
        assert seen == [NUMBER, NUMBER]


# -- marks of modules and functions ----------------------------------------------------------------------------------


def at_once(seen: list[int], step: Callable[..., Any], *calls: Callable[[], object]) -> bool:
    """Run a step that is struck in one of its calls; return whether the handler ran there."""
    during: list[int] = []
    OURS(functools.partial(step, *calls, functools.partial(during.extend, seen)), postponing.deliver)
    assert seen == [NUMBER]
    return during == [NUMBER]


def test_a_module_that_calls_the_program_is_interrupted_in_what_it_calls(seen: list[int]) -> None:
    postponing.calls_program("fedfutures.imagined_caller")
    assert at_once(seen, function_of("fedfutures.imagined_caller"), strike)


def test_any_other_module_is_not_interrupted_in_what_it_calls(seen: list[int]) -> None:
    assert not at_once(seen, function_of("fedfutures.imagined_other"), strike)


def test_a_module_that_pickles_is_interrupted_in_code_of_the_program_only(seen: list[int]) -> None:
    postponing.pickles_for_program("fedfutures.imagined_pickler")
    step = function_of("fedfutures.imagined_pickler")
    assert at_once(seen, step, strike)
    seen.clear()
    library = compile("import signal\nsignal.raise_signal(signal.SIGUSR1)", os.__file__, "exec")
    assert not at_once(seen, step, functools.partial(exec, library, {"__name__": "library"}))


def test_what_is_marked_as_uninterrupted_is_not_left_whatever_it_calls(seen: list[int]) -> None:
    postponing.calls_program("fedfutures.imagined_caller")
    during: list[int] = []

    @postponing.uninterrupted
    def close() -> None:
        strike()
        postponing.deliver()
        during.extend(seen)

    function_of("fedfutures.imagined_caller")(close)
    postponing.deliver()
    assert during == []
    assert seen == [NUMBER]


@pytest.mark.parametrize("module", ["weakref", "_weakrefset"])
def test_a_handler_waits_where_python_would_throw_its_exception_away(seen: list[int], module: str) -> None:
    during: list[int] = []
    names: dict[str, Any] = {"__name__": module, "strike": signal.raise_signal, "seen": seen, "during": during}
    exec("def callback(number):\n    strike(number)\n    during.extend(seen)", names)
    names["callback"](NUMBER)
    postponing.deliver()
    assert during == []
    assert seen == [NUMBER]


# -- exceptions --------------------------------------------------------------------------------------------------------


def interrupt(number: int, frame: Any) -> None:
    """A handler."""
    raise Interrupt


def test_what_a_handler_raises_is_known_by_that(seen: list[int]) -> None:
    signal.signal(NUMBER, interrupt)
    with pytest.raises(Interrupt) as caught:
        OURS(strike, postponing.deliver)
    assert postponing.is_by_signal(caught.value)
    assert not postponing.is_by_signal(Interrupt())


def test_the_traceback_of_a_handler_that_has_waited_is_the_programs(seen: list[int]) -> None:
    signal.signal(NUMBER, interrupt)
    with pytest.raises(Interrupt) as caught:
        OURS(strike, postponing.deliver)
    below = caught.value.__traceback__
    assert below is not None
    error = postponing.shortened(caught.value.with_traceback(below.tb_next))  # as a step of ours catches it
    assert [entry.name for entry in traceback.extract_tb(error.__traceback__)] == ["interrupt"]


def test_the_traceback_of_any_other_error_stays_whole() -> None:
    def fail() -> None:
        raise Interrupt

    with pytest.raises(Interrupt) as caught:
        OURS(fail)
    whole = caught.value.__traceback__
    assert postponing.shortened(caught.value).__traceback__ is whole


def test_ctrl_c_in_code_of_the_program_shows_no_frame_of_ours(seen: list[int]) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    files = {entry.filename for entry in traceback.extract_tb(caught.value.__traceback__)}
    assert files == {__file__}


# -- signals that come again -------------------------------------------------------------------------------------------


def test_a_signal_that_comes_again_later_does_not_wait(seen: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postponing, "AGAIN_SECONDS", 0.0)
    tries: list[int] = []

    def strike_until_it_runs() -> None:
        while not seen and len(tries) < 10_000:  # one that falls together with a reminder does not count
            tries.append(0)
            strike()

    OURS(strike_until_it_runs)
    assert seen == [NUMBER]
    assert len(tries) > 1


def test_a_signal_waits_no_longer_than_our_patience(seen: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postponing, "PATIENCE_SECONDS", 0.01)
    began = time.monotonic()

    def be_busy() -> None:
        while not seen and time.monotonic() < began + WAIT_SECONDS:
            pass

    OURS(strike, be_busy)
    assert seen == [NUMBER]


def test_a_handler_that_waits_is_not_called_inside_itself(seen: list[int]) -> None:
    postponing.calls_program("fedfutures.imagined_caller")
    events: list[str] = []

    def handler(number: int, frame: Any) -> None:
        events.append("begins")
        if len(events) == 1:
            function_of("fedfutures.imagined_caller")(strike)
        events.append("ends")

    signal.signal(NUMBER, handler)
    strike()
    end = time.monotonic() + WAIT_SECONDS
    while len(events) < 4 and time.monotonic() < end:
        time.sleep(0.001)
    assert events == ["begins", "ends"] * 2


# -- what the program sees of it ---------------------------------------------------------------------------------------


def test_the_program_is_told_its_own_handlers(seen: list[int]) -> None:
    mine = signal.getsignal(NUMBER)
    assert signal.signal(NUMBER, interrupt) is mine
    assert signal.getsignal(NUMBER) is interrupt
    assert signal.signal(NUMBER, signal.SIG_IGN) is interrupt
    assert signal.getsignal(NUMBER) is signal.SIG_IGN
    assert signal.signal(NUMBER, mine) is signal.SIG_IGN


def test_a_handler_that_is_due_runs_before_it_is_replaced(seen: list[int]) -> None:
    others: list[int] = []
    OURS(strike, lambda: signal.signal(NUMBER, lambda number, frame: others.append(number)))
    assert (seen, others) == ([NUMBER], [])


def test_handlers_are_wrapped_once_and_in_the_main_thread_only(seen: list[int]) -> None:
    handler = signal.getsignal(NUMBER)
    thread = threading.Thread(target=postponing.install)
    thread.start()
    thread.join()
    postponing.install()
    strike()
    assert seen == [NUMBER]
    assert signal.getsignal(NUMBER) is handler


def test_a_process_that_the_program_forks_is_like_any_other(seen: list[int]) -> None:
    """What waits is the parent's, and the child's handlers run at once, whatever code they interrupt."""

    def fork() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # there is the thread that reminds
            pid = os.fork()
        if pid == 0:
            code = 1
            try:
                waits = postponing.pending.due or bool(postponing.pending.numbers or seen)
                OURS(strike)
                code = 0 if seen == [NUMBER] and not waits else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    OURS(strike, fork, postponing.deliver)
    assert seen == [NUMBER]
