"""Interrupts at any moment: every Future resolves, the exception is seen once, and nothing hangs.

By hand, with many rounds: ``python tests/futures/interrupting.py [rounds] [seed]`` prints what went wrong.

Two ways to strike. *At an instruction*: the main thread is traced, and before its n-th instruction the handler is
called with the frame that is about to go on, as the interpreter calls it. *By a timer*: a real SIGUSR1 or SIGALRM.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import concurrent.futures
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from fedfutures import Executor, futures, shared
from fedfutures.program import safe_points

WAIT_SECONDS = 10.0
HERE = __file__
STRIKES_HERE = frozenset({"__reduce__", "stream", "called_back"})
"""Functions of this file in which the handler may be called: those that the package calls."""


class Interrupted(Exception):
    """What the handler raises; an ordinary exception, as time-outs are."""


def echo(value: Any) -> Any:
    """The function of all calls."""
    return value


def fail(value: Any) -> Any:
    """Another one."""
    raise ValueError(value)


class Awkward:
    """Is pickled by code of the program."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __reduce__(self) -> Any:
        parts = [self.value]
        return Awkward, (parts[0],)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Awkward) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]


class Striker:
    """Calls the handler of a signal at the n-th instruction of the main thread, in our own code or what that calls."""

    def __init__(self, at: int | None) -> None:
        self.at, self.count = at, 0
        self.where = ""

    def __enter__(self) -> Striker:
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not _is_struck(frame):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._at_instruction

    def _at_instruction(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event != "opcode" or self.where:
            return self._at_instruction
        if frame.f_code is safe_points.call.__code__:  # between the look and the call there is no check of the real one
            return self._at_instruction
        self.count += 1
        if self.at is not None and self.count > self.at:
            sys.settrace(None)
            self.where = f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name} +{frame.f_lasti}"
            _signal.getsignal(signal.SIGUSR1)(signal.SIGUSR1, frame)
        return self._at_instruction


def _is_struck(frame: FrameType | None) -> bool:
    """Whether this is our own code, the standard library's about Futures, or called by one of these."""
    if frame is not None and frame.f_code.co_filename == HERE and frame.f_code.co_name not in STRIKES_HERE:
        return False
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(("fedfutures.", "concurrent.futures.")):
            return True
        frame = frame.f_back
    return False


class Round:
    """One action, and what is known of its Futures."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.expected: list[tuple[Any, Any]] = []
        self.to_call = 0
        self.called = 0

    def submit(self, value: Any) -> Any:
        """Submit a call whose Future is looked at in the end."""
        future = self.executor.submit(echo, value)
        self.expected.append((future, value))
        return future

    def called_back(self, future: Any) -> None:
        """A callback."""
        self.called += 1

    def on_done(self, future: Any) -> None:
        """Add the callback; count it when it was added for sure."""
        future.add_done_callback(self.called_back)
        self.to_call += 1


def submits(now: Round) -> None:
    for value in range(6):
        now.submit(value)


def results(now: Round) -> None:
    for future in [now.submit(value) for value in range(3)]:
        future.result()
    assert isinstance(now.executor.submit(fail, 1).exception(), ValueError)


def objects(now: Round) -> None:
    assert now.submit(Awkward(3)).result() == Awkward(3)


def stream() -> Iterator[int]:
    yield from range(12)


def maps(now: Round) -> None:
    assert list(now.executor.map(echo, range(20))) == list(range(20))
    assert list(now.executor.map(echo, stream())) == list(range(12))


def maps_as_they_come(now: Round) -> None:
    with now.executor.group("all") as group:
        assert list(group.map(echo, [5, 6])) == [5, 6]
        group.submit(echo, 1)


def waits(now: Round) -> None:
    futures.wait([now.submit(value) for value in range(4)])
    concurrent.futures.wait([now.submit(value) for value in range(4)])


def completions(now: Round) -> None:
    assert sorted(future.result() for future in futures.as_completed([now.submit(value) for value in range(4)])) == [
        0, 1, 2, 3,
    ]  # fmt: skip


def callbacks(now: Round) -> None:
    for value in range(4):
        now.on_done(now.submit(value))
    now.submit(7).result()


def cancels(now: Round) -> None:
    future = now.executor.submit(echo, 1)
    if not future.cancel():
        assert future.result() == 1
    now.submit(2)


def shares(now: Round) -> None:
    shared.set(of_interrupts=now.called)
    now.submit(2).result()


def waits_while_another_thread_drives(now: Round) -> None:
    other = now.executor.submit(time.sleep, 0.01)
    _thread.start_new_thread(other.result, ())  # Thread.start() and join() are hurt by interrupts themselves
    time.sleep(0.001)
    now.submit(1).result()
    other.result()


ACTIONS: tuple[Callable[[Round], None], ...] = (
    submits, results, objects, maps, maps_as_they_come, waits, completions, callbacks, cancels, shares,
    waits_while_another_thread_drives,
)  # fmt: skip


class Battery:
    """Runs rounds at one Executor, and collects what went wrong."""

    def __init__(self, executor: Executor, seed: int = 1) -> None:
        self.executor = executor
        self.dice = random.Random(seed)
        self.wrong: list[str] = []
        self.struck = self.raised = 0
        self.armed = False
        self.error: type[BaseException] = Interrupted
        for number in (signal.SIGUSR1, signal.SIGALRM):
            signal.signal(number, self._strike)
        for action in ACTIONS:  # what is loaded at first use is loaded
            action(Round(executor))

    def _strike(self, number: int, frame: FrameType | None) -> None:
        if self.armed:
            self.armed = False
            self.raised += 1
            raise self.error("struck")

    def at_instructions(self, action: Callable[[Round], None], rounds: int) -> None:
        """Strike at so many instructions of an action, spread over all of it."""
        with Striker(None) as counter:
            action(Round(self.executor))
        for index in range(rounds):
            if self.wrong:
                return
            at = int((index + self.dice.random()) * counter.count / rounds)
            striker = Striker(at)

            def struck(now: Round, striker: Striker = striker) -> None:
                with striker:
                    action(now)

            self._round(struck, action.__name__, lambda striker=striker: bool(striker.where), lambda s=striker: s.where)

    def by_timer(self, action: Callable[[Round], None], rounds: int) -> None:
        """Strike so many times by a timer, within the time that the action takes."""
        began = time.perf_counter()
        action(Round(self.executor))
        seconds = time.perf_counter() - began
        for _ in range(rounds):
            if self.wrong:
                return
            delay = max(1e-6, self.dice.uniform(0, seconds))

            def struck(now: Round, delay: float = delay) -> None:
                signal.setitimer(signal.ITIMER_REAL, delay)
                action(now)

            self._round(struck, action.__name__, lambda: True, lambda delay=delay: f"after {delay:.6f} s")

    def _round(
        self, action: Callable[[Round], None], name: str, has_struck: Callable[[], bool], where: Callable[[], str]
    ) -> None:
        now, seen = Round(self.executor), 0
        self.error = self.dice.choice((Interrupted, KeyboardInterrupt))
        self.raised, self.armed = 0, True
        try:
            try:
                action(now)
                end = time.monotonic() + WAIT_SECONDS
                while has_struck() and not self.raised and time.monotonic() < end:
                    time.sleep(0.0005)
            finally:
                sys.settrace(None)
        except (Interrupted, KeyboardInterrupt):
            seen = 1
        except BaseException as error:
            self.wrong.append(f"{name}, struck {where()}: {error!r} instead of the interrupt")
            seen = self.raised
        struck, self.armed = has_struck(), False
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.struck += struck
        problems = self._problems(now, seen, int(struck))
        self.wrong += [f"{name}, struck {where()}: {problem}" for problem in problems]

    def _problems(self, now: Round, seen: int, struck: int) -> list[str]:
        found = [] if seen == self.raised == struck else [f"raised {self.raised} times, seen {seen}, of {struck}"]
        for future, expected in now.expected:
            try:
                if future.result(WAIT_SECONDS) != expected:
                    found.append("a wrong value")
            except BaseException as error:
                found.append(f"a Future has {error!r}")
        end = time.monotonic() + WAIT_SECONDS
        while now.called < now.to_call - 1 and time.monotonic() < end:  # the struck one may not have come to its count
            time.sleep(0.001)
        if now.called < now.to_call - 1:
            found.append(f"{now.called} of {now.to_call} callbacks were called")
        return found

    def serves(self) -> None:
        """See that the Executor goes on serving."""
        values = [future.result(WAIT_SECONDS) for future in [self.executor.submit(echo, value) for value in range(50)]]
        if values != list(range(50)) or list(self.executor.map(echo, range(500))) != list(range(500)):
            self.wrong.append("the Executor gives wrong values afterwards")


def run(rounds: int, seed: int = 1, actions: tuple[Callable[[Round], None], ...] = ACTIONS) -> Battery:
    """Run all actions, each so many rounds in each way."""
    with Executor(max_workers=2) as executor:
        battery = Battery(executor, seed)
        for action in actions:
            battery.at_instructions(action, rounds)
            battery.by_timer(action, rounds)
            battery.serves()
            if battery.wrong:  # each may have cost some waiting
                break
    return battery


if __name__ == "__main__":
    began = time.monotonic()
    done = run(int(sys.argv[1]) if len(sys.argv) > 1 else 100, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print("\n".join(done.wrong))
    print(f"{done.struck} interrupts, {len(done.wrong)} problems, {time.monotonic() - began:.0f} s")
    raise SystemExit(bool(done.wrong))
