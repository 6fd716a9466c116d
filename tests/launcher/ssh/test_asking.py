"""What an ssh says of a host."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from fedfutures_launcher.ssh import asking
from fedfutures_launcher.ssh.asking import (
    BadConfig,
    ask,
    config_of_environment,
    expanded,
    home_of_ssh,
    own_ssh,
    tokens_of,
)

CONFIG = """
Host tower
    HostName %h.example
    Port 2222
    User ann
    IdentityFile ~/keys/%n
    IdentityFile /second
    ProxyCommand nc %h %p
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return path


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh")
def test_what_the_config_says_comes_with_its_tokens(config: Path) -> None:
    found = ask(["ssh"], ["-F", str(config)], "tower")
    assert found is not None
    assert (found["hostname"], found["port"], found["user"]) == (["tower.example"], ["2222"], ["ann"])
    assert found["identityfile"] == ["~/keys/%n", "/second"]
    tokens = tokens_of("tower", found)
    assert expanded(found["proxycommand"][0], tokens) == "nc tower.example 2222"
    assert (
        expanded("%n %r %d %i %k 100%% %Z", tokens) == f"tower ann {home_of_ssh()} {os.getuid()} tower.example 100% %Z"
    )


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh")
@pytest.mark.parametrize("text", ["Prot 22\n", "Host\n", "Match tagged-as x\n", "Port many\n"])
def test_a_config_that_ssh_refuses(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(BadConfig, match=r"config.* line \d+|Bad configuration"):
        ask(["ssh"], ["-F", str(tmp_path / "config")], "tower")


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", "/of/mine")
    assert expanded("${KEYS}/id ${NO_SUCH_ONE}", {}) == "/of/mine/id ${NO_SUCH_ONE}"


@pytest.mark.parametrize("code", ["", "print('hello')", "raise SystemExit('usage: it')", "raise SystemExit(255)"])
def test_a_program_that_is_no_openssh_says_nothing(code: str) -> None:
    assert ask([sys.executable, "-c", code], [], "tower") is None


def test_a_program_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.1)
    assert ask([sys.executable, "-c", "import time; time.sleep(60)"], [], "tower") is None


def test_a_home_that_only_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config_of_environment() is None
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").touch()
    assert config_of_environment() == f"{tmp_path}/.ssh/config"
    monkeypatch.setenv("HOME", home_of_ssh())
    assert config_of_environment() is None


def test_no_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert own_ssh() is None
    with pytest.raises(FileNotFoundError):
        ask([str(tmp_path / "ssh")], [], "tower")
