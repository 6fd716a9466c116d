"""Too many Workers for a machine: what the launcher says, and when it says nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from launching import launch, write

from fedfutures import Executor
from fedfutures.errors import StartFailed
from fedfutures.host import room
from fedfutures.host.system import processors


@pytest.mark.host
def test_more_workers_than_memory_holds(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('ran')\n")
    ended = launch("-n", "100000000", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    for part in ("100,000,000 Workers", "8 MiB each", "GiB are there", "at most "):
        assert part in ended.err


@pytest.mark.host
def test_far_more_workers_than_processors(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "print('ran')\n")
    many = str(room.WORKERS_PER_PROCESSOR * processors() + 1)
    ended = launch("-n", many, "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "ran\n")
    assert f"processors for {many} Workers: more than 4 for each only make a run slower" in ended.err.replace(
        "processor for", "processors for"
    )
    assert launch("-q", "-n", many, "prog.py", cwd=tmp_path).err == ""


def test_an_executor_with_more_workers_than_memory_holds() -> None:
    with pytest.raises(StartFailed, match=r"100,000,000 Workers on .* need at least .* GiB are there; at most "):
        Executor(max_workers=100_000_000)


def test_what_memory_there_is() -> None:
    assert 1 << 20 < room.available_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
