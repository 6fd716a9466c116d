"""The keeper runs the command that submits batch jobs; here its scripts stand in for a batch system's own command."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from fedfutures.standing.scaler import Scaler, ScaleRecipe
from fedfutures.supervision.scaling import ScalingPlan
from fedfutures.wire.control import MoreWanted, SlotsWanted


class Reaper:
    """Waits for the commands, as the host server does."""

    def __init__(self) -> None:
        self.watched: dict[int, Callable[[int], object]] = {}

    def watch(self, pid: int, on_end: Callable[[int], object]) -> None:
        self.watched[pid] = on_end

    def reap(self) -> int:
        pid, status = os.waitpid(next(iter(self.watched)), 0)
        code = os.waitstatus_to_exitcode(status)
        self.watched.pop(pid)(code)
        return code


@pytest.fixture
def reaper() -> Reaper:
    return Reaper()


def scaler_of(command: str, place: Path, reaper: Reaper, said: list[str], **record: int) -> Scaler:
    plan = asdict(ScalingPlan(1, 4, 2.0, 60.0))
    scaler = Scaler(ScaleRecipe(command, str(place), 0o027, plan, **record), said.append, said.append, reaper.watch)
    scaler.on_hosts({"login": 0}, [], {"hosts": []})
    return scaler


def test_the_command_runs_where_up_was_typed_and_is_read_by_the_shell(tmp_path: Path, reaper: Reaper) -> None:
    place = tmp_path / "a place"
    place.mkdir()
    said: list[str] = []
    scaler = scaler_of("pwd > there; echo one >> there; umask >> there", place, reaper, said)
    scaler.tick(time.monotonic())
    assert reaper.reap() == 0
    assert (place / "there").read_text().split("\n") == [str(place), "one", "0027", ""]
    assert said == ["there are fewer Workers than --min, so it runs: pwd > there; echo one >> there; umask >> there"]
    assert (scaler.status()["jobs"], scaler.status()["problem"]) == (1, "")


def test_what_is_news_is_recorded_for_the_next_keeper(tmp_path: Path, reaper: Reaper) -> None:
    scaler = scaler_of("true", tmp_path, reaper, [])
    assert not scaler.is_news()
    scaler.tick(time.monotonic())
    assert scaler.is_news()
    assert not scaler.is_news()
    reaper.reap()
    scaler.on_hosts({"login": 0, "n1": 3}, [], {"hosts": [{"name": "n1", "life": "x"}]})
    assert scaler.is_news()
    record = scaler.record()
    assert (record["size"], record["jobs"]) == (3, 0)
    assert ScaleRecipe(**record).command == "true"


@pytest.mark.parametrize(
    ("command", "how"),
    [("exit 3", "has ended with exit code 3"), ("kill -9 $$", "was ended by SIGKILL"), ("cd nowhere", "exit code")],
)
def test_a_command_that_fails_is_said(
    tmp_path: Path, reaper: Reaper, command: str, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    scaler = scaler_of(f"echo something is wrong; {command}", tmp_path, reaper, said)
    scaler.tick(time.monotonic())
    assert reaper.reap() != 0
    scaler.tick(time.monotonic())
    assert how in said[-2]
    assert said[-1] == f"no Worker has come for what waits: {said[-2]}", "this is for programs"
    assert how in scaler.status()["problem"]
    assert scaler.status()["jobs"] == 0
    assert "something is wrong" in capfd.readouterr().err, "standard error is the log"


def test_what_is_wanted_comes_in_frames(tmp_path: Path, reaper: Reaper) -> None:
    said: list[str] = []
    scaler = scaler_of("true", tmp_path, reaper, said, size=1)
    scaler.on_frame(MoreWanted(2))
    assert scaler.status()["more"] == 2
    scaler.on_hosts({"login": 0, "n1": 1, "n2": 1}, [], {"hosts": [{"name": "n1", "life": "x"}, {"name": "n2"}]})
    scaler.on_frame(MoreWanted(0))
    for host in ("n1", "n2"):
        scaler.on_frame(SlotsWanted(host, 0))
    assert scaler.tick(time.monotonic() + 3.0) == ["n1"], "n2 did not come by itself"
    assert said == ["host n1 is let go: no program wants it"]


def test_a_command_that_still_runs_ends_with_the_keeper(tmp_path: Path, reaper: Reaper) -> None:
    scaler = scaler_of("sleep 60; true", tmp_path, reaper, [])
    scaler.tick(time.monotonic())
    pid = next(iter(reaper.watched))
    assert os.getsid(pid) == pid, "a signal to its group reaches all that it has started"
    scaler.end()
    assert reaper.reap() == -signal.SIGTERM
