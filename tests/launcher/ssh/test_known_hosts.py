"""known_hosts, as OpenSSH reads it."""

from __future__ import annotations

import base64
import doctest
import stat
from pathlib import Path

import pytest

from fedfutures_launcher.ssh import known_hosts
from fedfutures_launcher.ssh.known_hosts import add, entry_name, fingerprint, hashed_name, matches, read

KEY = base64.b64encode(b"a key").decode()


def test_examples() -> None:
    assert doctest.testmod(known_hosts).failed == 0


@pytest.mark.parametrize(
    ("names", "name", "same"),
    [
        ("a.example", "a.example", True), ("A.Example", "a.example", True), ("a.example", "b.example", False),
        ("*.example", "a.example", True), ("node?", "node7", True), ("node?", "node17", False),
        ("*.example,!a.example", "a.example", False), ("!a.example,*.example", "a.example", False),
        ("[a.example]:2222", "[a.example]:2222", True), ("[a.example]:2222", "a", False), ("[*]:22", "[x]:22", True),
        ("a.example", "[a.example]:2222", False), ("x,10.0.0.1,y", "10.0.0.1", True),
        ("2001:db8::1", "2001:db8::1", True),
        ("|1|nonsense", "a", False), ("|1|!|!", "a", False), (hashed_name("[a]:22"), "[a]:22", True),
        (hashed_name("a"), "b", False),
    ],
)  # fmt: skip
def test_names(names: str, name: str, same: bool) -> None:
    assert matches(names, name) is same


def test_names_with_ports() -> None:
    assert (entry_name("A", 22), entry_name("2001:DB8::1", 2222)) == ("a", "[2001:db8::1]:2222")


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text(
        f"# a comment\n\nh1 ssh-ed25519 {KEY} of somebody\nh1 only-two\n@revoked * ssh-rsa {KEY}\nh2 ssh-rsa ===!\n"
        f"@cert-authority *.example ssh-rsa {KEY}\n\th1\tssh-rsa\t{KEY}\n"
    )
    lines = read([str(tmp_path / "missing"), str(file)])
    found = [line for line in lines if matches(line.names, "h1")]
    assert [(line.number, line.marker, line.kind) for line in found] == [
        (3, "", "ssh-ed25519"), (5, "@revoked", "ssh-rsa"), (8, "", "ssh-rsa")
    ]  # fmt: skip
    assert {line.key for line in found} == {b"a key"}
    assert found[0].where == f"{file}:3"


def test_adding(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known"
    add(str(file), "h1", "ssh-ed25519", b"a key")
    with file.open("a") as opened:
        opened.write("# no newline")
    add(str(file), "h2", "ssh-rsa", b"another")
    assert [(line.names, line.key) for line in read([str(file)])] == [("h1", b"a key"), ("h2", b"another")]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_fingerprints() -> None:
    """As ssh-keygen has it: no padding."""
    assert fingerprint(b"") == "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
