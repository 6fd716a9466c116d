"""What a node sees of itself: the calls on its main thread's stack, with arguments, place and progress in a slice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures import Executor, futures
from fedfutures.node import events
from fedfutures.wire.codec import unpack_plain
from fedfutures.worker import current
from fedfutures.worker.future_fields import home_of
from fedfutures.worker.sights import Sights, is_of_program, place_of_main, stack_of_main

SECONDS = 20.0


def look() -> dict[str, Any]:
    """Return what the Worker that this runs in says of itself."""
    report: dict[str, Any] = current.node.sights.report("status")
    return report


def outer(number: int, password: str) -> dict[str, Any]:
    return look()


def nested(number: int) -> dict[str, Any]:
    return futures.submit(inner, number).result()


def inner(number: int) -> dict[str, Any]:
    return look()


def looks(number: int) -> dict[str, Any]:
    return look()


def waits(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_a_call_is_seen_with_its_arguments_and_its_place() -> None:
    with Executor(1) as executor:
        future = executor.submit(outer, 17, password="hidden")
        report = future.result()
    [call] = report["running"]
    assert (call["call"], call["function"]) == ("outer(number=17, password=...)", "outer")
    assert (call["file"], call["inside"]) == (__file__, "look")
    assert call["attempt"] == 1
    assert 0.0 <= call["seconds"] < SECONDS
    assert (report["role"], report["suspended"], report["queued"]) == ("worker", 0, 0)
    assert "hidden" not in repr(report)


def test_a_call_inside_of_another_comes_behind_it() -> None:
    with Executor(1) as executor:
        report = executor.submit(nested, 3).result()
    assert [call["call"] for call in report["running"]] == ["nested(number=3)", "inner(number=3)"]


def test_of_a_slice_the_item_is_seen_that_runs() -> None:
    with Executor(1) as executor:
        reports = list(executor.map(looks, range(40), chunksize=20))
    calls = [report["running"][0] for report in reports]
    assert [call["slice"] for call in calls] == [20] * 40
    reports = []
    with Executor(1) as executor:
        reports = [report["running"][0] for report in executor.map(looks, range(400))]
    cut = [call for call in reports if "items" in call]
    assert cut
    assert {call["call"] for call in cut} <= {f"looks(number={number})" for number in range(400)}
    for number, call in enumerate(reports):
        if "items" in call:
            assert call["call"] == f"looks(number={number})"


def test_what_waits_here_is_counted() -> None:
    with Executor(1) as executor:
        several = [executor.submit(waits, 0.0) for _ in range(5)]
        assert [future.result() for future in several] == [0.0] * 5
        found = executor.submit(look).result()
    assert found["suspended"] == 0


class Bench:
    """A driver as far as this part uses it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.closed = False
        self.said: list[Any] = []
        self.handlers: dict[type, Callable[[Any], None]] = {}

    def handle(self, action: type, handler: Callable[[Any], None]) -> None:
        self.handlers[action] = handler

    def step(self, event: Any) -> None:
        self.said.append(event)

    def flush(self) -> None:
        self.said.append("sent")

    def wake(self) -> None:
        taken = threading.Thread(target=lambda: self.lock.acquire() and self.lock.release())
        taken.start()
        taken.join(SECONDS)
        self.said.append("others may go on" if not taken.is_alive() else "the lock is held")


def test_who_asks_is_answered_whatever_happens() -> None:
    bench: Any = Bench()
    sights = Sights(bench)
    sights.show("status", lambda asker: {"role": "worker"})
    sights.show("stack", lambda asker: 1 // 0)
    for number, subject in enumerate(("status", "stack", "other")):
        bench.handlers[events.Look](events.Look(number, subject))
    first, second, third = bench.said
    assert first == events.Looked(0, {"role": "worker"})
    assert "ZeroDivisionError" in second.report["problem"]
    assert third == events.Looked(2, {})


def test_between_two_futures_it_looks_a_moment_later_and_not_once_it_is_closed() -> None:
    bench: Any = Bench()
    sights = Sights(bench)
    sights.tell_later_from(threading.get_ident())
    sights.show("status", lambda asker: {"thread": threading.current_thread().name})
    bench.handlers[events.Look](events.Look(1, "status"))
    deadline = time.monotonic() + SECONDS
    while len(bench.said) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert bench.said == [events.Looked(1, {"thread": "fedfutures-sight"}), "sent", "others may go on"]
    bench.closed = True
    bench.handlers[events.Look](events.Look(2, "status"))
    for thread in threading.enumerate():
        if thread.name == "fedfutures-sight":
            thread.join(SECONDS)
    assert len(bench.said) == 3


def test_short_calls_are_seen_while_they_run() -> None:
    with Executor(1) as executor:
        several = [executor.submit(waits, 0.05) for _ in range(30)]
        several[0].result()
        node = next(origin for origin in current.origins if origin.submissions is home_of(several[0]))
        seen = []
        while not several[-1].done():
            answers, _ = node.submissions.ask("status", "", 0, 2.0)
            reports = [unpack_plain(report) for name, report in answers if report]
            seen += [call["call"] for report in reports if report.get("role") == "worker" for call in report["running"]]
    assert "waits(seconds=0.05)" in seen


def test_where_the_program_is() -> None:
    place = place_of_main()
    assert (place["file"], place["inside"]) == (__file__, "test_where_the_program_is")
    assert stack_of_main().splitlines()[0].endswith("in test_where_the_program_is")


@pytest.mark.parametrize(
    ("file", "name", "is_so"),
    [
        (__file__, "__main__", True),
        (threading.__file__, "threading", False),
        ("/venv/lib/python3.11/site-packages/numpy/core.py", "numpy.core", False),
        ("<frozen runpy>", "runpy", False),
        (futures.__file__, "fedfutures.futures", False),
        ("/anywhere/launch.py", "fedfutures_launcher.cli.launch", False),
        ("<stdin>", "__main__", True),
    ],
)
def test_what_is_of_the_program(file: str, name: str, is_so: bool) -> None:
    frame: Any = SimpleNamespace(f_code=SimpleNamespace(co_filename=file), f_globals={"__name__": name})
    assert is_of_program(frame) is is_so
