"""The key pair of one who comes by TCP, and the file of keys that are let in."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import paramiko
import pytest

from fedfutures.errors import StartFailed
from fedfutures_launcher.ssh.known_hosts import fingerprint
from fedfutures_launcher.ssh.own_keys import AllowedKeys, key_of, loaded, made, public_line, usual_path


def line_of(path: Path, comment: str = "") -> str:
    made(str(path))
    kind, key, own = public_line(loaded(str(path))).split()
    return f"{kind} {key} {comment or own}"


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    before = os.umask(0)
    try:
        assert made(str(path))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["key"]
    text = path.read_bytes()
    assert not made(str(path))
    assert path.read_bytes() == text
    assert isinstance(loaded(str(path)), paramiko.Ed25519Key)


def test_openssh_reads_what_is_made(tmp_path: Path) -> None:
    line = line_of(tmp_path / "key")
    try:
        said = subprocess.run(["ssh-keygen", "-y", "-f", tmp_path / "key"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed")
    assert said.stdout.split()[:2] == line.split()[:2]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    made(str(path))
    path.chmod(mode)
    with pytest.raises(StartFailed, match=f"chmod 600 {path}") as error:
        loaded(str(path))
    assert error.value.exit_code == 2
    with pytest.raises(StartFailed, match="others can read"):
        made(str(path))


def test_what_is_no_key_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"there is no key .*; try: fedfutures key"):
        loaded(str(tmp_path / "none"))
    path = tmp_path / "key"
    path.touch(0o600)
    with pytest.raises(StartFailed, match="is no ed25519 key"):
        loaded(str(path))
    with pytest.raises(StartFailed, match="is no ed25519 key"):
        made(str(path))
    with pytest.raises(StartFailed, match="no key can be written"):
        made(str(path / "below"))


def test_the_file_of_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("FEDFUTURES_KEY", raising=False)
    assert usual_path() == str(tmp_path / "fedfutures" / "key")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert usual_path() == os.path.expanduser("~/.config/fedfutures/key")
    monkeypatch.setenv("FEDFUTURES_KEY", "/elsewhere/key")
    assert usual_path() == "/elsewhere/key"


def test_keys_are_let_in_and_no_longer(tmp_path: Path) -> None:
    allowed = AllowedKeys(str(tmp_path))
    ann, bob, cat = (line_of(tmp_path / name, f"{name}@node") for name in ("ann", "bob", "cat"))
    assert allowed.lines() == []
    assert not allowed.has(key_of(ann))
    assert allowed.remove(ann) == []
    assert [allowed.add(line) for line in (ann, f"  {bob}  ", cat, ann)] == [True, True, True, False]
    assert stat.S_IMODE((tmp_path / "allowed").stat().st_mode) == 0o600
    assert allowed.lines() == [ann, bob, cat]
    assert allowed.remove(fingerprint(key_of(ann))) == [fingerprint(key_of(ann))]
    assert not allowed.has(key_of(ann))
    assert allowed.has(key_of(bob))
    assert allowed.remove("bob@node") == [fingerprint(key_of(bob))]
    assert allowed.remove(" ".join(cat.split()[:2])) == [fingerprint(key_of(cat))]
    assert allowed.lines() == []


def test_what_somebody_has_written_into_the_file_lets_nobody_in(tmp_path: Path) -> None:
    allowed, ann = AllowedKeys(str(tmp_path)), line_of(tmp_path / "ann")
    (tmp_path / "allowed").write_text(f"# mine\n\nssh-rsa AAAA x\n{ann}\n")
    assert allowed.has(key_of(ann))
    assert not allowed.has(b"")
    (tmp_path / "allowed").write_bytes(b"\xff\xfe")
    assert not allowed.has(key_of(ann))
    with pytest.raises(StartFailed, match="cannot be read"):
        allowed.add(ann)
    (tmp_path / "allowed").unlink()
    (tmp_path / "allowed").mkdir()
    with pytest.raises(StartFailed, match="cannot be"):
        allowed.add(ann)


@pytest.mark.parametrize(
    "word",
    ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 AAAA", "ssh-rsa AAAAB3NzaC1yc2E= x", "SHA256:abc", "key.pub"],
)
def test_what_is_no_public_key(word: str) -> None:
    with pytest.raises(StartFailed, match="is no public key; fedfutures key prints one") as error:
        key_of(word)
    assert error.value.exit_code == 2
