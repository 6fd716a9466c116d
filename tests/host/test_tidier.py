"""Real processes that are killed, and the one that stays for a moment to remove their directories."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import eventually

from fedfutures.host.directories import Hold
from fedfutures.host.system import PREFIX
from fedfutures.host.tidier import LATE_SECONDS

pytestmark = pytest.mark.host
SECONDS = 10.0
RUN = """
import os, sys, time
from fedfutures.host.directories import Hold
from fedfutures.host.system import become_subreaper
from fedfutures.host.tidier import start_tidier

become_subreaper()
hold = Hold(sys.argv[1:])
start_tidier(sys.argv[1:])
child = os.fork()  # as a Broker, it holds them, too
if child:
    print(child, flush=True)
sys.stdin.read()
time.sleep(600)
"""


class Lone:
    """A process with a child, and a tidier."""

    def __init__(self, *directories: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, *map(str, directories)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True, cwd=directories[0].parent,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.child = int(self.process.stdout.readline())
        self.place = str(directories[0].parent)
        assert eventually(lambda: len(self.tidiers()) == 1, SECONDS)
        (self.tidier,) = self.tidiers()

    def kill(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def tidiers(self) -> list[int]:
        """Return the pids of those that live; other runs of this machine may have some, in other folders."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                name, _, rest = (place / "stat").read_text().partition("(")[2].rpartition(")")
                if name == "fedfut-tidier" and rest.split()[0] not in "ZX" and os.readlink(place / "cwd") == self.place:
                    found.append(int(place.name))
            except OSError:
                continue
        return found

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.kill()
        self.process.wait(SECONDS)


@pytest.fixture
def directories(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"{PREFIX}{number:015x}" for number in range(2)]
    for path in made:
        path.mkdir(0o700)
        (path / "main").write_text("x")
    return made


@pytest.fixture
def run(directories: list[Path]) -> Iterator[Lone]:
    here = Lone(*directories)
    yield here
    for pid in (here.child, here.tidier):
        if os.path.exists(f"/proc/{pid}"):
            os.kill(pid, signal.SIGKILL)
    here.close()


def test_when_the_last_one_was_killed_the_directories_are_removed(run: Lone, directories: list[Path]) -> None:
    run.kill(run.process.pid)
    assert not eventually(lambda: not all(path.exists() for path in directories), 0.3), "a child lives"
    run.kill(run.child)
    assert eventually(lambda: not any(path.exists() for path in directories), SECONDS)
    assert eventually(lambda: not run.tidiers(), SECONDS)


def test_it_is_no_child_and_in_no_session_of_the_run_and_takes_no_signal(run: Lone, directories: list[Path]) -> None:
    assert os.getsid(run.tidier) not in (os.getsid(run.process.pid), os.getsid(0))
    parent = int(Path(f"/proc/{run.tidier}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent not in (run.process.pid, run.child)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        os.kill(run.tidier, number)
    run.kill(run.process.pid, run.child)
    assert eventually(lambda: not any(path.exists() for path in directories), SECONDS)


def test_what_somebody_else_holds_it_leaves_and_ends(run: Lone, directories: list[Path]) -> None:
    """The Origin starts another host process in the same directories."""
    hold = Hold([str(directories[0])])
    run.kill(run.process.pid, run.child)
    assert eventually(lambda: not run.tidiers(), LATE_SECONDS + 1.0)
    assert [path.exists() for path in directories] == [True, False]
    hold.let_go()
