"""This machine: its names, and what is said of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fedfutures import Hosts
from fedfutures.host.settings import Settings
from fedfutures_launcher.hosts.local import at_home, counted, is_local, own_names, with_environment
from fedfutures_launcher.hosts.prologs import local_command
from fedfutures_launcher.hosts.spec import BadHosts, HostSpec


def test_its_names() -> None:
    names = own_names()
    assert names[0] == (os.uname().nodename.partition(".")[0] or "localhost")
    assert len(set(names)) == len(names)
    assert is_local(HostSpec(names[-1].upper()), names)
    assert not is_local(HostSpec("localhost", "ann"), names)


def test_what_is_said_of_it() -> None:
    settings = Settings("here", 2, 2, path=["/mine"], directory="/work", nice=1)
    same, command = at_home(settings, Hosts())
    assert (same, command) == (settings, [sys.executable])
    changed, command = at_home(settings, Hosts(path="/there", nice=0, pythonpath=["/more", "/mine"], prolog="/a b"))
    assert (changed.directory, changed.nice, changed.path) == ("/there", 0, ["/more", "/mine"])
    assert command[:2] == ["/bin/sh", "-c"]
    limited = at_home(Settings("here", 2, 2, memory_per_worker=1 << 30), Hosts())[0]
    assert limited.memory_per_worker == 1 << 30
    assert at_home(limited, Hosts(memory_per_worker="2G"))[0].memory_per_worker == 2 << 30
    assert command == local_command("/a b", sys.executable)
    assert at_home(settings, Hosts(env=["A=1", "A=2"]))[0].environment == {"A": "1"}


def test_variables_of_its_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_HERE", "value of here")
    (tmp_path / "env").write_text("# more\nC=3\nFROM_HERE\n")
    found = with_environment(Hosts(env=["A=1"], env_file=str(tmp_path / "env")))
    assert (found.env, found.env_file) == (["A=1", "C=3", "FROM_HERE=value of here"], None)
    assert with_environment(found) == found
    assert with_environment(Hosts()) == Hosts()
    with pytest.raises(BadHosts, match=r"--env-file .*: No such file"):
        with_environment(Hosts(env_file=str(tmp_path / "none")))
    with pytest.raises(BadHosts, match="--env: the environment variable NO_SUCH_ONE is not set here"):
        with_environment(Hosts(env=["NO_SUCH_ONE"]))


def test_how_many_there_are_in_words() -> None:
    assert counted(Settings("here", 1, 1)) == "1 Broker, 1 Worker"
    assert counted(Settings("here", 3, 3, brokers=2)) == "2 Brokers, 3 Workers"
