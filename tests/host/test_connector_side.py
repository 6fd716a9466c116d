"""The door of the host process beside the program: who comes, who is let go, and what a life before has left there."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures.host.connector_side import ConnectorSide
from fedfutures.host.reattach import DOOR
from fedfutures.wire.control import ControlFrame, EndRun, Heartbeat, Notice
from fedfutures.wire.framing import FrameReader, pack

SECONDS = 10.0


class Doorway:
    """A host process's side, and connectors that come to it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.poller, self.come = directory, select.poll(), 0
        self.side = ConnectorSide(str(directory), self.poller, None)
        self.connectors: list[socket.socket] = []

    def let_in(self) -> socket.socket:
        """Return a connector that has come to the door."""
        connector = socket.socket(socket.AF_UNIX)
        connector.settimeout(SECONDS)
        self.connectors.append(connector)
        connector.connect(str(self.directory / DOOR))
        assert self.turn() == []
        return connector

    def turn(self) -> list[ControlFrame]:
        """Serve what is ready, once."""
        frames: list[ControlFrame] = []
        for descriptor, events in self.poller.poll(SECONDS * 1000):
            served = self.side.serve(descriptor, events, self._note)
            assert served is not None
            frames += served
        return frames

    def _note(self) -> None:
        self.come += 1


@pytest.fixture
def doorway(tmp_path: Path) -> Iterator[Doorway]:
    made = Doorway(tmp_path)
    yield made
    made.side.let_go()
    for connector in made.connectors:
        connector.close()


def heard(connector: socket.socket) -> list[ControlFrame]:
    return FrameReader().feed(connector.recv(1 << 16))


def test_frames_go_both_ways_and_none_waits_for_a_connector(doorway: Doorway) -> None:
    doorway.side.send(Notice("to nobody"))
    connector = doorway.let_in()
    assert doorway.come == 1
    doorway.side.send(Notice("to you"))
    assert heard(connector) == [Notice("to you")]
    connector.sendall(pack(Heartbeat()) + pack(EndRun()))
    assert doorway.turn() == [Heartbeat(), EndRun()]


@pytest.mark.parametrize("last", [b"", b"\0\0\0\1\xc1"], ids=["ends", "says what is no frame"])
def test_a_connector_that_goes_is_followed_by_the_next(doorway: Doorway, last: bytes) -> None:
    first = doorway.let_in()
    first.sendall(pack(Heartbeat())[:3])  # half a frame
    assert doorway.turn() == []
    first.sendall(last) if last else first.close()
    assert doorway.turn() == []
    doorway.side.send(Notice("to nobody"))
    second = doorway.let_in()
    second.sendall(pack(EndRun()))
    assert doorway.turn() == [EndRun()]
    assert doorway.come == 2


def test_one_that_comes_replaces_the_one_before_it(doorway: Doorway) -> None:
    first, second = doorway.let_in(), doorway.let_in()
    assert first.recv(1) == b""
    doorway.side.send(Notice("to you"))
    assert heard(second) == [Notice("to you")]


def test_what_a_killed_host_process_has_left_is_removed(tmp_path: Path) -> None:
    for name in (DOOR, "relay1main", "main"):
        (tmp_path / name).touch()
    here = Doorway(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [DOOR, "main"]
    here.let_in().close()
    here.side.let_go()


def test_without_a_door_the_launching_side_is_told(tmp_path: Path) -> None:
    told: list[ControlFrame] = []
    side = ConnectorSide(str(tmp_path), select.poll(), told.append)
    side.send(Heartbeat())
    assert told == [Heartbeat()]
    assert list(tmp_path.iterdir()) == []
    assert side.serve(0, select.POLLIN, lambda: None) is None
