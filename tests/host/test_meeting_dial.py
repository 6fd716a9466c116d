"""Dialling an invitation: the right one is found among addresses that are silent, closed, or somebody else's."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fedfutures.host.invitation import Invitation
from fedfutures.host.meeting_dial import GREETING_SECONDS, dial
from fedfutures.host.secure_line import SecureLine
from fedfutures_launcher.launchers.certificate import listening_context
from fedfutures_launcher.launchers.meeting import Meeting

SECONDS = 8.0
SILENT = "240.0.0.1"


class Host:
    """The launching side of a meeting, in a thread."""

    def __init__(self, path: Path) -> None:
        self.meeting = Meeting(str(path))
        self.invitation = replace(Invitation.read(str(path)), addresses=["127.0.0.1"], names=[])
        self.lines: list[SecureLine] = []
        self._over = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over:
            line, _ = self.meeting.wait(0.02)
            self.lines += [line] if line is not None else []

    def close(self) -> None:
        self._over = True
        self._thread.join()
        self.meeting.close()
        for line in self.lines:
            line.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "meeting")
    yield made
    made.close()


def call(invitation: Invitation, seconds: float = SECONDS) -> tuple[bool, list[str], float]:
    """Dial; return whether somebody was right, why others were not, and how long it took."""
    tried: list[str] = []
    before = time.monotonic()
    line = dial(invitation, before + seconds, tried)
    if line is not None:
        line.close()
    return line is not None, tried, time.monotonic() - before


def test_the_one_who_invites_is_found(host: Host) -> None:
    assert call(host.invitation)[:2] == (True, [])
    assert call(replace(host.invitation, addresses=["::1"]))[0]


def test_an_address_that_is_none_is_named(host: Host) -> None:
    found, tried, _ = call(replace(host.invitation, addresses=["fe80::1", "999.1.1.1", "255.255.255.255", "127.0.0.1"]))
    assert found
    assert [text.partition(": ")[0] for text in tried] == ["fe80::1", "999.1.1.1", "255.255.255.255"]


def test_all_addresses_are_dialled_at_once(host: Host) -> None:
    addresses = ["192.0.2.77", SILENT, "127.0.0.1"]
    found, _, seconds = call(replace(host.invitation, addresses=addresses))
    assert found
    assert seconds < 2.0


def test_a_name_is_tried_after_the_addresses(host: Host) -> None:
    names = ["no.such.host.invalid", "localhost"]
    found, tried, _ = call(replace(host.invitation, addresses=[], names=names))
    assert found
    assert tried[0].startswith("no.such.host.invalid: ")


def test_the_wrong_secret_is_none(host: Host) -> None:
    found, tried, seconds = call(replace(host.invitation, secret="0" * 64))
    assert (found, tried) == (False, ["127.0.0.1: somebody else answers there"])
    assert seconds < 2.0
    assert not host.lines
    assert call(host.invitation)[0], "and it listens on"


def test_another_certificate_gets_no_secret(host: Host) -> None:
    other, _ = listening_context()
    found, tried, _ = call(replace(host.invitation, certificate=other))
    assert (found, tried) == (False, ["127.0.0.1: somebody else answers there"])


def test_who_answers_nothing_costs_a_bounded_time(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found, tried, seconds = call(replace(host.invitation, port=silent.getsockname()[1]))
    assert (found, tried) == (False, ["127.0.0.1: somebody else answers there"])
    assert seconds < GREETING_SECONDS + 1.0


def test_a_closed_port_is_named(host: Host) -> None:
    found, tried, seconds = call(replace(host.invitation, port=1, names=["localhost"]))
    assert not found
    assert "127.0.0.1: Connection refused" in tried
    assert seconds < 1.0
