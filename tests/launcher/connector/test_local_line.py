"""The connector's connection to this machine's host process."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedfutures.errors import RemoteProtocolError
from fedfutures.host.reattach import DOOR
from fedfutures.wire.control import Heartbeat, Notice
from fedfutures.wire.framing import FrameReader, pack
from fedfutures_launcher.connector.local_line import LocalLine


@pytest.fixture
def door(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.join(tmp_path, DOOR))
        listening.listen()
        listening.settimeout(10.0)
        yield listening


def test_it_comes_and_when_the_host_process_ends_it_waits_for_the_next(door: socket.socket, tmp_path: Path) -> None:
    line = LocalLine(select.poll())
    line.send(Notice("to nobody"))
    for _ in range(2):
        line.come(str(tmp_path))
        host, _ = door.accept()
        line.send(Notice("to you"))
        assert FrameReader().feed(host.recv(1 << 16)) == [Notice("to you")]
        host.sendall(pack(Heartbeat()))
        assert line.serve(select.POLLIN) == [Heartbeat()]
        host.close()
        assert line.serve(select.POLLIN | select.POLLHUP) == []
        assert line.descriptor == -1


def test_a_host_process_that_is_dead_again_has_no_door(tmp_path: Path) -> None:
    line = LocalLine(select.poll())
    line.come(str(tmp_path))
    assert line.descriptor == -1
    line.leave()


def test_what_is_no_frame_is_an_error(door: socket.socket, tmp_path: Path) -> None:
    line = LocalLine(select.poll())
    line.come(str(tmp_path))
    host, _ = door.accept()
    host.sendall(b"\0\0\0\1\xc1")
    with pytest.raises(RemoteProtocolError):
        line.serve(select.POLLIN)
    line.leave()
    host.close()
