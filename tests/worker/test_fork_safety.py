"""What an import may leave in a process that Workers cannot be forked from then."""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fedfutures.worker.fork_safety import Footprint, footprint, unsafe

CLEAN = Footprint(1, {"0": "/dev/null"}, frozenset(), 0, (0.0, 0.0))


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (socket.socketpair, "a socket"),
        (os.pipe, "a pipe"),
        (lambda: os.open(__file__, os.O_RDONLY), __file__),
        (lambda: mmap.mmap(-1, 4096), "memory that processes share"),
    ],
)
def test_what_is_left_open_is_named(left: object, why: str) -> None:
    before = footprint()._replace(threads=1, children=0)
    kept = left()  # type: ignore[operator]
    after = footprint()._replace(threads=1, children=0)
    assert why in unsafe(before, after)
    for one in kept if isinstance(kept, tuple) else (kept,):
        os.close(one) if isinstance(one, int) else one.close()
    assert unsafe(before, footprint()._replace(threads=1, children=0)) == ""


def test_threads_children_and_timers() -> None:
    assert "threads: 1" in unsafe(CLEAN, CLEAN._replace(threads=2))
    assert "processes: 1" in unsafe(CLEAN, CLEAN._replace(children=1))
    assert "timer" in unsafe(CLEAN, CLEAN._replace(timers=(1.0, 0.0)))
    assert unsafe(CLEAN, CLEAN._replace(descriptors={"0": "/dev/null", "7": "/dev/urandom"})) == ""


def test_threads_of_openblas_do_not_count(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    text = "import numpy; from fedfutures.worker.fork_safety import footprint; print(footprint().threads)"
    env = os.environ | {"OPENBLAS_NUM_THREADS": "4", "OMP_NUM_THREADS": "4"}
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=env, check=True)
    assert found.stdout == "1\n"
