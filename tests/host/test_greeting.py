"""The first line at a door."""

from __future__ import annotations

import pytest

from fedfutures.errors import RemoteProtocolError
from fedfutures.host.greeting import Greeting, OtherVersion, line


def test_it_may_come_in_pieces() -> None:
    greeting = Greeting()
    for byte in line()[:-1]:
        assert greeting.feed(bytes([byte])) == b""
    assert not greeting.is_over
    assert greeting.feed(b"\nbehind") == b"behind"
    assert greeting.is_over
    assert greeting.feed(b"\n") == b"\n"


@pytest.mark.parametrize("data", [b"SSH-2.0", b"x\n", b"fedfutures-door " + b"x" * 300])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no fedfutures is there"):
        Greeting().feed(data)


def test_another_version_says_which() -> None:
    with pytest.raises(OtherVersion) as found:
        Greeting().feed(b"fedfutures-door 2.0 (protocol 9)\n")
    assert found.value.theirs == "2.0 (protocol 9)"
