"""A host believes no file that another user could have written."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from fedfutures.host.invitation import Invitation

INVITATION = Invitation(["10.0.0.1"], ["h1"], 4711, "-----BEGIN", "secret")


def written(path: Path, text: str = json.dumps(asdict(INVITATION)) + "\nwhat the host said", mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_the_first_line_is_the_invitation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Invitation.read(written(tmp_path / "one")) == INVITATION
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Invitation.read("~/one") == INVITATION


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o606, 0o610])
def test_it_is_this_users_alone(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ValueError, match="not this user's alone"):
        Invitation.read(written(tmp_path / "one", mode=mode))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_it_belongs_to_this_user(tmp_path: Path) -> None:
    path = written(tmp_path / "one")
    os.chown(path, 4711, 4711)
    with pytest.raises(ValueError, match="not this user's alone"):
        Invitation.read(path)


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(written(tmp_path / "one"))
    with pytest.raises(OSError, match="symbolic links"):
        Invitation.read(str(tmp_path / "link"))


@pytest.mark.parametrize(
    "text", ["", "x", "{}", "[]", '{"port": 1}', '"text"', json.dumps({**asdict(INVITATION), "x": 1})]
)
def test_anything_else_is_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError):
        Invitation.read(written(tmp_path / "one", text))
