"""The way to a keeper: the words for it, and sessions that fail. Real ones are in tests/hosts/test_coming_hosts.py."""

from __future__ import annotations

import os
import time

import pytest

from fedfutures.errors import StartFailed
from fedfutures.wire.control import HostLeaves, ServerStatus, StatusWanted
from fedfutures.wire.framing import pack
from fedfutures_launcher.hosts.spec import BadHosts
from fedfutures_launcher.launchers.keeper_visit import KeeperVisit, far_place

from ..connector.far_hosts import FarHosts

pytestmark = pytest.mark.host


def test_words() -> None:
    place = far_place("ann@login.hpc:lab")
    assert (place.target.user, place.target.host, place.name) == ("ann", "login.hpc", "lab")
    assert '"bridge" "lab"' in place.target.command
    assert far_place("login:2222:lab").target.port == 2222
    for word in ("login", "login:", "-oProxyCommand=x:lab"):
        with pytest.raises(BadHosts):
            far_place(word)


@pytest.fixture
def far():  # type: ignore[no-untyped-def]
    made = FarHosts()
    yield made
    for host in made.sessions:
        if host.session is not None:
            host.end()
    made.close()


def test_an_answer_and_not_a_byte_more(far: FarHosts) -> None:
    place = far_place("login:lab")
    far.before = lambda host: host.say_hello()
    visit = KeeperVisit(far, place, 5.0)
    far.last.say(ServerStatus({"name": "lab"}))
    far.last.write(b"what follows")
    assert visit.ask(StatusWanted()) == ServerStatus({"name": "lab"})
    assert far.last.heard() == [StatusWanted()]
    assert os.read(visit.session.read_fd, 100) == b"what follows"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"fedfutures": "0.0.1"}, "fedfutures there is 0.0.1"),
        ({"python": [3, 4, 0]}, "Python"),
        ({"error": "no module", "fedfutures": None}, "no module"),
    ],
)
def test_another_version_is_there(far: FarHosts, said: dict[str, object], why: str) -> None:
    far.before = lambda host: host.say_hello(**said)
    with pytest.raises(StartFailed, match=why):
        KeeperVisit(far, far_place("login:lab"), 5.0)


def test_nothing_is_said_or_something_else(far: FarHosts) -> None:
    with pytest.raises(StartFailed, match="login:lab cannot be reached: it was silent for too long"):
        KeeperVisit(far, far_place("login:lab"), 0.2)
    far.before = lambda host: host.say_hello()
    visit = KeeperVisit(far, far_place("login:lab"), 5.0)
    far.last.write(b"\0\0\0\2\xff\xff")
    with pytest.raises(StartFailed, match="login:lab does not answer"):
        visit.ask(StatusWanted())


def test_what_was_said_last_is_heard_before_the_session_ends(far: FarHosts) -> None:
    far.before = lambda host: host.say_hello()
    visit = KeeperVisit(far, far_place("login:lab"), 5.0)
    os.write(visit.session.write_fd, pack(HostLeaves("it was removed")))
    began = time.monotonic()
    visit.finish(0.3)
    assert time.monotonic() - began >= 0.3, "nobody has hung up"
    assert far.last.heard() == [HostLeaves("it was removed")]
    far.last.write(b"more")
    far.last.end()
    visit.finish(5.0)
    assert time.monotonic() - began < 3.0
