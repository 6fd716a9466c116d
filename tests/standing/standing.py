"""Standing Federations for tests: their records are in a directory of the test's own."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Ended, Running

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import status_of

PROGRAM = """
import os, sys
import fedfutures
from fedfutures import futures

def where(number):
    return number, os.getcwd(), os.environ.get("COLOUR")

if __name__ == "__main__":
    for line in futures.map(where, range(int(sys.argv[1]))):
        print(*line)
    print("size", fedfutures.SIZE)
"""


def run(*words: str | Path, state: Path, **options: object) -> Ended:
    """Run the command line to its end."""
    env = {"XDG_STATE_HOME": str(state), **dict(options.pop("env", {}))}  # type: ignore[call-overload]
    return Running(list(map(str, words)), env=env, **options).end()  # type: ignore[arg-type]


def listed(state: Path) -> str:
    """Return what ``list`` says of standing Federations; the runs of other tests are there, too."""
    lines = run("list", state=state).out.splitlines(keepends=True)
    return "".join(line for line in lines if "(pid " not in line and not line.startswith("a run: "))


def begun(program: Path, name: str, state: Path) -> Running:
    """Start a program that joins, and wait until it says that it has begun."""
    joined = Running(["--join", name, str(program)], env={"XDG_STATE_HOME": str(state)})
    assert joined.process.stdout is not None
    assert joined.process.stdout.readline() == "begun\n"
    return joined


@contextlib.contextmanager
def standing(name: str, state: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[None]:
    """A Federation that stands for a while; whatever happens, its keeper ends."""
    ended = run("up", name, *options, "-q", state=state, env=env or {})
    assert (ended.code, ended.err) == (0, ""), ended.err
    try:
        yield
    finally:
        with contextlib.suppress(StartFailed, ProcessLookupError), pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(state))
            pid = status_of(name).pid
            run("down", name, state=state)
            os.kill(pid, signal.SIGKILL)
