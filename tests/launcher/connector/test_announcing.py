"""Announcements on the loopback interface, by the real library."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from fedfutures_launcher.connector.announcing import (
    AnnouncedFederation,
    FederationNotice,
    announced_by,
    discovered,
    is_installed,
)

pytestmark = [pytest.mark.host, pytest.mark.once]
HERE = "127.0.0.1"
KEY = "SHA256:" + "k" * 43
FACTS = {"name": "lab", "host": "login", "user": "ann", "key": KEY, "address": ""}


@pytest.fixture
def announcement() -> Iterator[FederationNotice]:
    made = FederationNotice(HERE, FACTS, 7070)
    yield made
    made.close()


def heard(workers: str) -> list[AnnouncedFederation]:
    """Listen until so many Workers are announced; return what was heard last."""
    deadline = time.monotonic() + 15.0
    while True:
        found = [one for one in discovered(HERE, 1.2) if one.host == "login"]
        if [one.workers for one in found] == [workers] or time.monotonic() > deadline:
            return found


def test_what_is_announced_is_heard_with_its_present_size(announcement: FederationNotice) -> None:
    assert is_installed()
    announcement.say(3)
    (found,) = heard("3")
    assert (found.name, found.host, found.user, found.workers) == ("lab", "login", "ann", "3")
    assert found.address == f"tcp://{HERE}:7070/lab#{KEY}"
    announcement.say(3)
    announcement.say(8)
    (found,) = heard("8")
    assert found.workers == "8"
    began = time.monotonic()
    announcement.close()
    assert time.monotonic() - began < 5.0
    assert not [one for one in discovered(HERE, 1.2) if one.host == "login"], "it was taken back"


def test_nothing_is_announced_where_nobody_has_asked_for_it() -> None:
    announcement = FederationNotice("", FACTS, 0)
    announcement.say(3)
    announcement.close()


def test_a_network_that_is_not_there_costs_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    announcement = FederationNotice("10.254.254.254", FACTS, 0)
    announcement.say(1)
    deadline = time.monotonic() + 10.0
    said = ""
    while "lab is not announced" not in said and time.monotonic() < deadline:
        said += capfd.readouterr().err
        time.sleep(0.02)
    assert "lab is not announced" in said
    announcement.close()
    with pytest.raises(OSError, match=r"assign|address"):
        discovered("10.254.254.254", 0.1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", b"../lab"), ("name", b""), ("host", b"login;reboot"), ("host", b"-oProxyCommand=x"), ("user", b"$(x)"),
        ("workers", b"many"), ("version", b"\x1b[2J"), ("key", b"SHA256:'"), ("address", b"a'b"), ("host", b"\xff"),
    ],
)  # fmt: skip
def test_what_could_be_no_federation_is_passed_over(name: str, value: bytes) -> None:
    right = {key.encode(): text.encode() for key, text in {**FACTS, "workers": "8", "version": "0.1.0"}.items()}
    assert announced_by(right, [HERE], 7070) is not None
    assert announced_by({**right, name.encode(): value}, [HERE], 7070) is None


def test_one_that_listens_at_an_address_says_so() -> None:
    right = {key.encode(): text.encode() for key, text in {**FACTS, "workers": "8", "address": "::1"}.items()}
    found = announced_by(right, [HERE], 7070)
    assert found is not None
    assert found.address == f"tcp://[::1]:7070/lab#{KEY}"
    found = announced_by({**right, b"key": b""}, [HERE], 22)
    assert found is not None
    assert (found.address, found.port) == ("", 0)
