"""The client that comes by TCP with a key. With the door: tests/launcher/connector/test_key_door.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures.errors import StartFailed
from fedfutures_launcher.ssh.key_client import KeyClient
from fedfutures_launcher.ssh.own_keys import made


def test_it_needs_a_key_that_nobody_else_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDFUTURES_KEY", str(tmp_path / "key"))
    with pytest.raises(StartFailed, match="there is no key"):
        KeyClient("SHA256:x")
    made(str(tmp_path / "key"))
    KeyClient("SHA256:x").close()
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(StartFailed, match="others can read"):
        KeyClient("SHA256:x")
