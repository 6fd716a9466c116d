"""``fedfutures up --foreground``, as systemd runs it: it stays, prints what happens, and ends in order."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from launching import Running, eventually

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import status_of
from fedfutures.standing.places import StandingPlace

pytestmark = pytest.mark.host
UNIT = Path(__file__).parents[3] / "docs" / "examples" / "fedfutures.service"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def keeper() -> int:
    try:
        return status_of("lab").pid
    except StartFailed:
        return 0


def begun(tmp_path: Path, *words: str) -> Running:
    found = Running(["up", "lab", *words], env={"XDG_STATE_HOME": str(tmp_path)})
    assert eventually(lambda: keeper() > 0, 10.0)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stays_and_a_signal_takes_it_down(tmp_path: Path, number: signal.Signals) -> None:
    running = begun(tmp_path, "-n", "1", "--foreground")
    pid = keeper()
    os.kill(running.process.pid, number)
    ended = running.end()
    assert (ended.code, ended.err) == (0, "")
    assert "programs join it: fedfutures --join lab" in ended.out
    assert eventually(lambda: not os.path.exists(f"/proc/{pid}/exe"), 2.0)
    assert not StandingPlace("lab").is_taken()


def test_a_signal_while_the_keeper_is_started_takes_it_down(tmp_path: Path) -> None:
    running = Running(["up", "lab", "-n", "1", "--foreground"], env={"XDG_STATE_HOME": str(tmp_path)})
    assert eventually(StandingPlace("lab").is_taken, 10.0)
    os.kill(running.process.pid, signal.SIGTERM)
    assert running.end().code == 0
    assert not StandingPlace("lab").stands()
    assert not StandingPlace("lab").is_taken()


def test_it_ends_with_the_federation_and_starts_a_killed_keeper_again(tmp_path: Path) -> None:
    running = begun(tmp_path, "-n", "1", "--foreground", "-q")
    pid = keeper()
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: keeper() not in (0, pid), 10.0)
    down = Running(["down", "lab"], env={"XDG_STATE_HOME": str(tmp_path)}).end()
    assert down.code == 0
    ended = running.end()
    assert ended.code == 0
    assert "takes over from a keeper that was killed" in ended.out
    assert "lab ends: it was taken down" in ended.out


def test_the_unit_of_systemd(tmp_path: Path) -> None:
    """Its command is one of ours; what systemd says of the rest is asked where it is installed."""
    [line] = [line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart=")]
    program, *words = line.removeprefix("ExecStart=").split()
    assert program == "%h/.venv/bin/fedfutures"
    assert words[:2] == ["up", "lab"]
    running = begun(tmp_path, *words[2:])
    os.kill(running.process.pid, signal.SIGTERM)
    assert running.end().code == 0
    if analyze := shutil.which("systemd-analyze"):
        unit = tmp_path / UNIT.name
        unit.write_text(UNIT.read_text().replace(program, shutil.which("true") or "/bin/true"))
        env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        command = [analyze, "--user", "verify", str(unit)]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=30, env=env)
        assert checked.returncode == 0, checked.stderr
