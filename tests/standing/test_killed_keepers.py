"""A keeper that is killed or stopped, at any moment: programs lose nothing, and it is started again, once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Running, eventually
from standing import listed, run, standing

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import status_of
from fedfutures.standing.places import StandingPlace

pytestmark = pytest.mark.host
PROGRAM = """
import sys, time
from fedfutures import futures

def work(number):
    time.sleep(0.02)
    return number

if __name__ == "__main__":
    print("begun", flush=True)
    count = int(sys.argv[1])
    print(sum(futures.map(work, range(count))) == sum(range(count)), flush=True)
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "p.py").write_text(PROGRAM)
    yield tmp_path / "state"
    place = StandingPlace("lab")
    if place.stands() or place.is_taken():
        run("down", "lab", state=tmp_path / "state")


def begun(state: Path, count: int) -> Running:
    """Return a program that has joined and works."""
    running = Running(["--join", "lab", str(state.parent / "p.py"), str(count)], env={"XDG_STATE_HOME": str(state)})
    assert running.process.stdout is not None
    assert running.process.stdout.readline() == "begun\n"
    return running


def kill_keeper() -> int:
    pid = status_of("lab").pid
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not os.path.exists(f"/proc/{pid}/exe"), 5.0)
    return pid


def has_keeper() -> bool:
    with contextlib.suppress(StartFailed):  # one that is being killed lets go of the lock last
        return bool(status_of("lab").pid)
    return False


def test_joined_programs_start_it_again_once_and_lose_nothing(state: Path) -> None:
    with standing("lab", state, "-n", "2"):
        programs = [begun(state, 400), begun(state, 400)]
        for _ in range(2):
            killed = kill_keeper()
            assert eventually(has_keeper, 5.0)
            assert status_of("lab").pid != killed
            assert eventually(lambda: len(status_of("lab").runs) == 2, 3.0)
            assert sum(status_of("lab").hosts.values()) == 2
        for program in programs:
            ended = program.end()
            assert (ended.code, ended.out, ended.err) == (0, "True\n", "")
        assert eventually(lambda: not status_of("lab").runs, 3.0)
        text = Path(StandingPlace("lab").log).read_text()
        assert text.count("takes over from a keeper that was killed") == 2
        assert "hung up" not in text


def test_programs_that_join_and_up_start_it_again(state: Path) -> None:
    with standing("lab", state, "-n", "2", "--idle", "1:00:00"):
        since = status_of("lab").since
        kill_keeper()
        assert "it was killed" in run("status", "lab", state=state).err
        joins = [begun(state, 3) for _ in range(3)]
        assert [joined.end().out for joined in joins] == ["True\n"] * 3
        kill_keeper()
        assert run("up", "lab", "-q", state=state).code == 0
        status = status_of("lab")
        assert (list(status.hosts.values()), status.idle, status.since) == ([2], 3600.0, since)
        assert "lab stands already" in run("up", "lab", state=state).err


def test_a_host_process_that_is_killed_together_with_the_keeper_is_started_again(state: Path) -> None:
    with standing("lab", state, "-n", "1"):
        program = begun(state, 100)
        assert eventually(lambda: len(status_of("lab").runs) == 1, 5.0)
        host = int(status_of("lab").runs[0]["pid"])
        kill_keeper()
        os.kill(host, signal.SIGKILL)
        assert program.end().out == "True\n"
        assert status_of("lab").pid


def test_one_that_is_killed_as_it_starts(state: Path) -> None:
    """The lock is free, nothing stands, and the next one starts."""
    for pause in (0.02, 0.1, 0.2, 0.3):
        running = Running(["up", "lab", "-n", "1", "-q"], env={"XDG_STATE_HOME": str(state)})
        time.sleep(pause)
        running.kill()
        running.end()
        place = StandingPlace("lab")
        assert eventually(lambda place=place: not place.is_taken(), 5.0)  # type: ignore[misc]
        assert run("up", "lab", "-n", "1", "-q", state=state).code == 0
        assert run("down", "lab", state=state).code == 0


def test_down_ends_the_runs_of_a_keeper_that_is_dead_or_stopped(state: Path) -> None:
    for number in (signal.SIGKILL, signal.SIGSTOP):
        with standing("lab", state, "-n", "1"):
            program = begun(state, 10_000)
            assert eventually(lambda: len(status_of("lab").runs) == 1, 5.0)
            pid = status_of("lab").pid
            os.kill(pid, number)
            down = run("down", "lab", state=state)
            assert down.code == 0
            assert ("did not answer; it was killed" in down.err) == (number == signal.SIGSTOP)
            at = time.monotonic()
            ended = program.end()
            assert time.monotonic() < at + 2.0
            assert ended.code == 1
            assert "the standing Federation lab has ended: it was taken down" in ended.err
            assert not StandingPlace("lab").is_taken()


def test_sigterm_takes_it_down_and_leaves_nothing(state: Path, tmp_path: Path) -> None:
    env = {"TMPDIR": str(tmp_path / "tmp")}
    os.mkdir(tmp_path / "tmp")
    with standing("lab", state, "-n", "1", env=env):
        program = begun(state, 10_000)
        assert eventually(lambda: len(status_of("lab").runs) == 1, 5.0)
        before = {name for name in os.listdir("/dev/shm") if name.startswith("fedfutures-")}
        pid = status_of("lab").pid
        os.kill(pid, signal.SIGTERM)
        assert "lab has ended: its keeper got SIGTERM" in program.end().err
        assert program.gone()
        assert eventually(lambda: not os.path.exists(f"/proc/{pid}/exe"), 2.0)
        assert os.listdir(tmp_path / "tmp") == []
        assert sorted(os.listdir(StandingPlace("lab").path)) == ["lock", "log"]
        assert before  # its values were there
        assert listed(state) == ""


def test_one_that_is_stopped_keeps_nobody_waiting(state: Path) -> None:
    with standing("lab", state, "-n", "1"):
        program = begun(state, 50)
        assert eventually(lambda: len(status_of("lab").runs) == 1, 5.0)
        pid = status_of("lab").pid
        os.kill(pid, signal.SIGSTOP)
        at = time.monotonic()
        refused = run("--join", "lab", str(state.parent / "p.py"), "1", state=state)
        assert time.monotonic() < at + 10.0
        assert f"(pid {pid}) is stopped by a signal, so it does not answer; try: kill -CONT {pid}" in refused.err
        assert refused.code == 3
        assert program.end().out == "True\n"
        os.kill(pid, signal.SIGCONT)


def test_a_record_or_a_directory_that_somebody_removes_is_made_again(state: Path) -> None:
    place = StandingPlace("lab")
    assert run("up", "lab", "-n", "1", "-q", state=state).code == 0
    pid = status_of("lab").pid
    os.unlink(os.path.join(place.path, "record"))
    assert eventually(place.stands, 5.0)
    subprocess.run(["rm", "-r", place.path], check=True)
    assert eventually(lambda: place.stands() and place.is_taken(), 5.0)
    assert json.loads(Path(place.path, "record").read_text())["pid"] == status_of("lab").pid == pid
    assert run("down", "lab", state=state).code == 0
