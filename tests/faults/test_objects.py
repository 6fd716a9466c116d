"""Functions, arguments, results and exceptions that misbehave: each Future says so by name, and nothing else suffers.

The rows are those of the catalogue of faults: A1 to A11, A13, A14, A17 to A19.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from pickle import PicklingError
from typing import Any

import pytest
import tasks
from launching import eventually, python, write
from started import overheard

from fedfutures import Executor, errors

pytestmark = pytest.mark.host

SECONDS = 20.0
TIMES = 100
ROUND = 10
"""How many faults are under way at a time, each with an innocent Future beside it."""
TIMES_RECURSION = 20
TIMES_DEEP = 3
TIMES_HUGE = 2
TIMES_OUTPUT = 2
TIMES_PROGRAM = 2
TIMES_DYING = 8
HUGE_BYTES = 64 << 20
OUTPUT_BYTES = 64 << 20
TINY = 100_000
TRACEBACK_AT_MOST = 64 << 10


def repeat(shared: Any, submit: Callable[[int], Any], check: Callable[[int, Any], None], times: int = TIMES) -> None:
    """Submit faults, innocent Futures beside them; check each, and that the innocent ones are right."""
    for start in range(0, times, ROUND):
        numbers = range(start, min(times, start + ROUND))
        pairs = [(number, submit(number), shared.submit(tasks.square, number)) for number in numbers]
        for number, future, innocent in pairs:
            check(number, future)
            assert innocent.result(timeout=SECONDS) == number * number
    assert shared.lost == []
    assert shared.serves()


def failure(future: Any) -> BaseException:
    """Return the exception of a Future that must have one."""
    error = future.exception(timeout=SECONDS)
    assert error is not None, f"no exception: {future!r}"
    return error  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _no_worker_is_lost(shared: Any) -> None:
    """Each test counts the Workers that it lost itself."""
    shared.lost.clear()


# -- A1, A2: exceptions ------------------------------------------------------------------------------------------------


@pytest.mark.fault("A1")
def test_a1_an_exception_keeps_class_attributes_and_traceback(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert type(error) is tasks.TwoArguments
        assert (error.args, error.code, error.text, error.hint) == ((f"{number}: no",), number, "no", "try again")
        assert isinstance(error.__cause__, errors.RemoteTraceback)
        assert "raise_two_arguments" in str(error.__cause__)

    repeat(shared, lambda number: shared.submit(tasks.raise_two_arguments, number), check)


def test_a1_an_exception_made_from_nothing(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert type(error) is tasks.NoArguments
        assert (error.errno, error.strerror, error.filename) == (2, "not there", "a-file")
        assert (error.extra, str(error)) == ([1, 2], "extra [1, 2]")

    repeat(shared, lambda number: shared.submit(tasks.raise_no_arguments), check)


def test_a1_an_exception_with_its_own_reduce(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert type(error) is tasks.OwnReduce
        assert (error.args, error.second) == ((number,), number + 1)

    repeat(shared, lambda number: shared.submit(tasks.raise_own_reduce, number), check)


def test_a1_the_remote_traceback_shows_the_cause_that_the_exception_had(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert (type(error), error.args) == (ValueError, ("the effect",))
        assert "KeyError: 'the cause'" in str(error.__cause__)

    repeat(shared, lambda number: shared.submit(tasks.raise_chained), check)


@pytest.mark.fault("A2")
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (tasks.raise_reduce_raises, "tasks.ReduceRaises"),
        (tasks.raise_load_raises, "tasks.LoadRaises"),
        (tasks.raise_holds_lock, "tasks.HoldsLock"),
        (tasks.raise_unknown_class, "only_on_this_worker.Unknown"),
    ],
)
def test_a2_an_exception_that_cannot_travel(shared: Any, function: Callable[[], None], name: str) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert isinstance(error, errors.RemoteException)
        assert isinstance(error, ValueError)
        assert (error.type_name, error.text) == (name, "cannot travel")
        assert error.representation == f"{name.rpartition('.')[2]}('cannot travel')"
        assert "cannot travel" in str(error)
        assert function.__name__ in error.traceback_text
        assert function.__name__ in str(error.__cause__)

    repeat(shared, lambda number: shared.submit(function), check)


@pytest.mark.fault("A2")
def test_a2_an_exception_of_a_local_class(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert isinstance(error, ValueError)
        assert str(error) == "cannot travel"
        assert "Local" in (error.type_name if isinstance(error, errors.RemoteException) else type(error).__name__)
        assert "raise_local_class" in str(error.__cause__)

    repeat(shared, lambda number: shared.submit(tasks.raise_local_class), check)


# -- A3 to A6: arguments and results -----------------------------------------------------------------------------------


@pytest.mark.fault("A3")
def test_a3_an_argument_that_cannot_be_pickled_is_named_at_the_call(shared: Any) -> None:
    with socket.socket() as opened:
        for _ in range(TIMES):
            with pytest.raises(PicklingError, match=r"is given args\[0\]\.lock \(a _thread\.lock\), which cannot"):
                shared.submit(tasks.identity, tasks.Holder(lock=threading.Lock()))
            with pytest.raises(PicklingError, match=r"args\[1\]"):
                shared.submit(tasks.identity, 1, tasks.count_up())
            with pytest.raises(PicklingError, match=r"kwargs\['value'\]\[0\]"):
                shared.submit(tasks.identity, value=[opened])
            with pytest.raises(PicklingError, match=r"the lambda at .* uses 'opened' \(a socket\.socket\), which"):
                shared.submit(lambda: opened)
    assert shared.lost == []
    assert shared.serves()


def test_a3_in_a_map_too(shared: Any) -> None:
    for _ in range(TIMES):
        with pytest.raises(PicklingError, match=r"identity\(\) is given args\[0\] \(a _thread\.lock\), which cannot"):
            list(shared.map(tasks.identity, [threading.Lock()]))
    assert shared.serves()


@pytest.mark.fault("A4")
def test_a4_a_result_that_cannot_be_pickled(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert isinstance(error, errors.ResultNotPicklable)
        assert isinstance(error, PicklingError)
        assert "make_lock() returned a dict with result['result'][0].lock" in str(error)

    repeat(shared, lambda number: shared.submit(tasks.make_lock), check)


@pytest.mark.fault("A5")
def test_a5_a_result_that_raises_when_loaded(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        assert (type(failure(future)), str(failure(future))) == (RuntimeError, "on purpose")

    repeat(shared, lambda number: shared.submit(tasks.returns, tasks.AtLoad, tasks.fail), check)


def test_a5_a_result_that_exits_when_loaded(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert (type(error), error.args) == (SystemExit, (3,))

    repeat(shared, lambda number: shared.submit(tasks.returns, tasks.AtLoad, tasks.leave), check)


@pytest.mark.fault("A6")
@pytest.mark.parametrize(("act", "cause"), [(tasks.fail, RuntimeError), (tasks.leave, SystemExit)])
def test_a6_an_argument_that_raises_or_exits_when_loaded(
    shared: Any, act: Callable[[], None], cause: type[BaseException]
) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert isinstance(error, errors.ArgumentLoadError)
        assert cause.__name__ in str(error)
        assert act.__name__ in str(error.__cause__)

    repeat(shared, lambda number: shared.submit(tasks.identity, tasks.AtLoad(act)), check)


def test_a6_an_argument_that_cannot_be_pickled_because_it_raises_or_exits(shared: Any) -> None:
    for _ in range(TIMES):
        with pytest.raises(PicklingError, match="on purpose"):
            shared.submit(tasks.identity, tasks.AtPickle(tasks.fail))
        with pytest.raises((PicklingError, SystemExit)):
            shared.submit(tasks.identity, tasks.AtPickle(tasks.leave))
    assert shared.serves()


def test_a6_a_result_that_raises_or_exits_when_pickled(shared: Any) -> None:
    def check_raises(number: int, future: Any) -> None:
        assert isinstance(failure(future), errors.ResultNotPicklable)
        assert "on purpose" in str(failure(future))

    def check_exits(number: int, future: Any) -> None:
        assert isinstance(failure(future), (errors.ResultNotPicklable, SystemExit))

    repeat(shared, lambda number: shared.submit(tasks.returns, tasks.AtPickle, tasks.fail), check_raises)
    repeat(shared, lambda number: shared.submit(tasks.returns, tasks.AtPickle, tasks.leave), check_exits)


# -- A7: which code runs -----------------------------------------------------------------------------------------------


@pytest.mark.fault("A7")
def test_a7_lambdas_closures_and_nested_classes(shared: Any) -> None:
    class Nested:
        class Inner:
            def __init__(self, number: int) -> None:
                self.number = number

            def __call__(self, more: int) -> int:
                return self.number + more

    def plus(number: int) -> Callable[[int], int]:
        return lambda more: number + more

    def check(number: int, future: Any) -> None:
        assert future.result(timeout=SECONDS) == number + 1

    repeat(shared, lambda number: shared.submit(lambda: number + 1), check)
    repeat(shared, lambda number: shared.submit(plus(number), 1), check)
    repeat(shared, lambda number: shared.submit(Nested.Inner(number), 1), check)
    kept = plus(3)
    repeat(shared, lambda number: shared.submit(kept, number - 2), check)


def test_a7_a_closure_that_changes_between_submits(shared: Any) -> None:
    seen: list[int] = []
    count = 0

    def known() -> tuple[int, int]:
        return len(seen), count

    futures = []
    for number in range(TIMES):
        futures.append(shared.submit(known))
        seen.append(number)
        count += 1
    assert [future.result(timeout=SECONDS) for future in futures] == [(number, number) for number in range(TIMES)]


@pytest.mark.fault("A7")
def test_a7_a_function_redefined_between_submits(shared: Any) -> None:
    before = tasks.changing
    futures = [shared.submit(tasks.changing)]
    try:
        for number in range(1, TIMES):
            exec(f"def changing():\n    return {number}", vars(tasks))
            futures.append(shared.submit(tasks.changing))
    finally:
        tasks.changing = before
    futures.append(shared.submit(tasks.changing))
    assert [future.result(timeout=SECONDS) for future in futures] == [*range(TIMES), 0]


MAIN = """
    from fedfutures import Executor

    class Point:
        def __init__(self, x): self.x = x

    def shift(point): return Point(point.x + 1)

    def twice(number): return 2 * number

    def main():
        global twice
        with Executor(max_workers=2) as executor:
            first = executor.submit(twice, 5)
            def twice(number): return 200 * number
            second = executor.submit(twice, 5)
            moved = executor.submit(shift, Point(1)).result(20)
            assert type(moved) is Point, type(moved)
            print(first.result(20), second.result(20), moved.x)

"""


@pytest.mark.parametrize("start", ["if __name__ == '__main__': main()", "main()"], ids=["guarded", "not guarded"])
def test_a7_what_main_defines(tmp_path: Path, start: str) -> None:
    program = write(tmp_path / "prog.py", MAIN)
    program.write_text(program.read_text() + start + "\n")
    for _ in range(TIMES_PROGRAM):
        ended = python(str(program), cwd=tmp_path)
        assert (ended.out, ended.err, ended.code) == ("10 1000 2\n", "", 0)


# -- A8 to A10: what a function may raise ------------------------------------------------------------------------------


@pytest.mark.fault("A8")
@pytest.mark.parametrize(
    "error",
    [BaseException("b", 1), KeyboardInterrupt("k"), GeneratorExit("g"), asyncio.CancelledError("c"), StopIteration(1)],
    ids=lambda error: type(error).__name__,
)
def test_a8_exceptions_that_are_no_errors(shared: Any, error: BaseException) -> None:
    def check(number: int, future: Any) -> None:
        found = failure(future)
        assert (type(found), found.args) == (type(error), error.args)

    repeat(shared, lambda number: shared.submit(tasks.raise_now, error), check)


@pytest.mark.fault("A8")
@pytest.mark.skipif(sys.version_info < (3, 11), reason="ExceptionGroup came with Python 3.11")
def test_a8_an_exception_group(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        found: Any = failure(future)
        assert (type(found).__name__, found.message) == ("ExceptionGroup", "several")
        assert [type(part) for part in found.exceptions] == [ValueError, tasks.TwoArguments]
        assert (found.exceptions[1].code, found.exceptions[1].hint) == (2, "h")

    repeat(shared, lambda number: shared.submit(tasks.raise_group), check)


@pytest.mark.fault("A9")
@pytest.mark.parametrize("code", [0, 3, None, "a text"])
def test_a9_sys_exit(shared: Any, code: Any) -> None:
    def check(number: int, future: Any) -> None:
        error: Any = failure(future)
        assert (type(error), error.code) == (SystemExit, code)

    repeat(shared, lambda number: shared.submit(tasks.exit_with, code), check)


@pytest.mark.fault("A10")
def test_a10_unbounded_recursion(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert type(error) is RecursionError
        assert "recurse_for_ever" in str(error.__cause__)
        assert len(str(error.__cause__)) <= TRACEBACK_AT_MOST

    repeat(shared, lambda number: shared.submit(tasks.recurse_for_ever, 0), check, TIMES_RECURSION)


@pytest.mark.fault("A10")
@pytest.mark.skipif(sys.version_info < (3, 11), reason="before Python 3.11 each call takes stack of the process")
def test_a10_a_traceback_of_a_hundred_thousand_frames(shared: Any) -> None:
    for _ in range(TIMES_DEEP):
        error = failure(shared.submit(tasks.recurse_deeply, 100_000))
        assert (type(error), error.args) == (ValueError, ("at the bottom",))
        assert "at the bottom" in str(error.__cause__)
        assert len(str(error.__cause__)) <= TRACEBACK_AT_MOST
    assert shared.lost == []
    assert shared.serves()


def test_a10_a_traceback_with_a_long_text_is_shortened(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        error = failure(future)
        assert len(error.args[0]) == 1 << 20
        assert len(str(error.__cause__)) <= TRACEBACK_AT_MOST
        assert "shortened" in str(error.__cause__)

    repeat(shared, lambda number: shared.submit(tasks.raise_long_text, 1 << 20), check, TIMES_RECURSION)


# -- A11, A13: size ----------------------------------------------------------------------------------------------------


def segments(shared: Any) -> list[str]:
    """Return the names of the segments in use; the others are kept for who writes next."""
    return [name for name in os.listdir(shared.facts["shared"]) if not name.startswith("free-")]


def resident_bytes(line: str) -> int:
    """Return ``VmHWM`` or ``VmRSS`` of this process."""
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith(line):
            return int(text.split()[1]) << 10
    raise AssertionError(line)


@pytest.mark.fault("A11")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a11_a_huge_result(shared: Any) -> None:
    for _ in range(TIMES_HUGE):
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = resident_bytes("VmRSS")
        result = shared.submit(tasks.make_bytes, HUGE_BYTES).result(timeout=SECONDS)
        peak = resident_bytes("VmHWM") - before
        assert len(result) == HUGE_BYTES
        assert (result[0], result[-1]) == (7, 7)
        assert peak <= 2.2 * HUGE_BYTES, f"{peak / HUGE_BYTES:.2f} times the result"
        del result
    assert segments(shared) == []
    assert shared.serves()


@pytest.mark.fault("A11")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a11_a_huge_argument(shared: Any) -> None:
    for _ in range(TIMES_HUGE):
        argument = [bytes(HUGE_BYTES)]
        Path("/proc/self/clear_refs").write_text("5")
        before = resident_bytes("VmRSS")
        assert shared.submit(tasks.length, argument).result(timeout=SECONDS) == 1
        peak = resident_bytes("VmHWM") - before
        assert peak <= 2.2 * HUGE_BYTES, f"{peak / HUGE_BYTES:.2f} times the argument"
    assert eventually(lambda: segments(shared) == [], 2.0)
    assert shared.serves()


@pytest.mark.parametrize(
    ("function", "argument"),
    [(tasks.length, bytes(HUGE_BYTES)), (tasks.length, "x" * HUGE_BYTES), ("x".__mul__, HUGE_BYTES)],
    ids=["bytes argument", "str argument", "str result"],
)
def test_a11_huge_plain_values(function: Callable[[Any], Any], argument: Any) -> None:
    executor, handle = overheard(max_workers=1)
    try:
        assert executor.submit(tasks.square, 2).result(timeout=SECONDS) == 4
        result = executor.submit(function, argument).result(timeout=2.0)
        assert HUGE_BYTES in (result, len(str(result)))
    finally:
        handle.end()
        executor.shutdown()


def test_a11_a_huge_exception(shared: Any) -> None:
    for _ in range(TIMES_HUGE):
        error = failure(shared.submit(tasks.raise_long_text, HUGE_BYTES + 1))
        assert (type(error), len(error.args[0])) == (ValueError, HUGE_BYTES + 1)
        del error
    assert eventually(lambda: segments(shared) == [], 2.0)
    assert shared.serves()


def test_a11_huge_arrays_both_ways(shared: Any) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(HUGE_BYTES // 8)
    for _ in range(TIMES_HUGE):
        result = shared.submit(tasks.negative, array).result(timeout=SECONDS)
        assert result.flags.writeable
        assert (result == -array).all()
        del result
    assert eventually(lambda: segments(shared) == [], 2.0)


@pytest.mark.fault("A11")
def test_a11_tiny_results(shared: Any) -> None:
    assert sum(shared.map(tasks.identity, range(TINY))) == TINY * (TINY - 1) // 2
    futures = [shared.submit(tasks.identity, number) for number in range(TINY // 10)]
    assert [future.result(timeout=SECONDS) for future in futures] == list(range(TINY // 10))


class Sink:
    """Stands in for a standard stream, and counts."""

    def __init__(self) -> None:
        self.size, self.longest = 0, 0

    def write(self, text: str) -> int:
        self.size += len(text)
        self.longest = max(self.longest, max(map(len, text.split("\n"))))
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.fault("A13")
@pytest.mark.parametrize("newlines", [True, False])
def test_a13_output_without_end(shared: Any, monkeypatch: pytest.MonkeyPatch, newlines: bool) -> None:
    """All of it arrives: the Worker waits while others are served, as any process does whose reader is slower."""
    sink = Sink()
    monkeypatch.setattr(sys, "stdout", sink)
    for _ in range(TIMES_OUTPUT):
        future = shared.submit(tasks.print_bytes, OUTPUT_BYTES, newlines=newlines)
        innocents = [shared.submit(tasks.square, number) for number in range(10)]
        assert [innocent.result(timeout=SECONDS) for innocent in innocents] == [number**2 for number in range(10)]
        assert future.result(timeout=SECONDS) == OUTPUT_BYTES
    shared.submit(os.write, 1, b"\nthe end\n").result(timeout=SECONDS)
    assert eventually(lambda: sink.size >= TIMES_OUTPUT * OUTPUT_BYTES, SECONDS), sink.size
    assert sink.longest <= 130 << 10
    assert shared.serves()


@pytest.mark.fault("A13")
def test_a13_one_that_never_stops_is_ended_by_its_time_limit(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sink := Sink())
    limited = shared.executor.options(time_limit=2.0).submit(tasks.print_bytes, 1 << 50, newlines=True)
    with pytest.raises(errors.TaskTimeout):
        limited.result(timeout=SECONDS)
    assert sink.size > 0
    assert shared.serves()


@pytest.mark.fault("A13")
def test_a13_output_that_is_no_text(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sink, other = Sink(), Sink()
    monkeypatch.setattr(sys, "stdout", sink)
    monkeypatch.setattr(sys, "stderr", other)
    repeat(
        shared,
        lambda number: shared.submit(tasks.print_binary, 4096),
        lambda number, future: _equal(future.result(timeout=SECONDS), 4096),
    )
    assert eventually(lambda: sink.size > TIMES * 4096 and other.size > TIMES, 2.0)


def _equal(found: object, wanted: object) -> None:
    assert found == wanted


# -- A14: what a Future leaves behind ----------------------------------------------------------------------------------


@pytest.mark.fault("A14")
def test_a14_what_a_future_changed_is_undone(shared: Any, tmp_path: Path) -> None:
    wanted = shared.submit(tasks.process_state).result(timeout=SECONDS)
    assert wanted[0] == os.getcwd()
    assert wanted[1:3] == (False, True)
    for _ in range(TIMES):
        changing = [shared.submit(tasks.leave_changes, str(tmp_path)) for _ in range(4)]
        after = [shared.submit(tasks.process_state) for _ in range(4)]
        assert all(future.result(timeout=SECONDS) for future in changing)
        assert [future.result(timeout=SECONDS) for future in after] == [wanted] * 4
    assert shared.lost == []


def test_a14_a_working_directory_that_is_removed(shared: Any, tmp_path: Path) -> None:
    def vanish(directory: str) -> None:
        os.mkdir(directory)
        os.chdir(directory)
        os.rmdir(directory)

    def check(number: int, future: Any) -> None:
        assert future.result(timeout=SECONDS) is None
        assert shared.submit(os.getcwd).result(timeout=SECONDS) == os.getcwd()

    repeat(shared, lambda number: shared.submit(vanish, str(tmp_path / f"gone-{number}")), check)


@pytest.mark.fault("A14")
def test_a14_closed_descriptors(shared: Any) -> None:
    repeat(
        shared,
        lambda number: shared.submit(tasks.close_descriptors),
        lambda number, future: _equal(future.result(timeout=SECONDS) > 0, True),
    )


def test_a14_descriptors_of_the_future_itself_can_be_closed(shared: Any) -> None:
    repeat(
        shared,
        lambda number: shared.submit(tasks.open_and_close, 20),
        lambda number, future: _equal(future.result(timeout=SECONDS), 60),
    )


def test_a14_threads_and_children_end_with_the_federation() -> None:
    with Executor(max_workers=2) as executor:
        workers = {executor.submit(tasks.leave_thread).result(timeout=SECONDS) for _ in range(5)}
        left = [executor.submit(tasks.leave_child).result(timeout=SECONDS) for _ in range(5)]
        left += [executor.submit(tasks.leave_daemon).result(timeout=SECONDS) for _ in range(5)]
        children = [child for _, child in left]
        assert all(alive(child) for child in children)
        assert executor.submit(tasks.square, 7).result(timeout=SECONDS) == 49
    assert eventually(lambda: not any(map(alive, [*children, *workers])), 2.0), [*filter(alive, children)]


@pytest.mark.fault("A14")
def test_a14_children_end_with_their_worker(tmp_path: Path) -> None:
    with Executor(max_workers=1) as executor:
        for number in range(3):
            worker, child = executor.submit(tasks.leave_child).result(timeout=SECONDS)
            end = executor.submit(tasks.die_once, tasks.kill_self, str(tmp_path / f"{number}"))
            assert end.result(timeout=SECONDS) == "ran"
            assert eventually(lambda: not alive(worker) and not alive(child), 2.0)  # noqa: B023


def alive(pid: int) -> bool:
    """Whether a process is there, and not only its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# -- A17 to A19: Futures among themselves ------------------------------------------------------------------------------


@pytest.mark.fault("A17")
def test_a17_deeper_than_there_are_workers(shared: Any) -> None:
    def check(number: int, future: Any) -> None:
        assert future.result(timeout=SECONDS) == 4 + number % 30

    repeat(shared, lambda number: shared.submit(tasks.nest, 4 + number % 30), check)


def test_a17_wider_than_there_are_workers(shared: Any) -> None:
    for _ in range(TIMES // 5):
        assert shared.submit(tasks.nest_wide, 4, 3).result(timeout=SECONDS) == 81


def test_a17_an_executor_in_a_future(shared: Any) -> None:
    repeat(
        shared,
        lambda number: shared.submit(tasks.nest_in_executor, 4),
        lambda number, future: _equal(future.result(timeout=SECONDS), 4),
    )


@pytest.mark.fault("A18")
def test_a18_a_parent_whose_worker_dies_runs_again(shared: Any, tmp_path: Path) -> None:
    for number in range(TIMES_DYING):
        path = str(tmp_path / f"{number}")
        future = shared.submit(tasks.parent_that_dies, path)
        innocents = [shared.submit(tasks.square, n) for n in range(10)]
        assert future.result(timeout=SECONDS) == [200 + n for n in range(8)], "children of the attempt that lives"
        assert [innocent.result(timeout=SECONDS) for innocent in innocents] == [n**2 for n in range(10)]
        lines = tasks.noted(path)
        assert sum(line.startswith("parent") for line in lines) == 2
        assert sum(line.startswith("child:2") for line in lines) == 8
        again = next(place for place, line in enumerate(lines) if line.startswith("parent:2"))
        late = [line for line in lines[again:] if line.startswith("child:1")]
        assert len(late) <= 1, "what the dead attempt submitted, and nobody had started, must not run"
    assert shared.has_lost(*["signal SIGKILL"] * TIMES_DYING)
    assert shared.serves()


@pytest.mark.fault("A19")
def test_a19_a_callback_that_raises_or_exits(shared: Any, caplog: pytest.LogCaptureFixture) -> None:
    called: list[int] = []

    def check(number: int, future: Any) -> None:
        assert future.result(timeout=SECONDS) == number * number
        assert eventually(lambda: number in called, 2.0), "a callback after those that failed"

    def submit(number: int) -> Future[Any]:
        future = shared.submit(tasks.square_slowly if number % 10 == 0 else tasks.square, number)
        future.add_done_callback(lambda future: tasks.fail())
        future.add_done_callback(lambda future: sys.exit(3))
        future.add_done_callback(lambda future: called.append(number))
        return future  # type: ignore[no-any-return]

    with caplog.at_level(logging.ERROR, logger="fedfutures"):
        repeat(shared, submit, check)
        done = shared.submit(tasks.square, 3)
        assert done.result(timeout=SECONDS) == 9
        done.add_done_callback(lambda future: sys.exit(3))  # it is done: called at once
    logged = [record for record in caplog.records if "calling callback" in record.getMessage()]
    assert len(logged) == 2 * TIMES + 1
    assert sorted(called) == list(range(TIMES))


def test_a19_in_a_thread_that_waits_for_another(shared: Any) -> None:
    future = shared.submit(tasks.square_slowly, 5)
    future.add_done_callback(lambda future: sys.exit(3))
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(future.result(timeout=SECONDS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert results == [25] * 4
