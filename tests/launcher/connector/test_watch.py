"""The watch of a joined program's connector: sessions, one after the other, on which frames come."""

from __future__ import annotations

import select
import time

import pytest

from fedfutures.wire.control import ControlFrame, HostsThere, MoreWanted
from fedfutures_launcher.connector.watch import PAUSE_SECONDS, HostsWatch

from .far_hosts import FarHosts, until

pytestmark = pytest.mark.host


def test_frames_come_and_another_session_follows_one_that_ends() -> None:
    far, poller = FarHosts(), select.poll()
    watch, heard = HostsWatch(far, poller), list[ControlFrame]()
    try:
        for turn in range(3):
            now = time.monotonic() + turn * PAUSE_SECONDS * 2
            watch.tick(now)
            watch.tick(now)
            assert len(far.sessions) == turn + 1
            far.last.say(HostsThere({"h": {"workers": turn}}))
            assert until(lambda: bool(_served(watch, poller, heard)), lambda: None)
            assert heard == [HostsThere({"h": {"workers": turn}})]
            heard.clear()
            if turn:
                far.last.write(b"\xff\xff\xff\xff")  # no frame
            else:
                far.last.end()
            ended = far.last.session
            assert ended is not None
            assert until(lambda ended=ended: (_served(watch, poller, heard), ended.closed)[1], lambda: None)
        assert watch.serve(0, select.POLLIN) is None
    finally:
        watch.close()
        far.close()


def test_what_is_said_last_is_said_in_each_session_when_that_has_been_answered() -> None:
    far, poller = FarHosts(), select.poll()
    watch, heard = HostsWatch(far, poller), list[ControlFrame]()
    try:
        watch.say(MoreWanted(1))
        for turn in range(2):
            watch.tick(time.monotonic() + turn * PAUSE_SECONDS * 2)
            watch.say(MoreWanted(2 + turn))
            assert far.last.heard() == [], "whoever passes it on may not be there yet"
            far.last.say(HostsThere({}))
            assert until(lambda: bool(_served(watch, poller, heard)), lambda: None)
            assert far.last.heard() == [MoreWanted(2 + turn)]
            watch.say(MoreWanted(7))
            assert far.last.heard() == [MoreWanted(7)]
            heard.clear()
            watch.close()
    finally:
        watch.close()
        far.close()


def _served(watch: HostsWatch, poller: select.poll, heard: list[ControlFrame]) -> list[ControlFrame]:
    for descriptor, events in poller.poll(20):
        heard += watch.serve(descriptor, events) or []
    return heard
