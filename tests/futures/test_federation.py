"""A Federation with a host process and an Origin that are the test's: what is done with frames, and at the end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures import Future
from fedfutures.errors import FederationLost, InitializerFailed, StartFailed
from fedfutures.futures import federation, nested
from fedfutures.host.handle import HostEnded, HostGone
from fedfutures.wire import control
from fedfutures.worker import current


class Handle:
    """A host process that has two Brokers; the frames that it sends are the test's."""

    what = "the host process"
    hosts = ("h", "g")

    def __init__(self, verbosity: int = 0) -> None:
        self.settings = SimpleNamespace(
            authkey=b"key", program=None, initializer=b"", size=3, seal=None, verbosity=verbosity, host="h",
            hosts=1,
        )  # fmt: skip
        self.facts: dict[str, Any] = {
            "run": "/tmp/x", "shared": "/dev/shm/x", "disk": "/tmp",
            "brokers": [{"name": "h/broker.0"}, {"name": "h/broker.1"}],
        }  # fmt: skip
        self.waited, self.done = 0, list[str]()
        self.failure: Exception | None = None

    def wait_ready(self) -> dict[str, Any]:
        self.waited += 1
        if self.failure is not None:
            raise self.failure
        return self.facts

    def listen(self, heard: Any) -> None:
        self.hear = heard

    def hang_up(self) -> None:
        self.done.append("hang up")

    def end(self) -> None:
        self.done.append("end")


class Origin:
    """A node that notes what is asked of it."""

    runs_at_once = closed = False

    def __init__(self, context: Any, facts: dict[str, Any], payloads: Any, size: int, process: Any) -> None:
        self.facts, self.size, self.driver = facts, size, self
        self.lost: Exception | None = None
        self.futures, self.own = dict[int, Any](), list[Any]()
        self.submissions, self.machine = self, SimpleNamespace(own=SimpleNamespace(made=0))
        self.said = list[Any]()
        self.lock = threading.RLock()
        self.sights = SimpleNamespace(show=lambda subject, report: None)
        self.on_resolve, self.handle = self.said.append, lambda action, handler: None

    def lose(self, error: Exception) -> None:
        self.lost = self.lost or error

    def open_futures(self) -> list[Any]:
        return [*self.futures.values(), *self.own]

    def share(self, name: str, value: Any) -> None:
        self.said.append((name, value))

    def __getattr__(self, name: str) -> Any:
        if name in ("start", "wake", "rejoin", "begin_anew", "cancel_open", "close", "service"):
            return lambda: self.said.append(name)
        raise AttributeError(name)


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Handle]:
    monkeypatch.setattr(federation, "Origin", Origin)
    monkeypatch.setattr(federation, "Segments", lambda *_, **__: None)
    monkeypatch.setattr(federation, "context", lambda: SimpleNamespace(term=lambda: None))
    monkeypatch.setattr(federation, "adopt_authkey", lambda key: None)
    yield Handle()
    current.origins.clear()


def joined(handle: Any, **options: Any) -> tuple[federation.Federation, Origin]:
    made = federation.Federation(handle, **options)
    return made, made.origin


def test_it_is_joined_once_and_when_it_is_needed(handle: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "constants", {"rate": 3})
    made = federation.Federation(handle, attach=1)  # type: ignore[arg-type]
    assert (handle.waited, made.size, made.hosts) == (0, 3, ["h", "g"])
    assert made.origin is made.origin
    assert (handle.waited, made.origin.facts["name"], made.origin.size) == (1, "h/broker.1", 3)
    assert made.origin.said == ["start", ("rate", 3)]
    assert list(current.origins) == [made.origin]


def test_a_start_that_has_failed_is_said_to_whoever_asks(handle: Handle) -> None:
    handle.failure = StartFailed("no Worker came up")
    made = federation.Federation(handle)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(StartFailed, match="no Worker came up"):
            _ = made.origin
    made.finish()
    assert (made.is_closed, handle.done) == (True, ["hang up", "end"])


def ended(*, initializer_raised: bool = False) -> control.WorkerEnded:
    return control.WorkerEnded("h.1", "h", "exit code 1", False, initializer_raised, 0, 0, "")


@pytest.mark.parametrize(
    ("frame", "kind", "text"),
    [
        (ended(initializer_raised=True), InitializerFailed, "the initializer raised on host h; its traceback"),
        (control.NoWorkersLeft("all gone"), FederationLost, "all gone; Futures that were open are lost"),
        (control.BrokerGivenUp("too often"), FederationLost, "a Broker of h cannot be kept running: too often; "),
        (HostGone(), FederationLost, "the host process ended; "),
        (HostGone("odd", "the connector"), FederationLost, "the connector ended (odd); "),
    ],
)
def test_what_ends_a_federation(handle: Handle, frame: Any, kind: type, text: str) -> None:
    _, origin = joined(handle)
    handle.hear(frame)
    assert type(origin.lost) is kind
    assert str(origin.lost).startswith(text)
    assert origin.said[-1] == "wake"


def test_what_was_heard_while_it_was_joining_counts(handle: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Origin, "start", lambda self: handle.hear(control.NoWorkersLeft("gone")), raising=False)
    _, origin = joined(handle)
    assert str(origin.lost).startswith("gone; ")


@pytest.mark.parametrize("verbosity", [0, 1])
def test_what_is_printed(handle: Handle, verbosity: int, capsys: pytest.CaptureFixture[str]) -> None:
    handle.settings.verbosity = verbosity
    _, origin = joined(handle, attach=1)
    handle.hear(control.WorkerOutput("h.1", 1, b"hello\n"))
    handle.hear(control.Notice("host g is slow"))
    handle.hear(ended())
    handle.hear(control.BrokerRestarted("h/broker.0", "signal SIGKILL"))
    out, err = capsys.readouterr()
    assert out == "[h.1] hello\n"
    assert err.splitlines() == [
        "fedfutures: host g is slow",
        *["fedfutures: Worker h.1 ended: exit code 1; its Futures run again"] * verbosity,
        *["fedfutures: Broker h/broker.0 ended: signal SIGKILL; it was started again"] * verbosity,
    ]
    assert "rejoin" not in origin.said
    handle.hear(control.BrokerRestarted("h/broker.1", "signal SIGKILL"))
    assert origin.said[-1] == "rejoin"
    assert origin.lost is None


def test_it_is_closed_once(handle: Handle) -> None:
    made, origin = joined(handle, initargs=("semaphore",))
    made.close()
    made.close()
    made.cut_off("the program failed")
    made.cancel()
    handle.hear(HostGone())
    assert handle.done == ["hang up", "end"]
    assert str(origin.lost) == "the Federation was closed"
    assert origin.said.count("close") == 1
    assert "cancel_open" not in origin.said
    assert list(current.origins) == []


def test_what_is_cut_off_is_said(handle: Handle, capsys: pytest.CaptureFixture[str]) -> None:
    made, origin = joined(handle)
    origin.futures = {1: Future(), 2: Future()}
    made.cut_off("the program failed")
    assert capsys.readouterr().err == "fedfutures: the program failed: 2 Futures were cut off\n"
    assert handle.done == ["hang up", "end"]


def test_the_end_waits_for_what_is_open(handle: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    made, origin = joined(handle)
    future = origin.futures[1] = Future()
    waited = list[Any]()

    def wait(what: Any, timeout: float | None) -> None:
        waited.append(what)
        what.set_result(None)
        origin.futures.clear()

    monkeypatch.setattr(origin, "wait", wait, raising=False)
    made.finish()
    assert waited == [future]
    assert made.is_closed


def test_after_a_cancellation_the_end_does_not_ask_for_nested_ones(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Any]()
    monkeypatch.setattr(nested, "wait_until_idle", asked.append)
    made, origin = joined(handle)
    made.drain()
    made.cancel()
    made.drain()
    assert asked == [origin]
    assert "cancel_open" in origin.said


def test_an_interrupt_that_has_ended_the_program_ends_it_at_once(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = joined(handle)
    assert not made.cut_off_if_interrupted()
    monkeypatch.setattr(sys, "last_type", KeyboardInterrupt, raising=False)
    assert made.cut_off_if_interrupted()
    assert made.is_closed
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)  # in a session
    assert not federation.was_interrupted()


@pytest.mark.parametrize(
    ("status", "count", "said"),
    [
        ("signal SIGKILL", 1, "was killed (signal SIGKILL); it is started again, and 1 Future runs again"),
        ("exit code 3", 2, "ended (exit code 3); it is started again, and 2 Futures run again"),
    ],
)
def test_the_end_of_a_host_process_that_is_started_again_loses_nothing(
    handle: Handle, capsys: pytest.CaptureFixture[str], status: str, count: int, said: str
) -> None:
    handle.settings.verbosity = 1
    made, origin = joined(handle)
    origin.futures = {number: Future() for number in range(count)}
    handle.hear(HostEnded(status))
    assert origin.said[-1] == "begin_anew"
    assert origin.lost is None
    assert capsys.readouterr().err == f"fedfutures: the host process {said}\n"
    handle.hear(HostGone("it ended 5 times"))
    assert str(origin.lost).startswith("the host process ended (it ended 5 times); ")
    made.close()
    handle.hear(HostEnded(status))
    assert origin.said[-1] != "begin_anew"
