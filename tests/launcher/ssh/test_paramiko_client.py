"""What only the paramiko client does; what both clients do is in test_clients."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Rootless
from lab.machines import wait_until

from fedfutures_launcher.ssh.paramiko_client import ParamikoClient
from fedfutures_launcher.ssh.session import LoginTarget

from .talking import LIMIT_SECONDS, altered, talk

pytestmark = pytest.mark.host


@pytest.fixture
def client(hosts: Rootless) -> Iterator[ParamikoClient]:
    made = ParamikoClient(str(hosts.config))
    yield made
    made.close()


def test_hosts_behind_an_access_host_share_one_connection_to_it(hosts: Rootless, client: ParamikoClient) -> None:
    before = hosts.logins("h1")
    sessions = [client.start(LoginTarget(f"s{number}", "h2", command=f"echo {number}")) for number in range(6)]
    assert [talk(session)[0] for session in sessions] == [b"%d\n" % number for number in range(6)]
    assert hosts.logins("h1") == before + 1


def test_another_connection_is_made_to_an_access_host_once_the_first_is_lost(
    hosts: Rootless, client: ParamikoClient
) -> None:
    before = hosts.logins("h1")
    session = client.start(LoginTarget("a", "h2", command="exec cat"))
    wait_until(lambda: session.connected, "connected")
    hosts.kill_sessions("h1")
    talk(session, end=False)
    assert session.failure is not None
    assert session.failure.kind == "lost"
    again = client.start(LoginTarget("a", "h2", command="echo back"))
    assert (talk(again)[0], again.failure) == (b"back\n", None)
    assert hosts.logins("h1") == before + 2


def test_an_access_host_that_failed_is_tried_again_for_the_next_session(hosts: Rootless, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text("")
    client = ParamikoClient(str(altered(hosts, tmp_path, UserKnownHostsFile=str(known))))
    try:
        first = client.start(LoginTarget("a", "h2", command="echo no"))
        assert talk(first) == (b"", b"")
        assert first.failure is not None
        assert first.failure.kind == "jump host failed"
        assert "h2: its jump host h1 failed: h1 (127.0.1.1 port" in first.failure.text
        known.write_bytes(hosts.known_hosts.read_bytes())
        second = client.start(LoginTarget("a", "h2", command="echo yes"))
        assert (talk(second)[0], second.failure) == (b"yes\n", None)
    finally:
        client.close()


def test_a_revoked_host_key(hosts: Rootless, tmp_path: Path) -> None:
    """It stands among the trusted ones as well: revoked counts."""
    known = tmp_path / "known"
    lines = hosts.known_hosts.read_text().splitlines()
    known.write_text("\n".join([*lines, *(f"@revoked {line}" for line in lines)]) + "\n")
    client = ParamikoClient(str(altered(hosts, tmp_path, UserKnownHostsFile=str(known))))
    session = client.start(LoginTarget("a", "h1", command="echo no"))
    assert talk(session) == (b"", b"")
    client.close()
    assert session.failure is not None
    assert session.failure.kind == "host key changed"
    assert f"revoked in {known}:" in session.failure.text
    assert session.failure.remedy == f"grep -n @revoked {known}"


def test_new_names_are_stored_as_hashes_where_the_config_says_so(hosts: Rootless, tmp_path: Path) -> None:
    known = tmp_path / "known"
    config = altered(hosts, tmp_path, UserKnownHostsFile=str(known), HashKnownHosts="yes")
    client = ParamikoClient(str(config), host_key_policy="accept-new")
    session = client.start(LoginTarget("a", "h1", command="echo yes"))
    assert (talk(session)[0], session.failure) == (b"yes\n", None)
    client.close()
    assert known.read_text().startswith("|1|")
    assert subprocess.run(["ssh-keygen", "-lf", known], capture_output=True, check=True).stdout


def test_a_strict_config_forbids_to_store_a_key(hosts: Rootless, tmp_path: Path) -> None:
    known = tmp_path / "known"
    config = altered(hosts, tmp_path, UserKnownHostsFile=str(known), StrictHostKeyChecking="yes")
    client = ParamikoClient(str(config), host_key_policy="accept-new")
    session = client.start(LoginTarget("a", "h1", command="echo no"))
    talk(session)
    client.close()
    assert session.failure is not None
    assert session.failure.kind == "host key unknown"
    assert not known.exists()


def test_a_server_that_hangs_up_is_tried_again_and_then_too_busy(hosts: Rootless, tmp_path: Path) -> None:
    """Nobody reads `BUSY_SECONDS` for that: the session is closed while the client pauses between two logins."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[int] = []

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    accepted.append(1)
                    connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        client = ParamikoClient(str(altered(hosts, tmp_path)))
        session = client.start(LoginTarget("a", "127.0.0.1", port=server.getsockname()[1]))
        wait_until(lambda: len(accepted) > 2, "the login is tried again")
        began = time.monotonic()
        client.close()
        assert time.monotonic() - began < LIMIT_SECONDS
        server.shutdown(socket.SHUT_RDWR)
        thread.join(LIMIT_SECONDS)
    assert session.failure is not None
    assert session.failure.kind == "too many connections"


def test_a_server_that_speaks_another_protocol(hosts: Rootless, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"SSH-1.5-of-old\r\n")
                    connection.recv(1000)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        client = ParamikoClient(str(altered(hosts, tmp_path, ConnectTimeout="5")))
        session = client.start(LoginTarget("a", "127.0.0.1", port=server.getsockname()[1]))
        assert talk(session) == (b"", b"")
        client.close()
        thread.join(LIMIT_SECONDS)
    assert session.failure is not None
    assert session.failure.kind == "protocol"
    assert "1.5" in session.failure.text


def test_an_error_of_the_config_is_the_failure_of_the_session(tmp_path: Path) -> None:
    client = ParamikoClient(str(tmp_path / "missing"))
    session = client.start(LoginTarget("a", "h1"))
    assert talk(session, end=False) == (b"", b"")
    client.close()
    assert session.failure is not None
    assert session.failure.kind == "ssh config"
    assert str(tmp_path / "missing") in session.failure.text


def test_paramiko_prints_nothing(hosts: Rootless) -> None:
    """Where nobody has set logging up, its warnings would go to standard error."""
    code = (
        "import sys\n"
        "from fedfutures_launcher.ssh.paramiko_client import ParamikoClient\n"
        "from fedfutures_launcher.ssh.session import LoginTarget\n"
        "client = ParamikoClient(sys.argv[1])\n"
        "session = client.start(LoginTarget('a', 'h1', port=1))\n"
        "session.join(1e9)\n"
        "import logging\n"
        "logging.getLogger('paramiko.transport').error('an error of paramiko')\n"
        "client.close()\n"
        "print(session.failure.kind)\n"
    )
    command = [sys.executable, "-c", code, str(hosts.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, env=dict(os.environ))
    assert (done.stdout, done.stderr) == ("refused\n", "")
