"""Key pairs: drawn where ZeroMQ can be trusted with them, and never shown."""

from __future__ import annotations

import pytest

from fedfutures.errors import StartFailed
from fedfutures.sockets import keys


def test_each_pair_is_another_one() -> None:
    one, other = keys.make_keys(), keys.make_keys()
    assert keys.is_key(one.public)
    assert len({one.public, other.public, one.secret.decode(), other.secret.decode()}) == 4


def test_who_needs_encryption_does_not_start_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "OLDEST", (99, 0, 0))
    with pytest.raises(StartFailed, match=r"libzmq 99\.0\.0 or newer"):
        keys.make_keys()


def test_the_secret_half_is_not_shown() -> None:
    assert "hidden" not in repr(keys.Keys("public", b"hidden"))
