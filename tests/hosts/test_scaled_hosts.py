"""``fedfutures up --scale COMMAND``: the command's scripts bring hosts of their own, by a real ssh server.

With the real Slurm: tests/batch/test_slurm.py.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import eventually

from fedfutures.standing.joining import status_of
from fedfutures.standing.places import StandingPlace

from .test_coming_hosts import Login

pytestmark = pytest.mark.host


class Scaled(Login):
    """A Federation without Workers, and the script that submits a job: a host comes by itself."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.script, self.jobs = directory / "worker.sh", directory / "jobs"
        self.jobs.mkdir()
        join = (
            f"{sys.executable} -m fedfutures join login:lab -n 2 --allow-root --grace 3 --ssh-config {self.lab.config}"
        )
        self.script.write_text(f"#!/bin/sh\n{join} > {self.jobs}/$$ 2>&1 &\n")
        self.script.chmod(0o755)

    def up(self, *words: str) -> None:
        ended = self.run(
            "up", "lab", "-q", "--scale", str(self.script), "--max", "4", "--scale-idle", "2", "--grace", "3", *words
        ).end()
        assert (ended.code, ended.out) == (0, ""), ended.err

    def ended_jobs(self) -> list[str]:
        """Return what the jobs have said that have left, or that came too late."""
        said = [path.read_text() for path in self.jobs.iterdir()]
        return [text for text in said if "has left login:lab" in text or "no Federation named lab stands" in text]

    def close(self) -> None:
        self.run("down", "lab").end()
        eventually(lambda: len(self.ended_jobs()) == len(list(self.jobs.iterdir())), 15.0)
        super().close()


@pytest.fixture
def scaled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scaled]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Scaled(tmp_path)
    yield made
    made.close()


def test_hosts_come_when_they_are_wanted_and_go_when_they_are_not(scaled: Scaled) -> None:
    scaled.up("-n", "0")
    assert sum(status_of("lab").hosts.values()) == 0
    joined = scaled.run("--join", "lab", scaled.program, "400")
    far = scaled.run(
        "--join", "login:lab", "--ssh-config", scaled.lab.config, "--allow-root", scaled.program, "100"
    )  # fmt: skip
    ended = joined.end()
    assert (ended.code, ended.out.startswith("begun\n400 ")) == (0, True), ended.out + ended.err
    assert "lab has no Workers now; they come with the jobs of: " in ended.err
    assert far.end().out.startswith("begun\n100 ")
    assert sum(status_of("lab").hosts.values()) in (2, 4), "never more than --max"
    assert eventually(lambda: sum(status_of("lab").hosts.values()) == 0, 10.0), "they are let go"
    assert eventually(lambda: len(scaled.ended_jobs()) == len(list(scaled.jobs.iterdir())), 5.0)
    assert "let go" in Path(StandingPlace("lab").log).read_text()


def test_a_program_waits_for_a_job_though_the_keeper_is_killed(scaled: Scaled) -> None:
    scaled.script.write_text(scaled.script.read_text().replace("\n", "\necho a job; sleep 2\n", 1))
    scaled.up("-n", "0")
    joined = scaled.run("--join", "lab", "-n", "1", scaled.program, "100")
    assert eventually(lambda: status_of("lab").scale["jobs"] == 1, 10.0)
    os.kill(status_of("lab").pid, signal.SIGKILL)
    ended = joined.end()
    assert (ended.code, ended.out.startswith("begun\n100 ")) == (0, True), ended.out + ended.err
    assert Path(StandingPlace("lab").log).read_text().count("so it runs") == 1, "the next keeper knows of the job"
    assert list(status_of("lab").hosts.values()) == [0, 2]


def test_a_script_that_is_wrong_is_said_and_costs_one_job(scaled: Scaled) -> None:
    right = scaled.script.read_text()
    scaled.script.write_text("#!/bin/sh\necho no such partition >&2; exit 1\n")
    scaled.up("-n", "0")
    joined = scaled.run("--join", "lab", scaled.program, "10")
    assert eventually(lambda: "exit code 1" in status_of("lab").scale["problem"], 10.0)
    said = scaled.run("status", "lab").end().out
    assert f"0 jobs of {scaled.script} have not come yet" in said
    assert "has ended with exit code 1; what it said is in the log" in said
    log = scaled.run("logs", "lab").end().out
    assert log.count("no such partition") == 1
    scaled.script.write_text(right)
    ended = joined.end()
    assert ended.out.startswith("begun\n10 "), "it is run again"
    why = f"{scaled.script} has ended with exit code 1; what it said is in the log (fedfutures logs lab)"
    assert f"fedfutures: lab: no Worker has come for what waits: {why}" in ended.err
