"""What only the OpenSSH client does; what both clients do is in test_clients."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lab import Rootless

from fedfutures_launcher.ssh.openssh_client import OpenSSHClient
from fedfutures_launcher.ssh.session import LoginTarget

from .talking import altered, talk

pytestmark = pytest.mark.host


def test_a_shared_master(hosts: Rootless, tmp_path: Path) -> None:
    """The second session goes through the connection of the first, which stays behind as the user wishes."""
    config = altered(hosts, tmp_path, ControlMaster="auto", ControlPersist="60", ControlPath=f"{tmp_path}/%n")
    one, before = OpenSSHClient("ssh", str(config)), hosts.logins("h1")
    try:
        for _ in range(2):
            session = one.start(LoginTarget("a", "h1", command="cat; echo errors >&2; exit 4"))
            out, errors = talk(session, b"input")
            assert (out, errors.endswith(b"errors\n")) == (b"input", True), errors  # a shell may have said more before
            assert (session.status, session.failure, session.connected) == (4, None, True)
        assert hosts.logins("h1") == before + 1
    finally:
        one.close()
        subprocess.run(["ssh", "-F", config, "-O", "exit", "h1"], check=True, capture_output=True, timeout=20)


def test_a_client_that_is_missing() -> None:
    session = OpenSSHClient("/no/such/ssh").start(LoginTarget("a", "h1"))
    assert talk(session, end=False) == (b"", b"")
    assert session.failure is not None
    assert (session.failure.kind, session.failure.remedy) == ("no such executable", "command -v /no/such/ssh")


def test_another_program_in_its_place() -> None:
    """It says nothing that tells when it is logged in; so nobody waits for that."""
    program = """sh -c 'case "$*" in *-G*) exit 1;; esac; cat; echo errors >&2; exit 5' its-name"""
    session = OpenSSHClient(program).start(LoginTarget("a", "h1", command="ignored"))
    assert talk(session, b"input\n") == (b"input\n", b"errors\n")
    assert (session.status, session.failure) == (5, None)
