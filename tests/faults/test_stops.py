"""Workers that a signal stops: others run what they have not started, and after a grace they are replaced."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tasks
from launching import eventually
from started import overheard

from fedfutures.wire.control import Notice, WorkerEnded

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel says who stopped whom"),
]
SECONDS = 60.0
SHORT = 300


class Stage:
    """An Executor of three Workers, and what its host process says."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.executor, _ = overheard(self.said.append, 3)
        self.submit = self.executor.submit

    def ends(self) -> list[tuple[str, bool]]:
        """Return how each Worker that was lost ended, and whether what it ran is blamed."""
        return [(frame.status, frame.blame) for frame in self.said if isinstance(frame, WorkerEnded)]

    def noticed(self, pid: int) -> bool:
        """Whether people were told that a process is stopped."""
        texts = [frame.text for frame in self.said if isinstance(frame, Notice)]
        return any("is stopped" in text and f"kill -CONT {pid}" in text for text in texts)


@pytest.fixture
def stage() -> Iterator[Stage]:
    here = Stage()
    with here.executor:
        yield here


def run_long(path: str, seconds: float) -> int:
    """Note the process at once, and end later."""
    with open(path, "a") as file:
        print(os.getpid(), file=file, flush=True)
    time.sleep(seconds)
    return os.getpid()


def stop_once(path: str) -> str:
    """Stop this process the first time."""
    with open(path, "a") as file:
        print(os.getpid(), file=file, flush=True)
    if len(tasks.noted(path)) == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    return "ran"


def at_work(stage: Stage) -> set[int]:
    """Return the processes that run Futures."""
    futures = [stage.submit(tasks.pid_slowly) for _ in range(60)]
    return {future.result(timeout=SECONDS) for future in futures}


def first_pid(path: str) -> int:
    assert eventually(lambda: os.path.exists(path) and tasks.noted(path), SECONDS)
    return int(tasks.noted(path)[0])


@pytest.mark.fault("C3")
def test_a_worker_that_stays_stopped_is_replaced_and_its_futures_run_elsewhere(stage: Stage, tmp_path: Path) -> None:
    outside, inside = str(tmp_path / "outside"), str(tmp_path / "inside")
    long = stage.submit(run_long, outside, 0.5)
    victim = first_pid(outside)
    os.kill(victim, signal.SIGSTOP)
    itself = stage.submit(stop_once, inside)
    short = [stage.submit(tasks.square, number) for number in range(SHORT)]
    assert [future.result(timeout=SECONDS) for future in short] == [number**2 for number in range(SHORT)]
    assert stage.ends() == [], "nothing waits until the stopped ones are killed"
    assert itself.result(timeout=SECONDS) == "ran"
    assert long.result(timeout=SECONDS) != victim
    assert eventually(lambda: len(stage.ends()) == 2, SECONDS)
    status = "stopped for 5 s, and killed for that"
    assert sorted(stage.ends()) == [(status, False), (status, True)], "only the one that stopped itself is to blame"
    assert stage.noticed(victim)
    assert stage.noticed(int(tasks.noted(inside)[0]))
    assert not os.path.exists(f"/proc/{victim}")
    assert len(tasks.noted(outside)) == len(tasks.noted(inside)) == 2
    assert eventually(lambda: len(at_work(stage)) == 3, SECONDS), "they were not replaced"


@pytest.mark.fault("C3")
def test_a_worker_that_goes_on_in_time_keeps_its_future(stage: Stage, tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    long = stage.submit(run_long, path, 0.2)
    pid = first_pid(path)
    os.kill(pid, signal.SIGSTOP)
    behind = [stage.submit(tasks.square_slowly, number) for number in range(SHORT)]
    assert eventually(lambda: stage.noticed(pid), SECONDS)
    assert [future.result(timeout=SECONDS) for future in behind] == [number**2 for number in range(SHORT)]
    assert not long.done()
    os.kill(pid, signal.SIGCONT)
    assert long.result(timeout=SECONDS) == pid
    assert eventually(lambda: pid in at_work(stage), SECONDS), "it is given nothing any more"
    assert stage.ends() == []
    assert len(tasks.noted(path)) == 1


def test_what_was_said_not_to_be_cancelled_is_not_cancelled_later(stage: Stage) -> None:
    assert eventually(lambda: len(at_work(stage)) == 3, SECONDS), "the one of before was replaced"
    parent = stage.executor.submit(os.getppid).result(timeout=SECONDS)
    below = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    [broker] = [int(pid) for pid in below if "broker" in Path(f"/proc/{pid}/comm").read_text()]
    running = [stage.submit(time.sleep, 5.0) for _ in range(3)]  # a busy machine sees them begin one after the other
    assert eventually(lambda: all(future.running() for future in running), SECONDS)
    waiting = stage.submit(tasks.square, 7)
    time.sleep(0.2)  # it is given
    os.kill(broker, signal.SIGSTOP)
    assert not waiting.cancel()
    os.kill(broker, signal.SIGCONT)
    assert waiting.result(timeout=SECONDS) == 49
    assert [future.result(timeout=SECONDS) for future in running] == [None] * 3


def test_what_a_stopped_worker_has_not_started_can_be_cancelled(stage: Stage, tmp_path: Path) -> None:
    paths = [str(tmp_path / str(number)) for number in range(3)]
    running = [stage.submit(run_long, path, 2.0) for path in paths]
    pids = [first_pid(path) for path in paths]
    behind = [stage.submit(tasks.square, number) for number in range(30)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    assert eventually(lambda: all(stage.noticed(pid) for pid in pids), SECONDS)
    cancelled = [future.cancel() or future.done() for future in behind]
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    assert all(cancelled)
    assert sorted(future.result(timeout=SECONDS) for future in running) == sorted(pids)
