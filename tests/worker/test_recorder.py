"""A Worker notes what it runs as long as somebody asks: Futures of others, nested calls, failures; with a bound."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from nodes import node_of

from fedfutures import Executor, futures
from fedfutures.host.crash_cells import NUMBER, PIECE
from fedfutures.wire.codec import unpack_plain
from fedfutures.wire.ran import FAILED, NESTED, RanCall, calls_in
from fedfutures.worker import current, recorder as module
from fedfutures.worker.recorder import Recorder, RecorderList

SECONDS = 10.0


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def nest(count: int) -> float:
    return sum(future.result() for future in [futures.submit(nap, 0.001) for _ in range(count)])


def fail() -> None:
    raise ValueError


def is_recorded() -> bool:
    """Return whether the Worker notes the calls that it makes."""
    isolation = current.node.isolation
    return isolation.call_in is not isolation.fresh


def in_a_thread() -> float:
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(futures.submit(nap, 0.002).result()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def executor() -> Iterator[Executor]:
    """One whose Worker is there."""
    with Executor(1) as executor:
        assert executor.submit(nap, 0.0).result() == 0.0
        yield executor


def asked(node: Any, asker: str) -> list[RanCall]:
    """Return what Workers have run since this asker has asked last."""
    answers, complete = node.submissions.ask("ran", asker, 0, SECONDS)
    assert complete
    reports = [unpack_plain(report) for _, report in answers]
    calls = [call for one in reports if one.get("role") == "worker" for call in calls_in(one, one["now"])]
    return [call for call in calls if call.name != "int"]  # of `node_of`


def test_who_asks_is_told_what_has_run_since(executor: Executor) -> None:
    node = node_of(executor)
    executor.submit(nap, 0.001).result()
    assert asked(node, "a") == [], "nobody had asked before"
    before = time.monotonic()
    executor.submit(nap, 0.02).result()
    with pytest.raises(ValueError):
        executor.submit(fail).result()
    slept, failed = asked(node, "a")
    assert (slept.name, slept.submitter, slept.root, slept.flags) == ("nap", node.name, node.name, 0)
    assert before <= slept.began <= slept.ended - 0.02 <= time.monotonic()
    assert (failed.name, failed.flags, failed.number) == ("fail", FAILED, slept.number + 1)
    assert asked(node, "a") == []
    assert asked(node, "b") == []
    executor.submit(nap, 0.001).result()
    assert [call.name for call in asked(node, "b")] == [call.name for call in asked(node, "a")] == ["nap"]


def test_nested_calls_are_within_their_future(executor: Executor) -> None:
    node = node_of(executor)
    asked(node, "a")
    assert executor.submit(nest, 3).result() == pytest.approx(0.003)
    *inside, around = asked(node, "a")
    assert [call.name for call in inside] == ["nap"] * 3
    assert around.name == "nest"
    assert all(call.flags == NESTED and call.number == around.number for call in inside)
    assert all(around.began <= call.began <= call.ended <= around.ended for call in inside)
    assert executor.submit(in_a_thread).result() == 0.002
    of_thread, around = sorted(asked(node, "a"), key=lambda call: call.name, reverse=True)
    assert (of_thread.name, of_thread.flags, of_thread.number) == ("nap", NESTED, around.number)


def test_slices_say_how_many_items_they_have(executor: Executor) -> None:
    node = node_of(executor)
    asked(node, "a")
    assert len(list(executor.map(nap, [0.001] * 12, chunksize=4))) == 12
    assert [(call.name, call.items) for call in asked(node, "a")] == [("nap", 4)] * 3


def test_as_long_as_nobody_asks_no_call_is_made_another_way(executor: Executor) -> None:
    node = node_of(executor)
    assert not executor.submit(is_recorded).result()
    asked(node, "a")
    assert executor.submit(is_recorded).result()


def call(seconds: float, flags: int = 0) -> RanCall:
    return RanCall(1.0, 1.0 + seconds, "f", "o", "o", 1, 1, flags, 0)


def test_of_many_the_long_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALLS_AT_FIRST", 3)
    monkeypatch.setattr(module, "CALLS_AT_MOST", 5)
    kept = RecorderList("a", 0.0)
    for _ in range(4):
        kept.note(call(0.0001))
    for _ in range(4):
        kept.note(call(0.1, NESTED))
    assert kept.missing == [1, 2]
    assert [round(one.ended - one.began, 4) for one in kept.taken()] == [0.0001] * 3 + [0.1] * 2
    assert kept.taken() == []
    kept.note(call(0.0001))
    assert len(kept.taken()) == 1


class Parts:
    """What a Recorder reads and tells: whether calls are to be noted, and by what."""

    def __init__(self) -> None:
        self.recorded: Any = None
        self.reports: dict[str, Any] = {}
        self.cells = {PIECE: 4, NUMBER: 9}
        self.pieces: dict[int, Any] = {}
        self.context: Any = None

    def record_by(self, recorded: Any) -> None:
        self.recorded = recorded

    def show(self, subject: str, report: Any) -> None:
        self.reports[subject] = report


def test_who_does_not_ask_any_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: Any = Parts()
    Recorder(parts, parts, parts, parts)
    ask = parts.reports["ran"]
    assert parts.recorded is None
    ask("a")
    ask("b")
    context = parts.recorded(contextvars.Context())
    assert context.run(pow, 2, 5) == 32
    now = later(monkeypatch, module.FORGOTTEN_SECONDS - 1.0)
    assert len(ask("a")["calls"]) == 1
    now[0] += 2.0
    context.run(pow, 2, 5)
    now[0] += module.DOUBTED_SECONDS
    assert len(ask("a")["calls"]) == 1
    context.run(pow, 2, 5)
    assert parts.recorded is not None, "one of them still asks"
    assert ask("b")["calls"] == [], "it begins anew"
    now[0] += 2 * module.FORGOTTEN_SECONDS
    context.run(pow, 2, 5)
    assert parts.recorded is not None, "maybe nobody could be answered"
    now[0] += module.DOUBTED_SECONDS
    context.run(pow, 2, 5)
    assert parts.recorded is None


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[float]:
    """Have so many seconds passed, and more if the list says so."""
    now = [seconds]
    monkeypatch.setattr(module, "monotonic", lambda: time.monotonic() + now[0])
    return now


def test_a_worker_that_could_not_answer_for_long_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: Any = Parts()
    Recorder(parts, parts, parts, parts)
    ask = parts.reports["ran"]
    ask("a")
    context = parts.recorded(contextvars.Context())
    now = later(monkeypatch, 0.0)
    for _ in range(3):
        context.run(pow, 2, 5)
        now[0] += 2 * module.FORGOTTEN_SECONDS
        context.run(pow, 2, 5)
        assert len(ask("a")["calls"]) == 2
        now[0] += module.DOUBTED_SECONDS


def test_what_is_noted_from_the_beginning_is_for_the_first_origin() -> None:
    parts: Any = Parts()
    Recorder(parts, parts, parts, parts)
    ask = parts.reports["ran"]
    ask("")
    parts.pieces[4] = SimpleNamespace(name="f", terms=SimpleNamespace(submitter="o", root="r", crashes=2))
    parts.recorded(contextvars.Context()).run(pow, 2, 5)
    assert ask("page-1")["calls"] == []
    [noted] = calls_in(answer := ask("origin-1-a@h"), answer["now"])
    assert (noted.name, noted.submitter, noted.root, noted.number, noted.attempt) == ("f", "o", "r", 9, 3)
    assert ask("origin-2-b@h")["calls"] == []
