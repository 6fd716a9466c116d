"""A host process whose launching side goes away and comes back, and one to which it never does."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time

import pytest

from fedfutures.host.here import settings_here
from fedfutures.host.settings import FrameReader, pack_frame

pytestmark = pytest.mark.host

SECONDS = 10.0


class Connection:
    """A process that speaks in frames, with a bound on every wait."""

    def __init__(self, *code):
        self.process = subprocess.Popen(
            [sys.executable, *code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        self.reader, self.frames = FrameReader(), []

    def say(self, value):
        self.process.stdin.write(pack_frame(value))

    def hear(self, kind):
        """Return the next frame of a kind, however many others come before it."""
        deadline = time.monotonic() + SECONDS
        while True:
            for index, frame in enumerate(self.frames):
                if frame[0] == kind:
                    del self.frames[: index + 1]
                    return frame
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind}"
            assert select.select([self.process.stdout], [], [], left)[0], f"no {kind}"
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, f"it ended without {kind}"
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
    connection = Connection("-m", "fedfutures.host")
    connection.say(settings_here(1, grace=grace))
    return connection


def attached(run):
    return Connection("-c", f"from fedfutures.host.attach import main; main({run!r})")


def test_a_host_goes_on_and_is_entered_by_its_door():
    with host(grace=SECONDS) as first:
        facts = first.hear("ready")[1]
        broker = first.hear("broker")
        first.hang_up()
        with attached(facts["run"]) as second:
            assert second.hear("ready")[1] == facts
            assert second.hear("broker") == broker
            os.kill(first.process.pid, 0)
            with attached(facts["run"]) as third:  # a second one takes over: the one before may hang somewhere
                assert third.hear("ready")[1] == facts
                assert second.process.wait(SECONDS) == 0
                third.say(["end"])
                assert first.process.wait(SECONDS) == 0
        assert not os.path.exists(facts["run"])
        with attached(facts["run"]) as late:
            assert late.process.wait(SECONDS) == 4


def test_a_host_that_nobody_comes_back_to_ends():
    with host(grace=0.4) as there:
        facts = there.hear("ready")[1]
        there.hang_up()
        assert there.process.wait(SECONDS) == 0
        assert not os.path.exists(facts["run"])


def test_a_host_that_is_not_heard_ends_although_the_line_is_open():
    with host(grace=0.4) as there:
        there.hear("ready")
        for _ in range(4):
            there.say(["beat"])
            time.sleep(0.2)
        assert there.process.poll() is None
        assert there.process.wait(SECONDS) == 0


def test_without_grace_the_end_of_the_line_is_the_end():
    with host(grace=0.0) as there:
        there.hear("ready")
        there.hang_up()
        assert there.process.wait(SECONDS) == 0


def test_how_far_away_a_host_is_can_be_measured_before_it_begins():
    with Connection("-m", "fedfutures.host") as there:
        there.say(["ping"])
        assert there.hear("pong") == ["pong"]
        there.say(["ping"])
        there.say(settings_here(1))
        assert there.hear("pong") == ["pong"]
        assert there.hear("ready")
