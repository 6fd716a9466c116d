"""What a Worker leaves behind for the host process when it dies."""

from __future__ import annotations

import os

from fedfutures.host.crash_cells import HALF, NUMBER, PIECE, READY, SENT, CrashCells


def test_what_a_child_writes_is_seen_after_its_end() -> None:
    cells = CrashCells()
    assert cells.running() is None
    assert not cells.ready
    pid = os.fork()
    if not pid:
        cells.cells[READY], cells.cells[NUMBER], cells.cells[PIECE] = 1, 7, 3
        os._exit(0)
    os.waitpid(pid, 0)
    assert cells.running() == (3, 7)
    assert cells.ready
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
