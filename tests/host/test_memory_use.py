"""How much memory processes use: what they allocate, with all that they have started, each page once."""

from __future__ import annotations

import mmap
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedfutures.host.memory_use import used_by

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
MIB = 1 << 20
SLACK = 8 * MIB


@contextmanager
def process(main: Callable[[], object]) -> Iterator[int]:
    """Fork a process that keeps what `main` returns until the end."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            kept = main()
            os.write(write, b"x")
            signal.pause()
            del kept
        finally:
            os._exit(0)
    try:
        assert os.read(read, 1) == b"x"
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)


def allocated(size: int) -> bytearray:
    made = bytearray(size)
    made[:: mmap.PAGESIZE] = b"x" * len(made[:: mmap.PAGESIZE])
    return made


def with_a_child(mine: int, of_child: int) -> object:
    """Have memory, and then a child that shares it and has more of its own, and ends with this process."""
    kept = allocated(mine)
    read, write = os.pipe()
    if not os.fork():
        os.close(write)
        more = allocated(of_child)
        os.read(read, 1)
        del more
        os._exit(0)
    return kept, write


@pytest.fixture(scope="module")
def nothing() -> int:
    with process(lambda: None) as pid:
        return used_by(pid)


def test_what_a_process_has_allocated_counts(nothing: int) -> None:
    with process(lambda: allocated(100 * MIB)) as pid:
        assert abs(used_by(pid) - nothing - 100 * MIB) < SLACK


def test_shared_memory_and_files_do_not_count(nothing: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 50 * MIB)

    def main() -> object:
        shared = mmap.mmap(-1, 50 * MIB)
        shared.write(b"x" * 50 * MIB)
        with open(tmp_path / "file", "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        return shared, mapped, sum(mapped[:: mmap.PAGESIZE])

    with process(main) as pid:
        assert used_by(pid) - nothing < SLACK


def test_children_count_and_what_they_share_counts_once(nothing: int) -> None:
    with process(lambda: with_a_child(100 * MIB, 60 * MIB)) as pid:
        deadline = 200
        while used_by(pid) < nothing + 150 * MIB and deadline:  # the child is allocating
            deadline -= 1
        assert used_by(pid) < 160 * MIB + nothing + SLACK
        assert used_by(pid) > 160 * MIB - SLACK
        assert used_by(pid, 1 << 40) > 250 * MIB, "below the bound nobody needs to know it as exactly"


def test_children_that_others_have_adopted_count() -> None:
    with process(lambda: allocated(40 * MIB)) as pid, process(lambda: allocated(50 * MIB)) as other:
        assert used_by(pid, None, [other]) > 90 * MIB


def test_one_that_is_gone_uses_nothing() -> None:
    with process(lambda: None) as pid:
        pass
    assert used_by(pid) == 0
