"""What an ssh session runs to come to a keeper: here as a process, with the streams of a session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from standing import standing

from fedfutures.standing.joining import status_of
from fedfutures.wire.control import (
    ControlFrame,
    EndRun,
    HostComes,
    OpenSession,
    ServerStatus,
    StartRefused,
    StatusWanted,
)
from fedfutures.wire.framing import FrameReader, pack

pytestmark = pytest.mark.host
RUN = "import sys; from fedfutures.standing.bridge import main; main(sys.argv[1])"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def answer(frame: ControlFrame, name: str = "lab") -> ControlFrame:
    """Say this to the keeper; return the first frame that comes back."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(pack(frame))
        reader, frames = FrameReader(), list[ControlFrame]()
        while not frames:
            data = process.stdout.read(1 << 16)
            assert data
            frames = reader.feed(data)
    assert process.wait(10) == 0, "it ends when either side does"
    return frames[0]


def test_the_status_and_the_connector_that_begins_when_a_host_comes(state: Path) -> None:
    with standing("lab", state, "-n", "1"):
        found = answer(StatusWanted())
        assert isinstance(found, ServerStatus)
        assert found.status["request"] == {}
        order = answer(HostComes("n2", "a life", 3, sys.executable))
        assert isinstance(order, OpenSession)
        assert (order.stream, order.host, "host" in order.command) == (0, "n2", True)
        assert status_of("lab").request["hosts"] == [], "it has not become one of the hosts"


def test_what_it_cannot_do(state: Path) -> None:
    refused = answer(StatusWanted())
    assert refused == StartRefused("no Federation named lab stands on this machine; try: fedfutures up lab", 2, {})
    refused = answer(StatusWanted(), "../x")
    assert isinstance(refused, StartRefused)
    assert "cannot be the name" in refused.reason
    with standing("lab", state, "-n", "1"):
        assert answer(EndRun()) == StartRefused("EndRun is not for a keeper", 2, {})
