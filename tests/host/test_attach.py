"""Coming back to a host process by its door."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fedfutures.host.reattach import DOOR
from fedfutures.wire.control import HostProcessGone
from fedfutures.wire.framing import FrameReader

pytestmark = pytest.mark.host
SECONDS = 10.0


def attach(directory: Path) -> subprocess.Popen[bytes]:
    code = f"from fedfutures.host.attach import main; main({str(directory)!r})"
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)


def test_bytes_go_both_ways_until_one_side_ends(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / DOOR))
        door.listen()
        door.settimeout(SECONDS)
        with attach(tmp_path) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            connection, _ = door.accept()
            with connection:
                connection.settimeout(SECONDS)
                process.stdin.write(b"to the host")
                assert connection.recv(100) == b"to the host"
                connection.sendall(b"and back")
                assert process.stdout.read(8) == b"and back"
            assert process.wait(SECONDS) == 0


def test_a_host_process_that_is_gone_is_said_to_both(tmp_path: Path) -> None:
    process = attach(tmp_path)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 4
    assert FrameReader().feed(out) == [HostProcessGone()]
    assert b"the host process is gone" in err
