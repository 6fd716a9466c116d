"""Interrupts at any moment: every Future resolves, the exception is seen once, and nothing hangs.

By hand, with many rounds: ``python tests/futures/interrupting.py [rounds] [seed] [action ...]`` prints what went wrong.

Two ways to strike. *At an instruction*: the main thread is traced, and before its n-th instruction the handler is
called with the frame that is about to go on, as the interpreter calls it. *By a timer*: a real SIGUSR1 or SIGALRM.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import concurrent.futures
import contextlib
import pickle
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from fedfutures import Executor, futures, shared
from fedfutures.futures.inputs import Input
from fedfutures.program import safe_points

WAIT_SECONDS = 10.0
HERE = __file__
STRIKES_HERE = frozenset(
    {"__reduce__", "__deepcopy__", "__getstate__", "stream", "refilled", "called_back", "through_subclass"}
)
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


class Refilled(Awkward):
    """Is copied by code of the program, too."""

    def __deepcopy__(self, memo: Any) -> Refilled:
        values = [self.value]
        return Refilled(values[0])

    def __reduce__(self) -> Any:
        parts = [self.value]
        return Refilled, (parts[0],)


class Lockbox:
    """Cannot travel, which is found out by code of the program."""

    def __init__(self) -> None:
        self.part = Awkward(1)
        self.lock = _thread.allocate_lock()

    def __getstate__(self) -> Any:
        parts = [self.part, self.lock]
        return {"part": parts[0], "lock": parts[1]}


class Awkwardly:
    """A variable of the program that is pickled by its code."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __reduce__(self) -> Any:
        parts = [self.value]
        return Awkwardly, (parts[0],)


SETTING = Awkwardly(0)


def read_setting(value: int) -> int:
    """Reads a variable of the program."""
    return SETTING.value + value


def sleep_at(value: int) -> int:
    """One item takes long among others that do not: its slice is cut."""
    if value % 400 == 37:
        time.sleep(0.06)
    return value


def draw(value: int) -> tuple[int, float]:
    """Draws random numbers of its own."""
    return value, futures.rng().random()


class Counting(Executor):
    """Sees each call."""

    calls = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Count, and submit."""

        def through_subclass() -> Any:
            self.calls += 1
            return Executor.submit(self, fn, *args, **kwargs)

        return through_subclass()


class Striker:
    """Calls the handler of a signal at the n-th instruction of the main thread, in our own code or what that calls."""

    def __init__(self, at: int | None, here: bool) -> None:
        self.at, self.count, self.here = at, 0, here
        self.where = ""

    def __enter__(self) -> Striker:
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not _is_struck(frame) or (self.here and frame.f_code.co_filename != HERE):
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
    """Whether this is our own code, the standard library's about Futures, or called by one of these.

    But not a lock that the standard library's own ``wait`` waits for: ``Condition.wait`` of :mod:`threading`, struck
    where it takes its lock again, raises RuntimeError instead of what struck it, whoever's Futures these are.
    """
    if frame is not None and frame.f_code.co_filename == HERE and frame.f_code.co_name not in STRIKES_HERE:
        return False
    is_lock = False
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name.startswith("fedfutures."):
            return True
        if name.startswith("concurrent.futures."):
            return not is_lock
        is_lock = is_lock or name == "threading"
        frame = frame.f_back
    return False


class Round:
    """One action, and what is known of its Futures."""

    subclass: Any = None  # an Executor that sees each call

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


def leaves_maps(now: Round) -> None:
    for value in now.executor.map(wait_a_little, range(30)):
        assert value == 0
        break
    for _ in now.executor.map(wait_a_little, stream(), unordered=True):
        break


def wait_a_little(value: int) -> int:
    """Long enough for its slice to be open when the map is left."""
    time.sleep(0.005)
    return value


def unread_maps(now: Round) -> None:
    now.executor.map(echo, range(30))
    now.executor.map(echo, stream(), unordered=True)


def refilled() -> Iterator[Any]:
    buffer, array, thing = [0], bytearray(8), Refilled(0)
    for value in range(12):
        buffer[0] = array[0] = thing.value = value
        yield buffer, array, thing


def refills(now: Round) -> None:
    assert list(now.executor.map(echo, refilled())) == [
        ([value], bytes([value]) + bytes(7), Refilled(value)) for value in range(12)
    ]


def reads_ahead(now: Round) -> None:
    source = Input((refilled(),))
    source.read_ahead(100, 10.0)
    [rows] = source.cut(100) or ([],)
    assert [row[2].value for row in rows] == list(range(12))


def variables(now: Round) -> None:
    global SETTING
    SETTING = Awkwardly(SETTING.value + 1)
    assert now.executor.submit(read_setting, 1).result() == SETTING.value + 1


def cannot_travel(now: Round) -> None:
    try:
        now.executor.submit(echo, [1, Lockbox()])
    except pickle.PicklingError as error:
        assert "args[0][1]" in str(error)  # noqa: PT017
    else:
        raise AssertionError("it has travelled")


def seeded_maps(now: Round) -> None:
    drawn = [list(now.executor.map(draw, source, seed=5)) for source in (range(12), stream())]
    assert drawn[0] == drawn[1]
    options = now.executor.options(seed=5, priority=1)
    assert options.submit(draw, 0).result() == drawn[0][0]


def unordered_maps(now: Round) -> None:
    assert sorted(now.executor.map(echo, stream(), unordered=True)) == list(range(12))
    assert sorted(now.executor.map(echo, range(40), unordered=True, chunksize=3)) == list(range(40))


def cut_maps(now: Round) -> None:
    assert list(now.executor.map(sleep_at, range(400))) == list(range(400))


def with_progress(now: Round) -> None:
    with contextlib.redirect_stderr(None):
        assert list(now.executor.map(echo, range(30), progress=True)) == list(range(30))
        assert list(now.executor.map(echo, stream(), progress=True)) == list(range(12))


def arrays(now: Round) -> None:
    big = bytearray(1 << 20)
    big[5] = 7
    assert now.submit(big).result() == big
    assert list(now.executor.map(len, [big, big, bytes(big)])) == [1 << 20] * 3


def overrides(now: Round) -> None:
    assert list(now.subclass.map(echo, stream())) == list(range(12))
    assert list(now.subclass.map(draw, range(3), seed=5)) == list(now.subclass.map(draw, iter(range(3)), seed=5))
    assert now.subclass.options(priority=2).submit(echo, 3).result() == 3


def mixed_waits(now: Round) -> None:
    other: Any = concurrent.futures.Future()
    threading.Timer(0.002, other.set_result, [1]).start()
    done, _ = futures.wait([now.submit(1), other])
    assert len(done) == 2
    assert len(list(futures.as_completed([now.submit(2), other]))) == 2


ACTIONS: tuple[Callable[[Round], None], ...] = (
    submits, results, objects, maps, maps_as_they_come, waits, completions, callbacks, cancels, shares,
    waits_while_another_thread_drives, leaves_maps, unread_maps, refills, reads_ahead, variables, cannot_travel,
    seeded_maps, unordered_maps, cut_maps, with_progress, arrays, overrides, mixed_waits,
)  # fmt: skip


class Battery:
    """Runs rounds at one Executor, and collects what went wrong."""

    def __init__(self, executor: Executor, seed: int, actions: tuple[Callable[[Round], None], ...]) -> None:
        self.executor = executor
        self.dice = random.Random(seed)
        self.wrong: list[str] = []
        self.struck = self.raised = 0
        self.armed = False
        self.error: type[BaseException] = Interrupted
        for number in (signal.SIGUSR1, signal.SIGALRM):
            signal.signal(number, self._strike)
        for action in actions:  # what is loaded at first use is loaded
            action(Round(executor))

    def _strike(self, number: int, frame: FrameType | None) -> None:
        if self.armed:
            self.armed = False
            self.raised += 1
            raise self.error("struck")

    def at_instructions(self, action: Callable[[Round], None], rounds: int, here: bool = False) -> None:
        """Strike at so many instructions of an action, spread over it; `here`: over what it calls in this file."""
        with Striker(None, here) as counter:
            action(Round(self.executor))
        for index in range(rounds if counter.count else 0):
            if self.wrong:
                return
            at = int((index + self.dice.random()) * counter.count / rounds)
            striker = Striker(at, here)

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
        self.error = self.dice.choice((Interrupted, KeyboardInterrupt, TimeoutError))
        self.raised, self.armed = 0, True
        try:
            try:
                action(now)
                end = time.monotonic() + WAIT_SECONDS
                while has_struck() and not self.raised and time.monotonic() < end:
                    time.sleep(0.0005)
            finally:
                sys.settrace(None)
        except BaseException as error:
            if type(error) is self.error and error.args == ("struck",):
                seen = 1
            else:
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
    with Executor(max_workers=2) as executor, Counting(max_workers=1) as Round.subclass:
        battery = Battery(executor, seed, actions)
        for action in actions:
            battery.at_instructions(action, rounds)
            battery.at_instructions(action, rounds, here=True)
            battery.by_timer(action, rounds)
            battery.serves()
            if battery.wrong:  # each may have cost some waiting
                break
    return battery


if __name__ == "__main__":
    began = time.monotonic()
    done = run(
        int(sys.argv[1]) if len(sys.argv) > 1 else 100,
        int(sys.argv[2]) if len(sys.argv) > 2 else 1,
        tuple(action for action in ACTIONS if action.__name__ in sys.argv[3:] or not sys.argv[3:]),
    )
    print("\n".join(done.wrong))
    print(f"{done.struck} interrupts, {len(done.wrong)} problems, {time.monotonic() - began:.0f} s")
    raise SystemExit(bool(done.wrong))
