"""A process that a Future has forked: it ends where the Future's function does, and cannot submit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures.errors import FederationLost
from fedfutures.worker import current, forked

from .benches import Bench, note, noted


class Ended(BaseException):
    """The process would have ended with this code."""


@pytest.fixture
def fork(worker: Bench, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Become what a child of the Worker's process becomes."""
    hooks: list[Any] = []

    def leave(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(
        forked, "os", SimpleNamespace(_exit=leave, register_at_fork=lambda after_in_child: hooks.append(after_in_child))
    )
    monkeypatch.setattr(current, "node", worker.node)
    forked.attend(worker.node)
    return hooks[0]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (None, 0, ""),
        (SystemExit(), 0, ""),
        (SystemExit(3), 3, ""),
        (SystemExit(259), 3, ""),
        (SystemExit("it is over"), 1, "it is over\n"),
    ],
)
def test_it_ends_as_python_ends(
    fork: Any, error: BaseException | None, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Ended) as ended:
        forked.end(error)
    assert ended.value.args == (code,)
    assert capsys.readouterr().err == said


def test_what_the_function_raises_is_shown_without_frames_of_the_worker(
    fork: Any, worker: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    def divide(by: int) -> float:
        fork()
        return 1 / by

    future = worker.node.submit(divide, (0,), {})
    with pytest.raises(Ended, match="1"):
        worker.run()
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero\n" in shown
    assert "return 1 / by" in shown
    assert "fedfutures/worker/" not in shown
    assert not future.done()


def test_a_function_that_returns_ends_it_and_nothing_else_is_run(fork: Any, worker: Bench) -> None:
    worker.give_noted(1, "another")
    noted.clear()

    def work() -> None:
        fork()
        note("forked")

    worker.node.submit(work, (), {})
    with pytest.raises(Ended, match="0"):
        worker.run()
    assert noted == ["forked"]
    assert len(worker.node.machine.workload.queue) == 1


def fork_here(name: str) -> str:
    forks[0]()
    if name == "raises":
        raise SystemExit(7)
    return name


forks: list[Any] = []


@pytest.mark.parametrize(("name", "code"), [("returns", "0"), ("raises", "7")])
def test_a_fetched_future_as_well(fork: Any, worker: Bench, name: str, code: str) -> None:
    forks[:] = [fork]
    worker.give(fork_here, [worker.node.payloads.dump(((name,), {}))] * 2, 1)
    with pytest.raises(Ended, match=code):
        worker.run()
    assert len(worker.node.machine.workload.pieces[1].todo) == 1


def test_it_cannot_submit_wait_or_ask(fork: Any, worker: Bench) -> None:
    future = worker.node.submit(note, ("a",), {})
    fork()
    node = current.node
    assert type(node) is forked.ForkedNode
    for call in (node.submit, node.submitter, node.wait, node.ask, node.share, node.scope):
        with pytest.raises(FederationLost, match="was forked by a Future"):
            call(note, ("b",), {})
    with pytest.raises(FederationLost, match="was forked by a Future"):
        future.result()
    assert node.name == "w"
    assert node.closed
    worker.main.sent.clear()
    node.service()
    node.wake()
    assert worker.main.sent == []


def test_a_fork_of_another_process_is_left_alone(fork: Any, worker: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "node", None)
    fork()
    assert current.node is None
    assert not worker.node.closed
