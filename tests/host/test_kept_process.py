"""A process that is started again when it ends too early, at the same place and with the same first words."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest
from launching import eventually

from fedfutures.errors import StartFailed
from fedfutures.host.kept_process import KeptProcess
from fedfutures.wire.control import ControlFrame, EndRun, Heartbeat, Notice

pytestmark = pytest.mark.host
SECONDS = 30.0
ECHO = """
import os, sys
from fedfutures.wire.control import EndRun, Notice
from fedfutures.wire.framing import FrameReader, pack
reader = FrameReader()
while data := os.read(0, 1 << 16):
    for frame in reader.feed(data):
        if isinstance(frame, EndRun):
            sys.exit()
        os.write(1, pack(Notice(f"{os.getpid()} {frame.text}")))
"""


class Kept:
    """What the thread of a process that echoes Notices has taken in."""

    def __init__(self, *, is_kept: bool = True) -> None:
        self.process = KeptProcess("it", [sys.executable, "-c", ECHO], SECONDS, is_kept=is_kept)
        self.process.note_ready()
        self.words: list[str] = []
        self.pids: list[int] = []
        self.ends: list[str] = []
        self.why: str | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        self.why = self.process.serve(self._take, self.ends.append, self._first, lambda: 0)

    def _first(self) -> list[ControlFrame]:
        return [Notice(f"life {self.process.restarts}")]

    def _take(self, frame: ControlFrame) -> None:
        assert isinstance(frame, Notice)
        pid, _, word = frame.text.partition(" ")
        self.pids.append(int(pid))
        self.words.append(word)
        self.process.note_ready()

    def end(self) -> None:
        self.process.hang_up()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        self.process.wait(SECONDS)
        self.process.close_output()


def test_each_that_is_killed_is_followed_by_one_that_hears_what_comes_first() -> None:
    kept = Kept()
    with contextlib.closing(contextlib.ExitStack()) as last:
        last.callback(kept.end)
        kept.process.tell(Notice("begin"))
        for life in range(2):
            assert eventually(lambda: len(kept.words) == life + 1, SECONDS)  # noqa: B023
            os.kill(kept.pids[-1], signal.SIGKILL)
        assert eventually(lambda: kept.words == ["begin", "life 1", "life 2"], SECONDS)
        kept.process.tell(Notice("and on"))
        assert eventually(lambda: kept.words[-1] == "and on", SECONDS)
    assert kept.ends == ["signal SIGKILL"] * 2
    assert len(set(kept.pids)) == 3
    assert (kept.why, kept.process.is_ending) == ("", True)


def test_one_that_is_not_kept_ends_and_is_told_nothing_more() -> None:
    kept = Kept(is_kept=False)
    kept.process.tell(Notice("begin"))
    assert eventually(lambda: bool(kept.pids), SECONDS)
    os.kill(kept.pids[0], signal.SIGKILL)
    assert eventually(lambda: kept.why is not None, SECONDS)
    kept.process.tell(Heartbeat())
    kept.process.tell(EndRun())
    assert (kept.why, kept.process.is_ending, kept.ends) == ("", False, [])
    kept.end()


def test_a_wait_says_why_what_it_waits_for_does_not_come() -> None:
    found: list[ControlFrame] = []
    process = KeptProcess("it", [sys.executable, "-c", ECHO], SECONDS, is_kept=False)
    process.tell(Notice("hello"))
    assert process.wait_for(lambda: bool(found), found.append) == ""
    process.tell(EndRun())
    assert process.wait_for(lambda: len(found) == 2, found.append) == "it ended"
    process.hang_up()
    process.wait(SECONDS)
    process.close_output()
    with pytest.raises(StartFailed, match="cannot start /no/such/program: "):
        KeptProcess("it", ["/no/such/program"], SECONDS, is_kept=True)


def test_one_that_is_killed_before_it_is_ready_is_replaced_and_one_that_ends_is_not() -> None:
    found: list[ControlFrame] = []
    process = KeptProcess("it", [sys.executable, "-c", ECHO], SECONDS, is_kept=True)
    process.tell(Notice("first"))
    assert process.wait_for(lambda: bool(found), found.append) == ""
    assert isinstance(found[0], Notice)
    os.kill(int(found[0].text.split()[0]), signal.SIGKILL)
    assert process.wait_for(lambda: len(found) == 2, found.append) == "it ended"
    assert process.revive(lambda: [Notice("second")])
    assert process.wait_for(lambda: len(found) == 2, found.append) == ""
    process.tell(EndRun())
    assert process.wait_for(lambda: len(found) == 3, found.append) == "it ended"
    assert not process.revive(lambda: [Notice("third")])
    process.hang_up()
    process.wait(SECONDS)
    process.close_output()


def test_one_that_can_never_start_again_says_why_at_once() -> None:
    def start(**options: Any) -> subprocess.Popen[bytes]:
        if started:
            raise StartFailed("no Federation named lab stands on this machine", 2)
        started.append(
            subprocess.Popen([sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        )
        return started[0]

    started: list[subprocess.Popen[bytes]] = []
    process = KeptProcess("it", [], SECONDS, is_kept=True, start=start)
    process.note_ready()
    started[0].kill()
    why = process.serve(lambda frame: None, lambda status: None, list, lambda: 0)
    assert why == "no Federation named lab stands on this machine"
    process.hang_up()
    process.close_output()
