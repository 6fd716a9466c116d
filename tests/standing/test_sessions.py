"""Who starts a standing Federation, and who joins it, are in sessions of their own, each with its terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from launching import eventually
from standing import PROGRAM, run

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import reached, status_of
from fedfutures.standing.places import StandingPlace

pytestmark = pytest.mark.host


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "p.py").write_text(PROGRAM)
    return tmp_path / "state"


def login(*command: str) -> tuple[subprocess.Popen[bytes], int]:
    """Run a command in a session of its own, on a terminal of its own; return it, and our end of the terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    return process, ours


def stands() -> bool:
    try:
        return bool(status_of("lab").pid)
    except StartFailed:
        return False


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_the_starting_shell_may_end_and_another_login_session_joins(state: Path, number: signal.Signals) -> None:
    up = f"{sys.executable} -m fedfutures up lab -n 1 -q; exec sleep 60"
    shell, terminal = login("/bin/sh", "-c", up)
    try:
        assert eventually(stands, 10.0)
        os.killpg(shell.pid, number)
        os.close(terminal)
        shell.wait(10)
        joined, terminal = login(sys.executable, "-m", "fedfutures", "--join", "lab", str(state.parent / "p.py"), "2")
        assert joined.wait(20) == 0
        assert b"size 1" in os.read(terminal, 1 << 16)
        os.close(terminal)
        assert stands()
    finally:
        assert run("down", "lab", state=state).code == 0


def test_a_keeper_is_killed_at_any_moment_of_a_join(state: Path) -> None:
    """The program joins the keeper that it starts again, or another program has started."""
    assert run("up", "lab", "-n", "1", "-q", state=state).code == 0
    program = state.parent / "slow.py"
    program.write_text(PROGRAM.replace("    for line in", "    __import__('time').sleep(0.5)\n    for line in"))
    command = [sys.executable, "-m", "fedfutures", "-q", "--join", "lab", str(program), "1"]
    try:
        for moment in (0.1, 0.15, 0.2, 0.3):
            pid = reached(StandingPlace("lab")).pid  # the last program may have ended before it started a keeper
            joined = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            with pytest.raises(subprocess.TimeoutExpired):
                joined.wait(moment)
            os.kill(pid, signal.SIGKILL)
            out, err = joined.communicate(timeout=30)
            assert (out.splitlines()[-1:], err, joined.returncode) == (["size 1"], "", 0), moment
    finally:
        assert run("down", "lab", state=state).code == 0
    assert not StandingPlace("lab").is_taken()


def test_no_room_on_the_disk(state: Path) -> None:
    """Nothing can be written: nothing is started, and nothing is left."""
    command = f"ulimit -f 0; exec {sys.executable} -B -m fedfutures up lab -n 1 -q"
    ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=30)
    assert ended.returncode in (1, 2)
    assert "File too large" in ended.stderr
    assert not StandingPlace("lab").is_taken()
    assert not StandingPlace("lab").stands()
