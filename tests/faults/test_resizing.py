"""More and fewer Workers while a run runs: nothing is lost, nothing runs twice, and nobody counts an attempt."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from launching import eventually, launch, write
from started import overheard

import fedfutures
from fedfutures import futures
from fedfutures.errors import NotSupportedHere, StartFailed
from fedfutures.wire.control import ResizeHost, WorkerEnded

pytestmark = pytest.mark.host
SECONDS = 20.0
AGAIN_AND_AGAIN = (16, 2) * 10


def note(number: int, path: str, seconds: float = 0.0) -> int:
    """Note that this was run, in one write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{number}\n".encode())
    os.close(descriptor)
    if seconds:
        time.sleep(seconds)
    return number


def tree(depth: int, path: str, number: int = 1) -> int:
    """Submit two children, and wait for them; return how many calls that were."""
    note(number, path)
    if not depth:
        time.sleep(0.002)
        return 1
    children = [futures.submit(tree, depth - 1, path, 2 * number + more) for more in (0, 1)]
    return 1 + sum(child.result() for child in children)


def leaves_one_behind(path: str) -> int:
    """Submit a Future, and do not wait for it."""
    futures.submit(note, 7, path, 0.1)
    while not os.path.exists(path):
        time.sleep(0.001)
    return os.getpid()


def waits_for(path: str) -> int:
    while not os.path.exists(path):
        time.sleep(0.005)
    return os.getpid()


def size() -> int:
    return fedfutures.SIZE


def noted(path: Path) -> Counter[int]:
    return Counter(map(int, path.read_text().split())) if path.exists() else Counter()


class Run:
    """An Executor, and its host process."""

    def __init__(self, workers: int = 2, **more: Any) -> None:
        self.heard: list[Any] = []
        self.executor, self.handle = overheard(self.heard.append, workers, **more)

    def resize(self, workers: int) -> None:
        self.handle.tell(ResizeHost(workers, workers))

    def workers(self) -> list[int]:
        """Return the pids of the Workers."""
        host = self.handle.facts["pid"]
        found = []
        for pid in Path(f"/proc/{host}/task/{host}/children").read_text().split():
            try:
                name = Path(f"/proc/{pid}/comm").read_text()
            except OSError:
                continue
            if not name.startswith("fedfut-broker"):  # a new Worker has no name yet
                found.append(int(pid))
        return found

    def has(self, workers: int) -> bool:
        """Wait until there are so many Workers."""
        return eventually(lambda: len(self.workers()) == workers, SECONDS)

    def ended(self) -> list[WorkerEnded]:
        """Return those whose end is news: that was not in order."""
        return [frame for frame in self.heard if isinstance(frame, WorkerEnded)]


@pytest.fixture
def run() -> Iterator[Run]:
    made = Run()
    yield made
    made.executor.shutdown(cancel_futures=True)


def test_idle_workers_come_and_go_at_once(run: Run) -> None:
    assert run.executor.submit(size).result(SECONDS) == 2
    for workers in (6, 1, 0, 3):
        began = time.monotonic()
        run.resize(workers)
        assert run.has(workers)
        assert time.monotonic() - began < 2.0
    assert eventually(lambda: run.executor.submit(size).result(SECONDS) == 3, SECONDS)
    assert run.ended() == []


def test_up_and_down_under_load_each_call_runs_once(run: Run, tmp_path: Path) -> None:
    path, count = tmp_path / "noted", 1500
    submits = run.executor.submit, run.executor.options(idempotent=False).submit
    given = [submits[number % 2](note, number, str(path), 0.004) for number in range(count)]
    for workers in AGAIN_AND_AGAIN:
        run.resize(workers)
        time.sleep(0.03)
    assert [future.result(SECONDS) for future in given] == list(range(count))
    assert noted(path) == dict.fromkeys(range(count), 1)
    assert run.ended() == []
    assert run.has(2)


def test_a_map_goes_on(run: Run, tmp_path: Path) -> None:
    path, count = tmp_path / "noted", 30_000
    results = run.executor.map(note, range(count), [str(path)] * count)
    found = []
    for workers in AGAIN_AND_AGAIN[:10]:
        run.resize(workers)
        found += [next(results) for _ in range(count // 20)]
    assert [*found, *results] == list(range(count))
    assert noted(path) == dict.fromkeys(range(count), 1)
    assert run.ended() == []


def test_futures_that_wait_for_others_have_their_results(run: Run, tmp_path: Path) -> None:
    path, group = tmp_path / "noted", run.executor.group("trees")
    roots = [group.submit(tree, 6, str(path)) for _ in range(10)]
    for workers in AGAIN_AND_AGAIN[:12]:
        run.resize(workers)
        time.sleep(0.05)
    assert [root.result(SECONDS) for root in roots] == [127] * 10
    assert group.statistics().done == 10
    assert noted(path) == dict.fromkeys(range(1, 128), 10)
    assert run.ended() == []


def test_what_runs_finishes_and_takes_as_long_as_it_takes(run: Run, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    long = [run.executor.submit(waits_for, go) for _ in range(2)]
    assert eventually(lambda: all(future.running() for future in long), SECONDS)
    before = run.workers()
    run.resize(0)
    time.sleep(0.3)
    assert run.workers() == before
    waiting = run.executor.submit(os.getpid)
    Path(go).touch()
    assert {future.result(SECONDS) for future in long} == set(before)
    assert run.has(0)
    assert not waiting.done()
    run.resize(1)
    assert waiting.result(SECONDS) in run.workers()
    assert run.ended() == []


def test_what_a_withdrawn_worker_has_left_with_others_is_not_dropped(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "noted"
    assert run.executor.submit(leaves_one_behind, str(path)).result(SECONDS) in run.workers()
    run.resize(1)
    assert run.has(1)
    assert noted(path) == {7: 1}


def test_workers_that_are_killed_meanwhile_are_replaced_if_they_are_wanted(run: Run, tmp_path: Path) -> None:
    path, count = tmp_path / "noted", 800
    given = [run.executor.submit(note, number, str(path), 0.004) for number in range(count)]
    for workers in AGAIN_AND_AGAIN[:12]:
        run.resize(workers)
        time.sleep(0.03)
        for pid in run.workers()[:1]:  # after several kills a moment passes before the next start
            with contextlib.suppress(ProcessLookupError):  # it was one too many, and has just left
                os.kill(pid, signal.SIGKILL)
    assert [future.result(SECONDS) for future in given] == list(range(count))
    assert set(noted(path)) == set(range(count))
    assert run.has(2)


def test_several_brokers_share_them() -> None:
    run = Run(4, brokers=2)
    with run.executor:
        for workers in (10, 3, 6):
            run.resize(workers)
            assert run.has(workers)
        assert len({*run.executor.map(_pid, range(300), chunksize=1)}) == 6


def _pid(number: int) -> int:
    time.sleep(0.01)
    return os.getpid()


def test_a_program_asks_for_more_and_fewer(run: Run, tmp_path: Path) -> None:
    path, executor = tmp_path / "noted", run.executor
    given = [executor.submit(note, number, str(path), 0.01) for number in range(400)]
    for workers in (16, 2, 16, 2):
        assert executor.resize(workers) == workers == executor.num_workers
        assert run.has(workers)
        assert f"{workers} Workers" in repr(executor)
    assert [future.result(SECONDS) for future in given] == list(range(400))
    assert noted(path) == dict.fromkeys(range(400), 1)
    assert eventually(lambda: executor.submit(size).result(SECONDS) == 2, SECONDS)
    assert run.ended() == []


def test_a_host_process_that_is_started_again_has_the_number_asked_for(run: Run) -> None:
    run.executor.resize(5)
    assert run.has(5)
    os.kill(run.handle.facts["pid"], signal.SIGKILL)
    assert run.executor.submit(size).result(SECONDS) == 5
    assert run.has(5)


def test_several_threads_ask_at_once(run: Run) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run.executor.resize, range(1, 9)))
    assert run.has(run.executor.num_workers)


@pytest.mark.parametrize("workers", [0, -1, (1 << 16) + 1])
def test_what_is_no_number_of_workers(run: Run, workers: int) -> None:
    with pytest.raises(ValueError, match=f"must be from 1 to 65536, not {workers}"):
        run.executor.resize(workers)


@pytest.mark.parametrize("workers", [True, 2.0, "2", None])
def test_what_is_no_integer(run: Run, workers: Any) -> None:
    with pytest.raises(TypeError, match="must be an integer"):
        run.executor.resize(workers)


def test_more_than_memory_allows(run: Run) -> None:
    with pytest.raises(StartFailed):
        run.executor.resize(1 << 16)
    assert run.executor.num_workers == 2


def test_after_the_end(run: Run) -> None:
    run.executor.shutdown()
    with pytest.raises(RuntimeError, match="cannot resize after shutdown"):
        run.executor.resize(3)


def test_who_has_no_workers_of_its_own() -> None:
    with fedfutures.Executor(mode="serial") as executor, pytest.raises(NotSupportedHere, match="no Workers of its own"):
        executor.resize(3)
    assert futures.resize(3) == 1


PROGRAM = """
import fedfutures, time
from fedfutures import errors, futures

def size(): return fedfutures.SIZE
def inside():
    try:
        futures.resize(4)
    except errors.NotSupportedHere as error:
        return str(error)

if __name__ == "__main__":
    print(futures.submit(size).result(), futures.submit(inside).result())
    print(futures.resize(3), fedfutures.SIZE)
    until = time.monotonic() + 20
    while futures.submit(size).result() != 3 and time.monotonic() < until: time.sleep(0.01)
    print(futures.submit(size).result())
"""


def test_a_launched_program_asks_for_more(tmp_path: Path) -> None:
    program = write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "2", str(program))
    said = "2 the program changes the number of Workers; a Future cannot\n3 3\n3\n"
    assert (ended.out, ended.err, ended.code) == (said, "", 0)


def test_workers_come_when_they_are_wanted_and_leave_when_they_are_not(tmp_path: Path) -> None:
    run, path = Run(6, min_workers=1), tmp_path / "noted"
    try:
        assert run.executor.submit(size).result(SECONDS) == 6
        assert run.has(1)
        given = [run.executor.submit(note, number, str(path), 0.05) for number in range(200)]
        assert run.has(6)
        assert [future.result(SECONDS) for future in given] == list(range(200))
        assert noted(path) == dict.fromkeys(range(200), 1)
        assert run.has(1)
        assert run.executor.resize(2) == 2
        with pytest.raises(ValueError, match="this run has 6 Workers at most, and cannot have 7"):
            run.executor.resize(7)
        given = [run.executor.submit(time.sleep, 0.1) for _ in range(20)]
        assert run.has(2)
        assert run.ended() == []
    finally:
        run.executor.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    ("most", "least", "why"),
    [(2, 3, "at most max_workers: 3 for 2"), (2, 0, "from 1 to 65536, not 0"), (None, 1 << 15, "at most max_workers")],
)
def test_what_is_no_least_number(most: int | None, least: int, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fedfutures.Executor(most, min_workers=least)


def test_a_least_number_is_for_this_machine() -> None:
    for more in ({"hosts": ["h"]}, {"join": "lab"}):
        with pytest.raises(ValueError, match="Workers of this machine alone"):
            fedfutures.Executor(2, min_workers=1, **more)  # type: ignore[arg-type]
