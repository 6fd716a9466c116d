"""The process of a page: what it is told, what it says, and that it listens on this machine alone."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

pytest.importorskip("uvicorn")

from fedfutures_launcher.page.serving import opened

pytestmark = pytest.mark.host

SECONDS = 20.0
COMMAND = [sys.executable, "-c", "from fedfutures_launcher.page.serving import main; main()"]


def test_it_listens_on_this_machine_alone() -> None:
    with opened(0) as door:
        assert door.getsockname()[0] == "127.0.0.1"
        with socket.create_connection(door.getsockname(), SECONDS):
            pass
        with pytest.raises(OSError, match="in use"):
            opened(door.getsockname()[1])


def test_it_ends_when_nobody_tells_it_anything() -> None:
    ended = subprocess.run(COMMAND, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_it_ends_with_its_standard_input(tmp_path: object) -> None:
    asked = {"path": f"{tmp_path}/ask", "port": 0, "secret": "00" * 32, "controls": False}
    ended = subprocess.run(
        COMMAND, input=json.dumps(asked).encode() + b"\n", capture_output=True, timeout=SECONDS
    )  # fmt: skip
    assert list(json.loads(ended.stdout)) == ["port"]
    assert (ended.returncode, ended.stderr) == (0, b"")
