"""Forked children: what they run, what they say, and how their ends are closed."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Any

import pytest

from fedfutures.host.child import Child, fork_child
from fedfutures.host.crash_cells import READY, CrashCells
from fedfutures.host.settings import Settings
from fedfutures.host.system import FormerState
from fedfutures.wire.control import ControlFrame, DialBroker, EndRun, NoMoreWorkers, Notice
from fedfutures.wire.framing import FrameReader, pack

pytestmark = pytest.mark.host
SECONDS = 10.0
FORMER = FormerState(0o022, 0, frozenset())


def echo(settings: Settings, facts: dict[str, Any], name: str, control: int, cells: CrashCells, dump: int) -> None:
    """Say hello, answer each frame with it, until the host process hangs up; leave a dump."""
    cells.cells[READY] = 1
    os.write(dump, b"dumped")
    os.write(control, pack(Notice(f"{name} of {settings.host} at {facts['run']}, {os.getpgid(0) == os.getpid()}")))
    reader = FrameReader()
    while data := os.read(control, 1 << 16):
        for frame in reader.feed(data):
            os.write(control, pack(frame))


def prints(settings: Settings, facts: dict[str, Any], name: str, control: int, cells: CrashCells, dump: int) -> None:
    """Print on both streams and fail."""
    os.write(1, b"out\n")
    os.write(2, b"err\n")
    raise SystemExit(7)


def babbles(settings: Settings, facts: dict[str, Any], name: str, control: int, cells: CrashCells, dump: int) -> None:
    """Say what is no frame, and wait for the end."""
    os.write(control, b"HTTP")
    while os.read(control, 100):
        pass


def started(role: str, main: Any, poller: select.poll) -> Child:
    settings = Settings("h", 1, 1)
    return fork_child(role, main, "h.1", 0, settings, {"run": "/run"}, [], FORMER, poller)


def heard(child: Child, poller: select.poll, count: int) -> list[ControlFrame]:
    found: list[ControlFrame] = []
    deadline = time.monotonic() + SECONDS
    while len(found) < count:
        assert time.monotonic() < deadline, found
        for descriptor, events in poller.poll(100):
            assert descriptor == child.control
            found += child.serve(events)
    return found


@pytest.mark.parametrize("role", ["broker", "worker"])
def test_frames_go_both_ways_until_the_host_process_hangs_up(role: str) -> None:
    poller = select.poll()
    child = started(role, echo, poller)
    assert heard(child, poller, 1) == [Notice("h.1 of h at /run, True")]
    frames: list[ControlFrame] = [DialBroker(0, "n", "m", "p", "e", "K" * (1 << 19)), NoMoreWorkers("why"), EndRun()]
    for frame in frames:
        child.tell(frame)
    assert heard(child, poller, 3) == frames
    child.hang_up()
    child.hang_up()
    child.tell(EndRun())
    assert poller.poll(0) == []
    assert os.waitpid(child.pid, 0)[1] == 0
    assert child.cells.ready
    assert child.read_dump() == "dumped"
    for descriptor in child.outputs:
        os.close(descriptor)
    child.close()


def test_a_worker_prints_into_pipes_and_ends_with_its_own_code() -> None:
    poller = select.poll()
    child = started("worker", prints, poller)
    assert os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1]) == 7
    texts = {stream: os.read(descriptor, 100) for descriptor, (stream, _) in child.outputs.items()}
    assert texts == {1: b"out\n", 2: b"err\n", 3: b""}
    for _, events in poller.poll(0):
        assert child.serve(events) == []
    assert poller.poll(0) == []
    for descriptor in child.outputs:
        os.close(descriptor)
    child.close()


def test_a_child_that_is_stopped_holds_nobody_up() -> None:
    poller = select.poll()
    child = started("broker", echo, poller)
    heard(child, poller, 1)
    os.kill(child.pid, signal.SIGSTOP)
    for _ in range(8):
        child.tell(NoMoreWorkers("x" * (1 << 18)))
    os.kill(child.pid, signal.SIGCONT)
    assert len(heard(child, poller, 8)) == 8
    child.hang_up()
    os.waitpid(child.pid, 0)
    child.close()


def test_a_child_that_sends_nonsense_is_hung_up_on() -> None:
    poller = select.poll()
    child = started("broker", babbles, poller)
    ((descriptor, events),) = poller.poll(SECONDS * 1000)
    assert descriptor == child.control
    assert child.serve(events) == []
    assert child.malformed == 1
    assert child.control == -1
    assert os.waitpid(child.pid, 0)[1] == 0
    child.close()
