"""Whether a run can be served here: its directory, private directories, versions, and which machine this is."""

from __future__ import annotations

import os
from pathlib import Path

import msgpack
import pytest

from fedfutures.host import fitness
from fedfutures.host.fitness import answer_to, login, versions_of, why_unusable
from fedfutures.wire.control import Probe, ProbeReply


def test_a_probe_that_asks_for_nothing_is_answered_with_nothing() -> None:
    assert answer_to(Probe()) == ProbeReply()


def test_a_directory_in_which_nobody_can_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (".", str(tmp_path)):
        assert answer_to(Probe(place)).missing == ""
    for place in (f"{tmp_path}/no", f"{tmp_path}/file"):
        assert answer_to(Probe(place)).missing == place


def test_versions_are_those_of_what_is_installed() -> None:
    assert versions_of(["msgpack", "no-such-package", ""]) == {"msgpack": ".".join(map(str, msgpack.version))}
    assert answer_to(Probe(".", ["msgpack"])).versions.keys() == {"msgpack"}


def test_private_directories_are_made_and_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = set(os.listdir("/dev/shm"))
    assert why_unusable() == ""
    assert os.listdir(tmp_path) == []
    assert set(os.listdir("/dev/shm")) <= before


def test_why_none_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(self: object, given: object, *, lasting: bool) -> list[str]:
        raise OSError(28, "No space left on device", "/tmp/fedfutures-h1")

    monkeypatch.setattr(fitness.Hold, "add_all", make)
    assert why_unusable() == "/tmp: No space left on device"
    assert answer_to(Probe(".")).unusable == why_unusable()


def test_a_login_tells_machines_users_and_servers_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert login() == "", "nobody has come by ssh"
    said = set()
    for connection in ("10.0.0.1 5000 10.0.0.9 22", "10.0.0.2 6000 10.0.0.9 22", "10.0.0.1 5000 10.0.0.9 2222"):
        monkeypatch.setenv("SSH_CONNECTION", connection)
        said.add(login())
    assert len(said) == 2, "from where one comes does not count"
    assert all(os.uname().nodename in one and "10.0.0.9" in one for one in said)
