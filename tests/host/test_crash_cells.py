"""What a Worker leaves behind for the host process when it dies."""

from __future__ import annotations

import os

import pytest

from fedfutures.host.crash_cells import (
    ALONE_NUMBER,
    ALONE_PIECE,
    BEGUN_BYTES,
    HALF,
    LOOK_AT,
    MAY_USE,
    NESTED,
    NUMBER,
    ONCE_NUMBER,
    ONCE_PIECE,
    OVER_AT,
    PIECE,
    READY,
    READY_BYTES,
    SENT,
    WAITS_NUMBER,
    WAITS_PIECE,
    CrashCells,
)
from fedfutures.wire.messages import MAX_COUNT, MAX_PIECE


def test_what_a_child_writes_is_seen_after_its_end() -> None:
    cells = CrashCells()
    assert cells.running() is None
    assert (cells.ready, cells.nested) == (False, False)
    pid = os.fork()
    if not pid:
        cells.cells[READY], cells.cells[NUMBER], cells.cells[PIECE], cells.cells[NESTED] = 1, 7, 3, 1
        os._exit(0)
    os.waitpid(pid, 0)
    assert (cells.running(), cells.nested) == ((3, 7), True)
    assert cells.ready
    cells.close()


@pytest.mark.parametrize("junk", [1 << 40, 1 << 63, (1 << 64) - 1])
def test_what_a_worker_wrote_by_a_wild_pointer_says_nothing(junk: int) -> None:
    cells = CrashCells()
    for place in range(len(cells.cells)):
        cells.cells[place] = junk
    for half in cells.halves:
        half[:] = b"\xff" * len(half)
    assert (cells.running(), cells.alone(), cells.waiting(), cells.begun_once()) == (None, None, None, (0, 0))
    cells.spooled(5, b"tail")
    cells.cells[ONCE_PIECE], cells.cells[ONCE_NUMBER] = 4, 9
    assert cells.begun_once() == (4, 9)
    cells.cells[PIECE], cells.cells[NUMBER] = MAX_PIECE, MAX_COUNT
    assert cells.running() == (MAX_PIECE, MAX_COUNT)
    cells.close()


def test_what_was_printed_and_not_written_comes_once() -> None:
    """The Worker has died while the older half was being written: the host process knows how far that had come."""
    box = CrashCells()
    older, newer = box.halves
    box.cells[HALF], box.cells[SENT] = 1, 7
    older.write(b"one\ntwo\none\n")
    newer.write(b"three\n")
    assert box.spooled(7, b"before\n") == b"one\ntwo\none\nthree\n"
    assert box.spooled(11, b"before\none\n") == b"two\none\nthree\n"
    assert box.spooled(19, b"before\none\ntwo\none\n") == b"three\n"
    assert box.spooled(99, b"of another process\n") == b"one\ntwo\none\nthree\n"
    assert box.spooled(7, b"one\n") == b"one\ntwo\none\nthree\n"  # an earlier line of the same text
    box.close()


def test_a_future_with_a_limit_is_open_until_its_time_is_taken_back() -> None:
    cells = CrashCells()
    assert cells.alone() is None
    cells.cells[ALONE_PIECE], cells.cells[ALONE_NUMBER], cells.cells[OVER_AT] = 3, 7, 5_000
    assert cells.alone() == (3, 7, 5_000)
    cells.look_at(4_000)
    assert cells.cells[LOOK_AT] == 4_000
    cells.cells[OVER_AT] = 0
    assert cells.alone() is None
    cells.close()


def test_what_may_be_used_and_who_waits() -> None:
    cells = CrashCells()
    assert (cells.memory(), cells.waiting()) == ((0, 0, 0), None)
    cells.cells[READY_BYTES], cells.cells[BEGUN_BYTES], cells.cells[MAY_USE] = 1, 2, 3
    cells.cells[WAITS_PIECE], cells.cells[WAITS_NUMBER] = 4, 5
    assert (cells.memory(), cells.waiting()) == ((1, 2, 3), (4, 5))
    cells.close()
