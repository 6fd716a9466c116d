"""Hosts and programs that come by TCP with a key: ``up --listen``, ``key``, ``allow``, ``revoke``."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Running, eventually, free_port

from fedfutures.standing.joining import status_of
from fedfutures.standing.places import StandingPlace

from .test_standing_hosts import PROGRAM

pytestmark = pytest.mark.host


class Listening:
    """A Federation of one slot that listens on loopback, and somebody elsewhere who has a key."""

    def __init__(self, directory: Path) -> None:
        self.state, self.key, self.program = directory / "state", directory / "key", directory / "p.py"
        self.program.write_text(PROGRAM)
        self.elsewhere = {"XDG_STATE_HOME": str(directory / "elsewhere"), "FEDFUTURES_KEY": str(self.key)}
        self.port = free_port()
        self.coming: list[Running] = []

    def run(self, *words: object) -> Running:
        return Running([str(word) for word in words], env={"XDG_STATE_HOME": str(self.state)})

    def run_elsewhere(self, *words: object) -> Running:
        self.coming.append(running := Running([str(word) for word in words], env=self.elsewhere))
        return running

    def up(self) -> str:
        """Start it; return the address that it shows."""
        ended = self.run("up", "lab", "-n", "1", "--listen", f"127.0.0.1:{self.port}", "--grace", "10").end()
        assert ended.code == 0, ended.err
        (line,) = (line for line in ended.out.splitlines() if "listens: " in line)
        return line.partition("listens: ")[2]

    def close(self) -> None:
        self.run("down", "lab").end()
        for running in self.coming:
            running.kill()


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listening]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Listening(tmp_path)
    yield made
    made.close()


def test_a_host_and_a_program_come_by_key_until_it_is_revoked(listening: Listening) -> None:
    address = listening.up()
    here = status_of("lab").host
    join = ["join", address, "-n", "2", "--allow-root", "--grace", "10"]
    line = listening.run_elsewhere("key").end().out.strip()
    refused = listening.run_elsewhere(*join).end()
    assert refused.code == 3
    assert f"fedfutures allow lab '{line}'" in refused.err, "what helps can be pasted"
    said = listening.run("allow", "lab", *line.split()).end()
    assert (said.code, f"there: fedfutures join '{address}'" in said.out) == (0, True), said.out + said.err
    coming = listening.run_elsewhere(*join)
    assert coming.process.stdout is not None
    assert coming.process.stdout.readline() == f"{here}-2 has joined {address}\n"
    ended = listening.run_elsewhere("--join", address, listening.program, "100").end()
    assert (ended.code, ended.out) == (0, f"begun\n100 {here} {here}-2\n"), ended.err
    os.kill(status_of("lab").pid, signal.SIGKILL)  # its connector ends, and with that all connections
    ended = listening.run("--join", "lab", listening.program, "100").end()
    assert ended.code == 0, ended.err
    assert eventually(lambda: status_of("lab").hosts == {here: 1, f"{here}-2": 2}, 45.0), "the host is back"
    joined = listening.run("--join", "lab", listening.program, "600")
    assert joined.process.stdout is not None
    assert joined.process.stdout.readline() == "begun\n"
    time.sleep(0.5)
    said = listening.run("revoke", "lab", *line.split()).end()
    assert said.code == 0, said.err
    assert said.out.startswith("1 key may no longer come to lab; ")
    assert status_of("lab").hosts == {here: 1}
    assert listening.run("revoke", "lab", line.split()[2]).end().code == 2, "it is not allowed any more"
    assert coming.end().out.endswith(f"{here}-2 has left {address}\n")
    assert listening.run_elsewhere(*join).end().code == 3, "it does not come again"
    ended = joined.end()
    assert (ended.code, ended.out) == (0, f"600 {here} {here}-2\n"), ended.err
    assert "allowed:" not in listening.run("status", "lab").end().out
    assert "was revoked" in Path(StandingPlace("lab").log).read_text()


def test_what_cannot_listen_starts_nothing(listening: Listening) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", listening.port))
        taken.listen()
        ended = listening.run("up", "lab", "--listen", f"127.0.0.1:{listening.port}").end()
    assert ended.code == 2
    assert f"nobody can listen on 127.0.0.1 port {listening.port}: " in ended.err
    assert not StandingPlace("lab").is_taken()
    nobody = listening.run_elsewhere("join", f"tcp://127.0.0.1:{listening.port}/lab#SHA256:{'x' * 43}", "--allow-root")
    assert "there is no key" in nobody.end().err
    listening.run_elsewhere("key").end()
    nobody = listening.run_elsewhere("join", f"tcp://127.0.0.1:{listening.port}/lab#SHA256:{'x' * 43}", "--allow-root")
    assert f"no standing Federation listens at 127.0.0.1 port {listening.port}" in nobody.end().err
    assert listening.run("up", "lab", "--listen", "login").end().code == 2
    assert listening.run_elsewhere("join", "tcp://login/lab").end().code == 2
    assert listening.run_elsewhere("--join", "tcp://login/lab", listening.program).end().code == 2
