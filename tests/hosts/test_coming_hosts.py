"""Hosts that come to a standing Federation by themselves: ``fedfutures join``, by a real ssh server."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.machines import Machine
from lab.rootless import Rootless
from launching import Ended, Running, eventually, python

from fedfutures.standing.joining import status_of
from fedfutures.standing.places import StandingPlace

from .test_standing_hosts import PROGRAM

pytestmark = pytest.mark.host

EXECUTOR = """
import fedfutures

def square(number):
    return number * number

if __name__ == "__main__":
    with fedfutures.Executor(3, join="login:lab") as executor:
        print(executor.num_workers, sum(executor.map(square, range(10))))
"""


class Login:
    """A Federation of one slot, and the ssh server of its machine."""

    def __init__(self, directory: Path) -> None:
        self.state, self.program = directory / "state", directory / "p.py"
        self.program.write_text(PROGRAM)
        self.lab = Rootless([Machine("login", lines=[f"SetEnv XDG_STATE_HOME={self.state}"])], directory / "lab")
        self.coming: list[Running] = []

    def run(self, *words: object) -> Running:
        return Running([str(word) for word in words], env={"XDG_STATE_HOME": str(self.state)})

    def python(self, program: str) -> Ended:
        """Run a plain program of a user whose own ssh config leads to the machine."""
        home = self.program.parent / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        (home / ".ssh" / "config").write_text(self.lab.config.read_text())
        path = self.program.with_name("executor.py")
        path.write_text(program)
        return python(str(path), env={"HOME": str(home)})

    def come(self, *words: str) -> Running:
        """Have a host come, and wait until it says that it has joined."""
        options = ["--ssh-config", self.lab.config, "--allow-root", "--grace", "3"]
        self.coming.append(coming := self.run("join", "login:lab", *options, *words))
        return coming

    def close(self) -> None:
        self.run("down", "lab").end()
        for coming in self.coming:
            coming.kill()
        self.lab.close()


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Login]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Login(tmp_path)
    yield made
    made.close()


def bridges(login: Login) -> list[int]:
    """Return the processes that ssh has started on the keeper's machine for hosts that have come."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if (
                words[-4:-1] == [b"bridge", b"lab", b""]
                and str(login.state).encode() in Path(f"/proc/{pid}/environ").read_bytes()
            ):
                found.append(int(pid))
    return found


def test_a_host_comes_is_cut_off_comes_back_and_leaves(login: Login) -> None:
    assert login.come().end().code == 2, "nothing stands there"
    assert login.run("up", "lab", "-n", "1", "-q", "--grace", "3").end().code == 0
    here = status_of("lab").host
    assert login.run("--join", "lab", login.program, "10").end().out == f"begun\n10 {here}\n"
    coming = login.come("-n", "2")
    assert coming.process.stdout is not None
    assert coming.process.stdout.readline() == f"{here}-2 has joined login:lab\n"
    assert eventually(lambda: status_of("lab").hosts == {here: 1, f"{here}-2": 2}, 10.0), status_of("lab")
    joined = login.run("--join", "lab", login.program, "900")
    assert joined.process.stdout is not None
    assert joined.process.stdout.readline() == "begun\n"
    time.sleep(1.0)  # the host that has come computes, too
    for pid in bridges(login):  # the connection is cut
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: f"{here}-2" in status_of("lab").hosts and bool(bridges(login)), 10.0)
    os.kill(status_of("lab").pid, signal.SIGKILL)
    second = login.come("-n", "2")
    assert second.process.stdout is not None
    assert second.process.stdout.readline() == f"{here}-3 has joined login:lab\n", "another life is another host"
    assert eventually(lambda: status_of("lab").hosts == {here: 1, f"{here}-2": 2, f"{here}-3": 2}, 10.0)
    log = Path(StandingPlace("lab").log)
    assert eventually(lambda: log.read_text().count("connected again") == 2, 10.0), "it is back at the next keeper, too"
    os.kill(coming.process.pid, signal.SIGTERM)
    ended = coming.end()
    assert (ended.code, ended.out) == (0, f"{here}-2 has left login:lab\n"), ended.err
    ended = joined.end()
    assert (ended.code, ended.out.startswith(f"900 {here} {here}-2")) == (0, True), ended.out + ended.err
    ended = login.run("--join", "lab", login.program, "200").end()
    assert (ended.code, ended.out) == (0, f"begun\n200 {here} {here}-3\n"), ended.err
    assert login.run("down", "lab").end().code == 0
    ended = second.end()
    assert (ended.code, ended.out) == (0, f"{here}-3 has left login:lab\n"), ended.err


def test_a_program_of_another_machine_joins(login: Login) -> None:
    options = ["--ssh-config", login.lab.config, "--allow-root"]
    far = ["--join", "login:lab", *options, login.program]
    ended = login.run(*far, "10").end()
    assert (ended.code, "no Federation named lab stands" in ended.err) == (2, True), ended.err
    ended = login.run("--join", "login:", *options, login.program, "10").end()
    assert (ended.code, "write [user@]host:NAME" in ended.err) == (2, True), ended.err
    assert login.run("up", "lab", "-n", "2", "-q", "--grace", "3").end().code == 0
    here = status_of("lab").host
    enough = login.program.with_name("enough")
    joined, beside = login.run(*far, f"{here},{here}-2"), login.run("--join", "lab", login.program, enough)
    assert joined.process.stdout is not None
    assert joined.process.stdout.readline() == "begun\n"
    assert eventually(lambda: len(status_of("lab").runs) == 2, 20.0), "both programs share the slots"
    coming = login.come("-n", "2")
    os.kill(status_of("lab").pid, signal.SIGKILL)
    ended = joined.end()
    assert (ended.code, ended.out) == (0, f"{here} {here}-2\n"), ended.err
    enough.touch()
    ended = beside.end()
    assert (ended.code, ended.out.startswith(f"begun\n0 lost {here}")) == (0, True), ended.out + ended.err
    ended = login.python(EXECUTOR)
    assert (ended.code, ended.out) == (0, "3 285\n"), ended.err
    assert login.run("down", "lab").end().code == 0
    assert coming.end().code == 0
