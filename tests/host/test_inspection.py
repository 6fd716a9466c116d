"""Questions of Brokers to their host process, and where people ask."""

from __future__ import annotations

import os
import select
import socket
from pathlib import Path
from typing import Any

import pytest

from fedfutures.host.greeting import Greeting
from fedfutures.host.inspection import Inspection
from fedfutures.host.processes import Processes
from fedfutures.host.run_door import SOCKET
from fedfutures.host.settings import Settings
from fedfutures.wire.codec import unpack_plain
from fedfutures.wire.control import AskHostProcess, AskRun, CancelFuture, ControlFrame, HostProcessSays, RunSays
from fedfutures.wire.framing import FrameReader, pack

TOLD: list[ControlFrame] = []
"""What the program was told."""


class Broker:
    """A child as far as this part looks at it."""

    role, name, slot, pid = "broker", "h.broker", 0, 0

    def __init__(self) -> None:
        self.told: list[ControlFrame] = []

    def tell(self, frame: ControlFrame) -> None:
        self.told.append(frame)


@pytest.fixture
def broker() -> Any:
    return Broker()


def inspection(directory: Path, settings: Settings, broker: Any) -> tuple[Inspection, select.poll]:
    forked, poller = Processes(), select.poll()
    forked.brokers[0] = broker
    return Inspection(settings, str(directory), poller, forked, TOLD.append), poller


ELSEWHERE = Settings("h", 2, 2, grace=30.0)
BESIDE = Settings("h", 2, 2, argv=["prog.py", "7"])


def test_a_broker_is_told_at_once_what_there_is(tmp_path: Path, broker: Any) -> None:
    inspection(tmp_path, ELSEWHERE, broker)[0].on_frame(broker, AskHostProcess(3, "status", ""), 0.0)
    [said] = broker.told
    assert isinstance(said, HostProcessSays)
    report = unpack_plain(said.report)
    assert (said.number, report["host"], report["processes"]) == (3, "h", {})
    assert "run" not in report
    assert not (tmp_path / SOCKET).exists(), "on another host nobody asks"


def test_stacks_take_a_moment(tmp_path: Path, broker: Any) -> None:
    found, _ = inspection(tmp_path, ELSEWHERE, broker)
    found.on_frame(broker, AskHostProcess(3, "stack", ""), 0.0)
    due = found.next_deadline()
    assert broker.told == []
    assert due is not None
    found.tick(due)
    assert unpack_plain(broker.told[0].report)["stacks"] == {}


def test_a_broker_that_was_restarted_meanwhile_is_told_nothing(tmp_path: Path, broker: Any) -> None:
    found, _ = inspection(tmp_path, ELSEWHERE, Broker())
    found.on_frame(broker, AskHostProcess(3, "stack", ""), 0.0)
    found.tick(9.0)
    assert broker.told == []


def test_beside_the_program_people_ask_and_hear_which_program_it_is(tmp_path: Path, broker: Any) -> None:
    found, poller = inspection(tmp_path, BESIDE, broker)
    found.on_frame(broker, AskHostProcess(3, "status", ""), 0.0)
    run = unpack_plain(broker.told[0].report)["run"]
    assert (run["program"], run["pid"]) == ("prog.py", os.getppid())
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(str(tmp_path / SOCKET))
        asker.sendall(pack(AskRun(7, "status", 1.0)))
        while len(broker.told) < 2:
            for descriptor, events in poller.poll(10_000):
                assert found.serve(descriptor, events, 0.0)
        assert broker.told[1] == AskRun(1, "status", 1.0)
        found.on_frame(broker, RunSays(1, "h.1", b"", True), 0.0)
        asker.sendall(pack(CancelFuture(3)))
        while not TOLD:
            for descriptor, events in poller.poll(10_000):
                assert found.serve(descriptor, events, 0.0)
        assert [CancelFuture(3)] == TOLD
        assert RunSays(7, "h.1", b"", True) in FrameReader().feed(Greeting().feed(asker.recv(4096)))
    found.let_go()


def test_the_parent_of_a_joined_run_is_no_program(tmp_path: Path, broker: Any) -> None:
    found, _ = inspection(tmp_path, Settings("h", 2, 2, argv=["prog.py"], server="/run/door"), broker)
    found.on_frame(broker, AskHostProcess(3, "status", ""), 0.0)
    assert unpack_plain(broker.told[0].report)["run"]["pid"] == 0
    found.let_go()
