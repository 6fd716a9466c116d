"""The host server of another host, by frames over its streams. Over ssh: tests/hosts/test_standing_hosts.py."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import TypeVar

import pytest

from fedfutures.host.greeting import line
from fedfutures.host.handle import command_here
from fedfutures.host.hello_line import MAGIC
from fedfutures.host.settings import Settings, frame_of
from fedfutures.wire.control import (
    CloseStream,
    ControlFrame,
    EndRun,
    HostLeaves,
    OpenSession,
    RemoveHost,
    RunReport,
    ServerReady,
    SlotsWanted,
    StreamData,
)
from fedfutures.wire.framing import FrameReader, pack

pytestmark = pytest.mark.host
F = TypeVar("F", bound=ControlFrame)


class Far:
    """A host server, and the connector of its keeper, which this is."""

    def __init__(self, grace: float = 0.5) -> None:
        settings = Settings("h", 2, 2, serves=True, grace=grace, directory=os.getcwd())
        self.process = subprocess.Popen(
            command_here(settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.reader, self.heard = FrameReader(), list[ControlFrame]()
        self.say(frame_of(settings))

    def say(self, frame: ControlFrame) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(pack(frame))

    def hear(self, kind: type[F], seconds: float = 10.0) -> F:
        """Return the next frame of this kind."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while True:
            for frame in self.heard:
                if isinstance(frame, kind):
                    self.heard.remove(frame)
                    return frame
            assert select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0], kind
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, kind
            self.heard += self.reader.feed(data)


@pytest.fixture
def far(request: pytest.FixtureRequest) -> Iterator[Far]:
    made = Far(getattr(request, "param", 0.5))
    yield made
    made.process.kill()
    made.process.wait()
    for stream in (made.process.stdin, made.process.stdout):
        assert stream is not None
        stream.close()


def test_a_session_is_a_host_process_that_says_hello(far: Far) -> None:
    ready = far.hear(ServerReady)
    assert (ready.pid, os.stat(ready.directory).st_mode & 0o777) == (far.process.pid, 0o700)
    far.say(OpenSession(2, "h", ""))
    said = far.hear(StreamData)
    assert (said.stream, said.data[: len(MAGIC)]) == (2, MAGIC)
    facts = json.loads(said.data[len(MAGIC) :])
    assert facts["server"] == os.path.join(ready.directory, "server")
    far.say(CloseStream(2))
    far.say(EndRun())
    assert far.process.wait(5) == 0
    assert not os.path.exists(ready.directory)


def test_another_command_line_is_run_by_a_shell(far: Far) -> None:
    far.hear(ServerReady)
    far.say(OpenSession(4, "h", "echo $FEDFUTURES_SERVER; cat"))
    assert far.hear(StreamData).data.endswith(b"/server\n")
    far.say(StreamData(4, b"back\n"))
    assert far.hear(StreamData).data == b"back\n"


@pytest.mark.parametrize("far", [20.0], indirect=True, ids=["with a long grace"])
def test_it_says_how_many_of_its_slots_are_wanted(far: Far) -> None:
    ready = far.hear(ServerReady)
    assert far.hear(SlotsWanted) == SlotsWanted("h", 0)
    with socket.socket(socket.AF_UNIX) as run:
        run.connect(os.path.join(ready.directory, "server"))
        run.sendall(line() + pack(RunReport("r1", 2, 1, 0)))
        assert far.hear(SlotsWanted).count == 2
        run.sendall(pack(RunReport("r1", 1, 1, 0)) + pack(RunReport("r1", 0, 1, 0)))
        assert far.hear(SlotsWanted).count == 0, "what was said within a second is said at its end"
        run.sendall(pack(RunReport("r1", 1, 1, 0)))
        assert far.hear(SlotsWanted).count == 1
    assert far.hear(SlotsWanted).count == 0, "the run has gone"


def test_it_ends_when_nobody_comes_back(far: Far) -> None:
    ready = far.hear(ServerReady)
    assert far.process.stdin is not None
    far.process.stdin.close()
    assert far.process.wait(10) == 0
    assert not os.path.exists(ready.directory)


def test_a_host_that_is_removed_says_so_and_ends(far: Far) -> None:
    ready = far.hear(ServerReady)
    far.say(RemoveHost("h", 5))
    assert far.hear(HostLeaves).reason == "it was removed"
    assert far.process.wait(5) == 0
    assert not os.path.exists(ready.directory)


@pytest.mark.parametrize("far", [30.0], indirect=True, ids=["with a long grace"])
def test_what_is_said_last_on_a_host_that_leaves_is_heard(far: Far) -> None:
    far.hear(ServerReady)
    far.say(OpenSession(2, "h", "trap 'head -c 300000 /dev/zero; exit' TERM; echo here; while :; do sleep 0.01; done"))
    far.hear(StreamData)
    far.say(RemoveHost("h", 5))
    time.sleep(1.0)  # the connection takes less than what is to be said
    count = 0
    while count < 300_000:
        count += len(far.hear(StreamData).data)
    far.hear(HostLeaves)
    assert far.process.wait(5) == 0


def test_what_runs_on_a_host_that_leaves_has_its_time_and_no_more(far: Far) -> None:
    far.hear(ServerReady)
    far.say(OpenSession(2, "h", "trap '' TERM; echo here; sleep 60"))
    far.hear(StreamData)
    began = time.monotonic()
    far.say(RemoveHost("h", 0))
    far.say(OpenSession(4, "h", "echo too late"))
    assert far.hear(CloseStream).stream == 4
    far.hear(HostLeaves)
    assert far.process.wait(5) == 0
    assert 1.0 < time.monotonic() - began < 5.0
