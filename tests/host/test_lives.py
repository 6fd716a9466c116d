"""What a host process is started again with, and how the last one is buried."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fedfutures.host.lives import EndOfLife, Lives

SECONDS = 30.0


def process(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)


def test_it_is_started_where_and_with_what_the_first_one_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    (tmp_path / "place").mkdir()
    monkeypatch.chdir(tmp_path / "place")
    monkeypatch.setenv("OF_LIVES", "1")
    lives = Lives([read])
    monkeypatch.setenv("OF_LIVES", "2")
    monkeypatch.chdir("/")
    options = lives.options()
    assert (options["env"]["OF_LIVES"], options["cwd"], options["pass_fds"]) == ("1", str(tmp_path / "place"), [read])
    (tmp_path / "place").rmdir()
    assert lives.options()["cwd"] is None
    os.close(read)
    os.close(write)


@pytest.mark.host
@pytest.mark.parametrize(
    ("code", "status"), [("import time; time.sleep(600)", "signal SIGKILL"), ("exit(3)", "exit code 3")]
)
def test_what_has_closed_its_pipe_is_killed_if_it_lives(code: str, status: str) -> None:
    here = process(code)
    if "exit" in code:
        here.communicate(timeout=SECONDS)
    assert Lives([]).bury(here, 0) == EndOfLife(status, 0.1)
    here.communicate()


@pytest.mark.host
def test_one_that_the_program_has_reaped_is_buried_too() -> None:
    here = process("pass")
    os.waitpid(here.pid, 0)
    assert Lives([]).bury(here, 0) == EndOfLife("exit code 0", 0.1)
    here.communicate()


@pytest.mark.host
def test_a_descriptor_that_names_something_else_by_now_is_not_given_to_the_next_one() -> None:
    read, write = os.pipe()
    lives = Lives([read])
    os.dup2(os.open(os.devnull, os.O_RDONLY), read)
    here = process("pass")
    end = lives.bury(here, 0)
    assert end.why is not None
    assert "initargs" in end.why
    here.communicate()
    os.close(read)
    os.close(write)


@pytest.mark.host
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="by /proc")
def test_what_is_below_it_is_killed_before_the_next_one_starts() -> None:
    here = process(
        "import os, sys, time\nchild = os.fork()\nchild or (os.setpgid(0, 0), time.sleep(600))\n"
        "print(child, flush=True)\nos._exit(3)"
    )
    assert here.stdout is not None
    child = int(here.stdout.readline())
    assert Lives([]).bury(here, 0).status in ("exit code 3", "signal SIGKILL")
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
    here.stdout.close()
