"""A host process whose launching side goes away and comes back, and one to which it never does."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time

import pytest

from fedfutures.host.here import settings_here
from fedfutures.host.settings import frame_of
from fedfutures.wire.control import BrokerBound, EndRun, Heartbeat, HostReady, Probe, ProbeReply
from fedfutures.wire.framing import FrameReader, pack

pytestmark = pytest.mark.host

SECONDS = 10.0


class Connection:
    """A process that speaks in frames, with a bound on every wait."""

    def __init__(self, *code):
        self.process = subprocess.Popen(
            [sys.executable, *code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        self.reader, self.frames = FrameReader(), []

    def say(self, frame):
        self.process.stdin.write(pack(frame))

    def hear(self, kind):
        """Return the next frame of a kind, however many others come before it."""
        deadline = time.monotonic() + SECONDS
        while True:
            for index, frame in enumerate(self.frames):
                if isinstance(frame, kind):
                    del self.frames[: index + 1]
                    return frame
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind.__name__}"
            assert select.select([self.process.stdout], [], [], left)[0], f"no {kind.__name__}"
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, f"it ended without {kind.__name__}"
            self.frames += self.reader.feed(data)

    def hang_up(self):
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hang_up()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)


def host(grace):
    connection = Connection("-m", "fedfutures.host_process")
    connection.say(frame_of(settings_here(1, grace=grace)))
    return connection


def attached(run):
    return Connection("-c", f"from fedfutures.host.attach import main; main({run!r})")


def test_a_host_goes_on_and_is_entered_by_its_door():
    with host(grace=SECONDS) as first:
        ready = first.hear(HostReady)
        bound = first.hear(BrokerBound)
        first.hang_up()
        with attached(ready.run) as second:
            assert second.hear(HostReady) == ready
            assert second.hear(BrokerBound) == bound
            os.kill(first.process.pid, 0)
            with attached(ready.run) as third:  # a second one takes over: the one before may hang somewhere
                assert third.hear(HostReady) == ready
                assert second.process.wait(SECONDS) == 0
                third.say(EndRun())
                assert first.process.wait(SECONDS) == 0
        assert not os.path.exists(ready.run)
        with attached(ready.run) as late:
            assert late.process.wait(SECONDS) == 4


def test_a_launching_side_that_sends_nonsense_loses_its_connection_and_may_come_back():
    with host(grace=SECONDS) as first:
        ready = first.hear(HostReady)
        first.process.stdin.write(b"\0\0\0\1\xc1")
        while first.process.stdout.read(1 << 16):
            pass
        with attached(ready.run) as second:
            assert second.hear(HostReady) == ready
            second.say(EndRun())
            assert first.process.wait(SECONDS) == 0


def test_a_host_that_nobody_comes_back_to_ends():
    with host(grace=0.4) as there:
        ready = there.hear(HostReady)
        there.hang_up()
        assert there.process.wait(SECONDS) == 0
        assert not os.path.exists(ready.run)


def test_a_host_that_is_not_heard_ends_although_the_line_is_open():
    with host(grace=0.4) as there:
        there.hear(HostReady)
        for _ in range(4):
            there.say(Heartbeat())
            time.sleep(0.2)
        assert there.process.poll() is None
        assert there.process.wait(SECONDS) == 0


def test_without_grace_the_end_of_the_line_is_the_end():
    with host(grace=0.0) as there:
        there.hear(HostReady)
        there.hang_up()
        assert there.process.wait(SECONDS) == 0


def test_how_far_away_a_host_is_can_be_measured_before_it_begins():
    with Connection("-m", "fedfutures.host_process") as there:
        there.say(Probe())
        assert there.hear(ProbeReply)
        there.say(Probe())
        there.say(frame_of(settings_here(1)))
        assert there.hear(ProbeReply)
        assert there.hear(HostReady)
