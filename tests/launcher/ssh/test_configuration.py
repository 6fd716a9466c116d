"""What ~/.ssh/config says, for paramiko."""

from __future__ import annotations

import getpass
import shutil
from pathlib import Path

import pytest

from fedfutures_launcher.ssh.asking import home_of_ssh
from fedfutures_launcher.ssh.configuration import Configuration, Route, Unusable
from fedfutures_launcher.ssh.session import CONNECT_SECONDS, LoginTarget


def route(tmp_path: Path, text: str, target: LoginTarget) -> Route:
    (tmp_path / "config").write_text(text)
    return Configuration(str(tmp_path / "config")).route(target)


@pytest.fixture(autouse=True, params=["by ssh", "without an ssh"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home directory: ssh looks it up, and does not care for the environment."""
    monkeypatch.setenv("SSH_AUTH_SOCK", "/of/the/agent")
    if request.param == "by ssh":
        if shutil.which("ssh") is None:
            pytest.skip("there is no ssh")
        return Path(home_of_ssh())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def test_nothing_said(tmp_path: Path, home: Path) -> None:
    found = route(tmp_path, "", LoginTarget("a", "h1"))
    assert (found.host, found.address, found.port, found.user) == ("h1", "h1", 22, getpass.getuser())
    assert found.keys == [f"{home}/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ed25519")]
    assert (found.keys_named, found.only_these_keys, found.agent) == (False, False, "/of/the/agent")
    assert found.user_known_hosts[0] == f"{home}/.ssh/known_hosts"
    assert (found.via, found.proxy_command, found.seconds, found.checking) == (None, None, CONNECT_SECONDS, "ask")


def test_all_that_counts(tmp_path: Path, home: Path) -> None:
    text = """
        Host h1
            HostName node1.%h.example
            User ann
            Port 2222
            IdentityFile ~/keys/%r
            IdentityFile "/with space/key"
            IdentitiesOnly yes
            IdentityAgent none
            HostKeyAlias the-alias
            UserKnownHostsFile ~/own "/with space/known"
            GlobalKnownHostsFile none
            StrictHostKeyChecking yes
            HashKnownHosts yes
            ConnectTimeout 4
        Host *
            Port 99
            IdentityFile ~/keys/last
    """
    found = route(tmp_path, text, LoginTarget("a", "h1"))
    assert (found.address, found.port, found.user) == ("node1.h1.example", 2222, "ann")
    assert found.keys == [f"{home}/keys/ann", "/with space/key", f"{home}/keys/last"]
    assert (found.keys_named, found.only_these_keys, found.agent) == (True, True, "")
    assert (found.known_as, found.user_known_hosts) == ("the-alias", [f"{home}/own", "/with space/known"])
    assert (found.system_known_hosts, found.checking, found.hash_names, found.seconds) == ([], "yes", True, 4.0)


def test_the_caller_goes_first(tmp_path: Path) -> None:
    found = route(tmp_path, "Host *\nUser ann\nPort 5\nIdentityFile /%r\n", LoginTarget("a", "h1", user="bob", port=7))
    assert (found.user, found.port, found.keys) == ("bob", 7, ["/bob"])


def test_chains(tmp_path: Path) -> None:
    text = """
        Host inner
            ProxyJump ann@door:2200,middle
        Host middle
            HostName 10.0.0.2
            ProxyJump never-used
        Host door
            HostName door.example
            User bob
            Port 5
            ProxyJump outer
    """
    inner = route(tmp_path, text, LoginTarget("a", "inner"))
    middle = inner.via
    assert middle is not None
    assert middle.address == "10.0.0.2"
    door = middle.via
    assert door is not None
    assert (door.address, door.user, door.port) == ("door.example", "ann", 2200)
    assert door.via is not None
    assert (door.via.address, door.via.via) == ("outer", None)
    assert inner.identity != middle.identity


def test_the_callers_jump_host_takes_the_place_of_the_configs(tmp_path: Path) -> None:
    text = "Host h1\nProxyJump other\nHost door\nUser ann\n"
    found = route(tmp_path, text, LoginTarget("a", "h1", jump=LoginTarget("door", "door")))
    assert found.via is not None
    assert (found.via.address, found.via.user, found.via.via) == ("door", "ann", None)


@pytest.mark.parametrize("line", ["ProxyJump none", "ProxyCommand none"])
def test_none_is_no_host(tmp_path: Path, line: str) -> None:
    found = route(tmp_path, f"Host *\n{line}\n", LoginTarget("a", "h1"))
    assert (found.via, found.proxy_command) == (None, None)


def test_a_proxy_command(tmp_path: Path) -> None:
    found = route(tmp_path, "Host *\nProxyCommand nc %h %p\n", LoginTarget("a", "h1", port=5))
    assert found.proxy_command == "nc h1 5"


def test_included_files(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "one").write_text("Host h1\n  User of-one\n")
    (tmp_path / "two").write_text("Port 7\n")
    text = (
        f"Include {tmp_path}/conf.d/* missing\nHost h2\n  Include {tmp_path}/two\n  User of-two\nHost *\n  User last\n"
    )
    one, two, three = (route(tmp_path, text, LoginTarget("a", host)) for host in ("h1", "h2", "h3"))
    assert [(found.user, found.port) for found in (one, two, three)] == [("of-one", 22), ("of-two", 7), ("last", 22)]


@pytest.mark.parametrize(
    "text",
    [
        "Host\n", "Host *\nPort many\n", "Host *\nPort 70000\n", "Host *\nProxyJump a:b:c\n", "Host *\nProxyJump a\n",
        "Host *\nHostName %(\nMatch\n",
    ],
)  # fmt: skip
def test_what_makes_no_sense(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unusable) as raised:
        route(tmp_path, text, LoginTarget("a", "h1"))
    assert raised.value.failure.kind == "ssh config"


@pytest.mark.parametrize(
    "criteria", ["tagged work", "localnetwork 10.0.0.0/8", "host h1 sessiontype shell", "!tagged=work", "exec true x y"]
)
def test_match_words_that_are_not_known_are_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, criteria: str
) -> None:
    """Without an ssh: an older ssh refuses the whole file, a newer one knows the words."""
    monkeypatch.setenv("PATH", str(tmp_path))
    text = f"Match {criteria}\n  Port 2299\n  User nobody\nMatch host h1\n  User ann\n"
    found = route(tmp_path, text, LoginTarget("a", "h1"))
    assert (found.port, found.user) == (22, "ann")


def test_a_file_that_is_missing() -> None:
    with pytest.raises(Unusable, match="No such file"):
        Configuration("/no/such/config").route(LoginTarget("a", "h1"))
