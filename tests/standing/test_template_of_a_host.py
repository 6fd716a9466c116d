"""Workers of a program that joins are forked from a process that has imported it, also those that come back."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import Running, eventually
from standing import begun, run, standing

from fedfutures.standing.joining import status_of

pytestmark = pytest.mark.host
PROGRAM = """
import os, sys, time
import costly
from fedfutures import futures

def work(number):
    time.sleep(0.05)
    return os.getpid()

if __name__ == "__main__":
    print("begun", flush=True)
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 2):
        pids = set(futures.map(work, range(24)))
    print(len(pids), flush=True)
"""
COSTLY = """
import os
with open(os.path.join(os.path.dirname(__file__), "imports"), "a") as file:
    file.write("once more\\n")
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "p.py").write_text(PROGRAM)
    (tmp_path / "costly.py").write_text(COSTLY)
    (tmp_path / "other.py").write_text(PROGRAM.replace("import costly", ""))
    return tmp_path / "state"


def imports(state: Path) -> int:
    """How many processes have imported the program's module."""
    return len((state.parent / "imports").read_text().splitlines())


def test_the_program_is_imported_once_on_a_host(state: Path) -> None:
    with standing("lab", state, "-n", "3"):
        ended = run("--join", "lab", state.parent / "p.py", state=state)
        assert (ended.err, ended.out) == ("", "begun\n3\n")
        assert imports(state) == 2, "by the program, and by the template"


def test_workers_that_come_back_do_not_import_it_again(state: Path) -> None:
    with standing("lab", state, "-n", "2"):
        first = Running(["--join", "lab", str(state.parent / "p.py"), "6"], env={"XDG_STATE_HOME": str(state)})
        assert first.process.stdout is not None
        assert first.process.stdout.readline() == "begun\n"
        second = begun(state.parent / "other.py", "lab", state)
        assert eventually(lambda: [one.get("workers") for one in status_of("lab").runs] == [1, 1], 10.0)
        assert second.end().err == ""
        ended = first.end()
        assert (ended.err, ended.out) == ("", "2\n")
        assert imports(state) == 2
