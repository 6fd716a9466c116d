"""One battery over both ssh clients, against real servers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Rootless
from lab.machines import wait_until

from fedfutures_launcher.remote.hello import HelloReader
from fedfutures_launcher.ssh.known_hosts import hashed_name
from fedfutures_launcher.ssh.session import LoginTarget
from fedfutures_launcher.ssh.texts.command import remote_command

from .conftest import Maker
from .talking import LIMIT_SECONDS, agent, altered, talk

pytestmark = pytest.mark.host


def print_of(hosts: Rootless, host: str, kind: str = "ed25519") -> str:
    file = hosts.directory / host / f"{kind}.pub"
    return subprocess.run(["ssh-keygen", "-lf", file], capture_output=True, text=True, check=True).stdout.split()[1]


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """A port where connections are made and nobody says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# -- a session that works --------------------------------------------------------------------------------------------


def test_streams_and_exit_status(hosts: Rootless, client: Maker) -> None:
    session = client(hosts.config).start(LoginTarget("a", "h1", command="cat; echo of errors >&2; exit 7"))
    assert talk(session, b"of input\n") == (b"of input\n", b"of errors\n")
    assert (session.status, session.failure, session.connected) == (7, None, True)


def test_much_both_ways(hosts: Rootless, client: Maker) -> None:
    data = os.urandom(1 << 20) * 20
    session = client(hosts.config).start(LoginTarget("a", "h1", command="tee /dev/stderr"))
    out, errors = talk(session, data)
    assert len(out) == len(errors) == len(data)
    assert hashlib.sha256(out).digest() == hashlib.sha256(errors).digest() == hashlib.sha256(data).digest()
    assert session.status == 0


def test_the_command_reads_nothing(hosts: Rootless, client: Maker) -> None:
    """What it leaves unread is no reason to hang."""
    session = client(hosts.config).start(LoginTarget("a", "h1", command="echo done"))
    wait_until(lambda: session.connected, "connected")
    assert talk(session, end=False) == (b"done\n", b"")
    assert session.status == 0


def test_killed_by_a_signal(hosts: Rootless, client: Maker) -> None:
    session = client(hosts.config).start(LoginTarget("a", "h1", command="kill -KILL $$"))
    assert talk(session) == (b"", b"")
    assert (session.status, session.failure) == (None, None)


@pytest.mark.fault("E6")
def test_noise_and_a_real_hello(hosts: Rootless, client: Maker) -> None:
    session = client(hosts.config).start(LoginTarget("a", "noisy", command=remote_command([sys.executable])))
    out, errors = talk(session)
    reader = HelloReader()
    assert (reader.feed(out), errors, reader.noise) == (b"", b"", b"You have mail.\n")
    assert reader.hello is not None
    assert reader.hello.python == sys.version_info[:3]
    assert reader.hello.address == hosts.machines["noisy"].address
    assert session.status == 0


# -- host keys -------------------------------------------------------------------------------------------------------


@pytest.mark.fault("E2")
def test_an_unknown_host(hosts: Rootless, client: Maker, tmp_path: Path) -> None:
    config = altered(hosts, tmp_path, UserKnownHostsFile=str(tmp_path / "known"))
    session = client(config).start(LoginTarget("a", "h1", command="echo no"))
    assert talk(session) == (b"", b"")
    assert session.failure is not None
    assert session.failure.kind == "host key unknown"
    assert print_of(hosts, "h1") in session.failure.text
    assert session.failure.remedy.startswith(f"ssh -F {config}")
    assert not (tmp_path / "known").exists()


def test_a_new_host_is_accepted_once(hosts: Rootless, client: Maker, tmp_path: Path) -> None:
    known = tmp_path / "known"
    config = altered(hosts, tmp_path, UserKnownHostsFile=str(known))
    first = client(config, "accept-new").start(LoginTarget("a", "h1", command="echo yes"))
    assert talk(first)[0] == b"yes\n"
    assert len(first.notes) == 1
    assert "h1" in first.notes[0]
    wait_until(lambda: known.read_text().count("\n") >= 1, "stored")
    assert stat.S_IMODE(known.stat().st_mode) == 0o600
    again = client(config).start(LoginTarget("a", "h1", command="echo known"))
    assert (talk(again)[0], again.notes) == (b"known\n", [])


@pytest.mark.fault("E2")
@pytest.mark.parametrize("policy", ["reject", "accept-new"])
def test_a_changed_host_key(hosts: Rootless, client: Maker, tmp_path: Path, policy: str) -> None:
    known = tmp_path / "known"
    lines = [line for line in hosts.known_hosts.read_text().splitlines() if "ed25519" in line]
    known.write_text("# of the lab\n" + lines[0].split()[0] + " " + lines[1].split(maxsplit=1)[1] + "\n")
    session = client(altered(hosts, tmp_path, UserKnownHostsFile=str(known)), policy).start(LoginTarget("a", "h1"))
    assert talk(session) == (b"", b"")
    assert session.failure is not None
    assert session.failure.kind == "host key changed"
    assert f"{known}:2" in session.failure.text
    assert session.failure.remedy == f"ssh-keygen -R '{lines[0].split()[0]}' -f {known}"


def test_the_type_that_is_known_is_asked_for_and_names_may_be_hashed(
    hosts: Rootless, client: Maker, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    name, kind, key = next(line.split() for line in hosts.known_hosts.read_text().splitlines() if "ecdsa" in line)
    known.write_text(f"{hashed_name(name)} {kind} {key}\n")
    session = client(altered(hosts, tmp_path, UserKnownHostsFile=str(known))).start(
        LoginTarget("a", "h1", command="echo yes")
    )
    assert (talk(session)[0], session.failure) == (b"yes\n", None)


# -- keys of the user ------------------------------------------------------------------------------------------------


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, timeout=LIMIT_SECONDS)
    return path


def encrypted(hosts: Rootless, path: Path) -> Path:
    key = path / "encrypted"
    key.write_bytes(hosts.key.read_bytes())
    key.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", key], check=True, capture_output=True, timeout=20
    )
    return key


@pytest.mark.fault("E3")
def test_a_key_that_is_not_accepted(hosts: Rootless, client: Maker, tmp_path: Path) -> None:
    config = altered(hosts, tmp_path, IdentityFile=str(make_key(tmp_path / "other")))
    session = client(config).start(LoginTarget("a", "h1"))
    assert talk(session) == (b"", b"")
    assert session.failure is not None
    assert session.failure.kind == "authentication failed"
    assert f"{tmp_path}/other" in session.failure.text
    assert session.failure.remedy.startswith(f"ssh-copy-id -F {config} -p ")


@pytest.mark.fault("E3")
def test_an_encrypted_key(hosts: Rootless, client: Maker, tmp_path: Path) -> None:
    key = encrypted(hosts, tmp_path)
    session = client(altered(hosts, tmp_path, IdentityFile=str(key))).start(LoginTarget("a", "h1"))
    assert talk(session) == (b"", b"")
    assert session.failure is not None
    assert (session.failure.kind, session.failure.remedy) == ("key encrypted", f"ssh-add {key}")
    assert f"the key {key} is encrypted and no agent holds it" in session.failure.text


def test_an_encrypted_key_that_the_agent_holds(hosts: Rootless, client: Maker, tmp_path: Path) -> None:
    with agent(hosts.key, tmp_path) as door:
        config = altered(hosts, tmp_path, IdentityFile=str(encrypted(hosts, tmp_path)), IdentityAgent=str(door))
        session = client(config).start(LoginTarget("a", "h1", command="echo yes"))
        assert (talk(session)[0], session.failure) == (b"yes\n", None)


# -- through other hosts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["h2", "h3"])
def test_through_one_host_and_two(hosts: Rootless, client: Maker, host: str) -> None:
    before = hosts.logins("h1")
    session = client(hosts.config).start(LoginTarget("a", host, command="echo $SSH_CONNECTION"))
    out, _ = talk(session)
    assert out.split()[2].decode() == hosts.machines[host].address
    assert hosts.logins("h1") == before + 1


def test_through_a_host_that_the_caller_names(hosts: Rootless, client: Maker) -> None:
    before = hosts.logins("noisy")
    jump = LoginTarget("door", "noisy", jump=LoginTarget("outer", "h1"))
    one = client(hosts.config)
    for session in [one.start(LoginTarget("a", "busy", jump=jump, command="echo yes")) for _ in range(2)]:
        assert (talk(session)[0], session.failure) == (b"yes\n", None)
    assert hosts.logins("noisy") - before in (1, 2)  # paramiko: one connection for both


def test_by_a_proxy_command(hosts: Rootless, client: Maker, tmp_path: Path) -> None:
    config = tmp_path / "config"
    text = hosts.config.read_text().replace("ProxyJump h1", f"ProxyCommand ssh -F {hosts.config} -W [%h]:%p h1")
    config.write_text(text)
    session = client(config).start(LoginTarget("a", "h2", command="echo yes"))
    assert (talk(session)[0], session.failure) == (b"yes\n", None)


def test_a_jump_host_that_fails(hosts: Rootless, client: Maker) -> None:
    session = client(hosts.config).start(LoginTarget("a", "h1", jump=LoginTarget("door", "127.0.0.1", port=1)))
    assert talk(session) == (b"", b"")
    assert session.failure is not None
    assert session.failure.kind == "jump host failed"
    assert re.search("h1: its jump host 127.0.0.1 failed: .* port 1", session.failure.text)


def test_a_host_behind_that_refuses(hosts: Rootless, client: Maker) -> None:
    session = client(hosts.config).start(LoginTarget("a", "h2", port=1))
    assert talk(session) == (b"", b"")
    assert session.failure is not None
    assert session.failure.kind == "refused"
    assert session.failure.text.startswith("h2: ")


# -- no session ------------------------------------------------------------------------------------------------------


def test_nobody_listens(hosts: Rootless, client: Maker) -> None:
    session = client(hosts.config).start(LoginTarget("a", "h1", port=1))
    assert talk(session) == (b"", b"")
    assert session.failure is not None
    assert session.failure.kind == "refused"
    assert "h1: no ssh server listens at 127.0.1.1 port 1" in session.failure.text


def test_an_unknown_name(hosts: Rootless, client: Maker) -> None:
    session = client(hosts.config).start(LoginTarget("a", "no-such-host.invalid"))
    assert talk(session) == (b"", b"")
    assert session.failure is not None
    assert session.failure.kind == "unresolved name"
    assert "no-such-host.invalid" in session.failure.remedy


def test_a_server_that_never_speaks(hosts: Rootless, client: Maker, tmp_path: Path) -> None:
    with silent_server() as port:
        began = time.monotonic()
        session = client(altered(hosts, tmp_path, ConnectTimeout="1")).start(LoginTarget("a", "127.0.0.1", port=port))
        assert talk(session) == (b"", b"")
        assert 0.9 < time.monotonic() - began < 5
    assert session.failure is not None
    assert session.failure.kind == "no banner"


def test_a_host_that_drops_packets(hosts: Rootless, client: Maker, tmp_path: Path) -> None:
    """A backlog that is full: the kernel leaves further connections without an answer."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(server.getsockname())
        config = altered(hosts, tmp_path, ConnectTimeout="1")
        session = client(config).start(LoginTarget("a", "127.0.0.1", port=server.getsockname()[1]))
        assert talk(session) == (b"", b"")
    assert session.failure is not None
    assert session.failure.kind == "timeout"


@pytest.mark.fault("E4")
def test_many_logins_at_once(hosts: Rootless, client: Maker) -> None:
    one = client(hosts.config)
    sessions = [one.start(LoginTarget(f"b{number}", "busy", command=f"echo {number}")) for number in range(24)]
    assert [talk(session)[0] for session in sessions] == [b"%d\n" % number for number in range(24)]
    assert [session.failure for session in sessions] == [None] * 24


# -- the end ---------------------------------------------------------------------------------------------------------


def test_a_connection_that_is_lost(hosts: Rootless, client: Maker) -> None:
    session = client(hosts.config).start(LoginTarget("a", "h1", command="echo up; exec cat"))
    assert select.select([session.read_fd], [], [], LIMIT_SECONDS)[0]
    assert os.read(session.read_fd, 100) == b"up\n"
    hosts.kill_sessions("h1")
    talk(session)
    assert session.failure is not None
    assert session.failure.kind == "lost"
    assert session.status is None


def test_closing_does_not_wait(hosts: Rootless, client: Maker) -> None:
    """Neither for one that connects, nor for one that runs, nor for one that nobody reads from."""
    one = client(hosts.config)
    running = one.start(LoginTarget("a", "h1", command="exec cat"))
    flooding = one.start(LoginTarget("b", "h2", command="yes"))
    wait_until(lambda: running.connected and flooding.connected, "connected")
    with silent_server() as port:
        connecting = one.start(LoginTarget("c", "127.0.0.1", port=port))
        waiting = one.start(LoginTarget("d", "h1", jump=LoginTarget("door", "127.0.0.1", port=port)))
        began = time.monotonic()
        one.close()
        assert time.monotonic() - began < 5
    for session in (running, flooding, connecting, waiting):
        assert session.closed
        assert session.read_fd == -1
    wait_until(lambda: not hosts.processes("h1"), "the command has ended")
