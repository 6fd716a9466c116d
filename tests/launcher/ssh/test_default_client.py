"""What ``ssh -o BatchMode=yes HOST true`` can do, the client of a run can do: a table of configs, against real servers.

Each config is tried by the user's own ssh, by the client of a run that names none, and by the OpenSSH client. They
must all be let in, or none of them.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from lab import Rootless
from lab.machines import wait_until

from fedfutures_launcher.ssh.client import Client
from fedfutures_launcher.ssh.default_client import DefaultClient
from fedfutures_launcher.ssh.openssh_client import OpenSSHClient
from fedfutures_launcher.ssh.session import LoginTarget, Session

from .talking import LIMIT_SECONDS, agent, altered, talk

pytestmark = [pytest.mark.host, pytest.mark.once]

CLIENTS: dict[str, Callable[..., Client]] = {
    "default": DefaultClient, "openssh": lambda config: OpenSSHClient("ssh", config)
}  # fmt: skip


class Tried(NamedTuple):
    """A config that is being tried, and the host of it that is meant."""

    config: Path
    host: str = "tower"
    let_in: bool = True


def config(hosts: Rootless, path: Path, *lines: str, host: str = "h1", instead_of: str = "") -> Path:
    """Write a config for ``tower``: a host of the laboratory, with these lines first, and without some."""
    machine = hosts.machines[host]
    usual = [
        f"HostName {machine.address}", f"Port {machine.port}", f"IdentityFile {hosts.key}", "IdentitiesOnly yes",
        f"UserKnownHostsFile {hosts.known_hosts}", "GlobalKnownHostsFile /dev/null",
    ]  # fmt: skip
    left = [line for line in usual if not instead_of or line.partition(" ")[0] not in instead_of.split()]
    text = "Host tower\n" + "".join(f"    {line}\n" for line in [*lines, *left])
    (path / "config").write_text(text + hosts.config.read_text())
    return path / "config"


def only_the_public_half(named: str, *, held: bool) -> Callable[..., object]:
    """Return what makes a config that names this file; ``work.pub`` is all that there is, and an agent may hold it."""

    @contextlib.contextmanager
    def made(hosts: Rootless, path: Path) -> Iterator[Tried]:
        (path / "work.pub").write_text(Path(f"{hosts.key}.pub").read_text())
        with agent(hosts.key, path) if held else contextlib.nullcontext("none") as socket:
            lines = (f"IdentityFile {path}/{named}", f"IdentityAgent {socket}")
            yield Tried(config(hosts, path, *lines, instead_of="IdentityFile"), let_in=held)

    return made


@contextlib.contextmanager
def known_by_the_plain_name(hosts: Rootless, path: Path) -> Iterator[Tried]:
    machine = hosts.machines["h1"]
    text = hosts.known_hosts.read_text().replace(f"[{machine.address}]:{machine.port}", machine.address)
    (path / "known").write_text(text)
    yield Tried(config(hosts, path, f"UserKnownHostsFile {path}/known", instead_of="UserKnownHostsFile"))


@contextlib.contextmanager
def another_key_by_the_plain_name(hosts: Rootless, path: Path) -> Iterator[Tried]:
    machine = hosts.machines["h1"]
    key = hosts.known_hosts.read_text().splitlines()[-1].split(maxsplit=1)[1]
    (path / "known").write_text(f"{machine.address} {key}\n")
    yield Tried(config(hosts, path, f"UserKnownHostsFile {path}/known", instead_of="UserKnownHostsFile"), let_in=False)


def plainly(*lines: str, let_in: bool = True, instead_of: str = "", **more: str) -> Callable[..., object]:
    """Return what makes a config with these lines; ``{path}`` stands for a directory, ``{key}`` for the key."""

    @contextlib.contextmanager
    def made(hosts: Rootless, path: Path) -> Iterator[Tried]:
        facts = {"path": str(path), "key": str(hosts.key), "own": str(hosts.config), "known": str(hosts.known_hosts)}
        said = [line.format(**facts) for line in lines]
        yield Tried(config(hosts, path, *said, instead_of=instead_of, **more), let_in=let_in)

    return made


@contextlib.contextmanager
def changed_and_unchecked(hosts: Rootless, path: Path) -> Iterator[Tried]:
    first, second, *_ = hosts.known_hosts.read_text().splitlines()
    (path / "known").write_text(f"{first.split()[0]} {second.split(maxsplit=1)[1]}\n")
    lines = (f"UserKnownHostsFile {path}/known", "StrictHostKeyChecking no")
    yield Tried(config(hosts, path, *lines, instead_of="UserKnownHostsFile"))


@contextlib.contextmanager
def key_with_a_blank(hosts: Rootless, path: Path) -> Iterator[Tried]:
    (path / "of mine").mkdir()
    (path / "of mine" / "key").write_bytes(hosts.key.read_bytes())
    (path / "of mine" / "key").chmod(0o600)
    (path / "of mine" / "known").write_bytes(hosts.known_hosts.read_bytes())
    lines = (f'IdentityFile "{path}/of mine/key"', f'UserKnownHostsFile {path}/other "{path}/of mine/known"')
    yield Tried(config(hosts, path, *lines, instead_of="IdentityFile UserKnownHostsFile"))


@contextlib.contextmanager
def key_by_tokens(hosts: Rootless, path: Path) -> Iterator[Tried]:
    (path / "tower").mkdir()
    (path / "tower" / "id").symlink_to(hosts.key)
    yield Tried(config(hosts, path, f"IdentityFile {path}/%n/id", instead_of="IdentityFile"))


@contextlib.contextmanager
def included(hosts: Rootless, path: Path) -> Iterator[Tried]:
    (path / "more").write_text(f"Match exec \"test '%n' = tower\"\n  IdentityFile {hosts.key}\n")
    made = config(hosts, path, instead_of="IdentityFile")
    made.write_text(f"Include {path}/mor? {path}/missing\n" + made.read_text())
    yield Tried(made)


@contextlib.contextmanager
def words_for_others(hosts: Rootless, path: Path) -> Iterator[Tried]:
    made = config(hosts, path)
    made.write_text("Match host tower exec false\n  Port 1\nMatch final host rack\n  Port 1\n" + made.read_text())
    yield Tried(made)


@contextlib.contextmanager
def shared_master(hosts: Rootless, path: Path) -> Iterator[Tried]:
    """A login that somebody has made by hand, with what the built-in client has not."""
    with tempfile.TemporaryDirectory() as short:  # the path of a socket has 108 characters at most
        control = Path(short) / "master"
        first = config(hosts, path, f"ControlPath {control}")
        master = ["ssh", "-F", str(first), "-o", "BatchMode=yes", "-M", "-N", "tower"]
        with subprocess.Popen(master, stderr=subprocess.DEVNULL) as process:
            try:
                wait_until(control.exists, "the master is there")
                lines = (f"ControlPath {control}", "IdentityFile none", "IdentityAgent none")
                yield Tried(config(hosts, path, *lines, instead_of="IdentityFile"))
            finally:
                process.terminate()


CONFIGS: dict[str, Callable[..., object]] = {
    "usual": plainly(),
    "public half named": only_the_public_half("work.pub", held=True),
    "private half elsewhere": only_the_public_half("work", held=True),
    "private half nowhere": only_the_public_half("work", held=False),
    "known by the plain name": known_by_the_plain_name,
    "another key by the plain name": another_key_by_the_plain_name,
    "unchecked": plainly(
        "StrictHostKeyChecking no", "UserKnownHostsFile /dev/null", instead_of="UserKnownHostsFile"
    ),
    "new ones accepted": plainly(
        "StrictHostKeyChecking accept-new", "UserKnownHostsFile {path}/known", instead_of="UserKnownHostsFile"
    ),
    "asked about": plainly("UserKnownHostsFile {path}/known", instead_of="UserKnownHostsFile", let_in=False),
    "changed and unchecked": changed_and_unchecked,
    "blanks in names": key_with_a_blank,
    "tokens": key_by_tokens,
    "included": included,
    "Match for others": words_for_others,
    "proxy command": plainly("ProxyCommand ssh -F {own} -W [%h]:%p h1", host="h2"),
    "proxy command that fails": plainly("ProxyCommand sh -c 'echo first the VPN >&2; exit 3'", let_in=False),
    "jump host": plainly("ProxyJump h1", host="h2"),
    "jump host that lets nothing through": plainly("ProxyJump narrow", let_in=False),
    "two factors": plainly(host="factors", let_in=False),
    "shared master": shared_master,
}  # fmt: skip


@contextlib.contextmanager
def session(client: Client, host: str, command: str = "echo yes") -> Iterator[tuple[Session, bytes]]:
    """A session that is over, and what it has written."""
    try:
        one = client.start(LoginTarget("a", host, command=command))
        yield one, talk(one)[0]
    finally:
        client.close()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", CONFIGS)
def test_who_is_let_in_by_ssh_is_let_in_here(hosts: Rootless, tmp_path: Path, name: str, client: str) -> None:
    made: Callable[..., contextlib.AbstractContextManager[Tried]] = CONFIGS[name]  # type: ignore[assignment]
    with made(hosts, tmp_path) as tried:
        ours = CLIENTS[client](str(tried.config))
        with session(ours, tried.host) as (one, said):
            assert (said, one.failure is None) == ((b"yes\n", True) if tried.let_in else (b"", False)), one.failure
        by_hand = ["ssh", "-F", str(tried.config), "-o", "BatchMode=yes", tried.host, "true"]
        done = subprocess.run(by_hand, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_SECONDS)
        assert (done.returncode == 0) is tried.let_in, done.stderr.decode()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_second_factor_is_named(hosts: Rootless, client: str) -> None:
    with session(CLIENTS[client](str(hosts.config)), "factors") as (one, _):
        assert one.failure is not None
        assert (one.failure.kind, "keyboard-interactive" in one.failure.text) == ("second factor wanted", True)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_proxy_command_that_fails_says_why(hosts: Rootless, tmp_path: Path, client: str) -> None:
    made = config(hosts, tmp_path, "ProxyCommand sh -c 'echo first the VPN >&2; exit 3'")
    with session(CLIENTS[client](str(made)), "tower") as (one, _):
        assert one.failure is not None
        assert one.failure.kind == "proxy command failed"
        assert "first the VPN" in one.failure.text
        assert one.failure.remedy == "sh -c 'echo first the VPN >&2; exit 3'"
        assert client == "openssh" or "exit code 3" in one.failure.text


@pytest.mark.parametrize("client", CLIENTS)
def test_a_jump_host_that_lets_nothing_through_is_named(hosts: Rootless, client: str) -> None:
    with session(CLIENTS[client](str(hosts.config)), "inner") as (one, _):
        assert one.failure is not None
        assert one.failure.kind == "not let through"
        assert "narrow lets no connection through" in one.failure.text


@pytest.mark.parametrize("client", CLIENTS)
def test_keys_that_are_taken_unseen_are_said_once(hosts: Rootless, tmp_path: Path, client: str) -> None:
    made = altered(hosts, tmp_path, UserKnownHostsFile="/dev/null", StrictHostKeyChecking="no")
    ours = CLIENTS[client](str(made))
    try:
        sessions = [ours.start(LoginTarget(host, host, command="echo yes")) for host in ("h1", "h2", "noisy")]
        notes = []
        for one in sessions:
            talk(one)
            notes += one.take_notes()
    finally:
        ours.close()
    assert [note for note in notes if "StrictHostKeyChecking no" in note] == notes[:1], notes
    assert len(notes) == 1
