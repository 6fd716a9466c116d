"""Workers that die: what they ran runs again, what killed three of them is named, and nothing else suffers.

The rows C1, C2 and C8 of the catalogue of faults, the cases of crash that loky's test suite has, and what the end of
the Origin leaves behind.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from pickle import PicklingError
from typing import Any

import pytest
import tasks
from launching import Running, eventually, write
from started import overheard

from fedfutures import errors

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel ends what outlives its Worker"),
]

SECONDS = 20.0
INNOCENT = 10
TIMES_POISON = 4
TIMES_ONCE = 5
TIMES_CASE = 4
TIMES_ORIGIN = 2
LOST_AT_MOST = 3
GONE_SECONDS = 2.0
HELD_SECONDS = 1.5

ENDS = [
    pytest.param(tasks.kill_self, "signal SIGKILL", id="SIGKILL"),
    pytest.param(tasks.leave_at_once, "exit code 3", id="os._exit(3)"),
    pytest.param(tasks.leave_quietly, "exit code 0", id="os._exit(0)"),
    pytest.param(tasks.crash, "signal SIGSEGV", id="SIGSEGV"),
    pytest.param(tasks.abort, "signal SIGABRT", id="SIGABRT"),
]


@pytest.fixture(autouse=True)
def _count_losses(shared: Any) -> None:
    shared.lost.clear()


def innocents(shared: Any) -> list[Any]:
    """Submit the Futures that have nothing to do with it."""
    return [shared.submit(tasks.square_slowly, number) for number in range(INNOCENT)]


def all_well(futures: list[Any]) -> bool:
    """Whether they have all done what they should."""
    return [future.result(timeout=SECONDS) for future in futures] == [number**2 for number in range(INNOCENT)]


def poisoned(future: Any) -> errors.PoisonedFuture:
    """Return the error of a Future that must be poisoned."""
    error = future.exception(timeout=SECONDS)
    assert isinstance(error, errors.PoisonedFuture), repr(error)
    return error


# -- C1, C2, C8 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "status"), ENDS)
def test_a_poison_future_is_named_after_three_workers(
    shared: Any, tmp_path: Path, act: Callable[[], None], status: str
) -> None:
    for number in range(TIMES_POISON):
        shared.lost.clear()
        path = str(tmp_path / f"{number}")
        before = innocents(shared)
        poison = shared.submit(tasks.die_by, act, path)
        after = innocents(shared)
        error = poisoned(poison)
        assert all_well(before)
        assert all_well(after)
        died = tasks.noted(path)
        assert (len(died), len(set(died))) == (3, 3)
        assert (error.function, error.status, error.attempts) == ("die_by", status, 3)
        assert error.host == os.uname().nodename.partition(".")[0]
        assert error.worker.startswith(f"{error.host}.")
        assert status in str(error)
        assert shared.serves()
        assert shared.has_lost(*[status] * LOST_AT_MOST)
    assert eventually(lambda: len(workers(shared)) == 2, 2.0)


@pytest.mark.parametrize(("act", "status"), ENDS)
def test_a_future_whose_worker_died_runs_again(
    shared: Any, tmp_path: Path, act: Callable[[], None], status: str
) -> None:
    for number in range(TIMES_ONCE):
        path = str(tmp_path / f"{number}")
        others = innocents(shared)
        future = shared.submit(tasks.die_once, act, path)
        assert future.result(timeout=SECONDS) == "ran"
        assert all_well(others)
        assert len(tasks.noted(path)) == 2
    assert shared.has_lost(*[status] * TIMES_ONCE)
    assert shared.serves()


@pytest.mark.fault("C2")
@pytest.mark.parametrize(("act", "status", "says"), [
    (tasks.crash, "signal SIGSEGV", "Segmentation fault"),
    (tasks.abort, "signal SIGABRT", "Aborted"),
])  # fmt: skip
def test_c2_the_error_of_a_crash_holds_the_stacks(
    shared: Any, tmp_path: Path, act: Callable[[], None], status: str, says: str
) -> None:
    error = poisoned(shared.submit(tasks.die_by, act, str(tmp_path / "died")))
    assert f"Fatal Python error: {says}" in error.dump
    assert f"in {act.__name__}" in error.dump
    assert "in die_by" in error.dump
    assert error.dump in str(error)
    assert error.status == status
    assert shared.has_lost(*[status] * LOST_AT_MOST)


@pytest.mark.fault("C1")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_c1_a_worker_killed_from_outside(shared: Any, number: int) -> None:
    for _ in range(TIMES_ONCE):
        futures = innocents(shared)
        time.sleep(0.01)
        victim = workers(shared)[0]
        os.kill(victim, number)
        assert all_well(futures)
        assert eventually(lambda: len(workers(shared)) == 2 and victim not in workers(shared), 2.0)  # noqa: B023
    assert shared.serves()
    assert shared.has_lost(*[f"signal {signal.Signals(number).name}"] * TIMES_ONCE)


def test_c1_all_workers_killed_at_once(shared: Any) -> None:
    for _ in range(TIMES_ONCE):
        futures = innocents(shared)
        victims = workers(shared)
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        assert all_well(futures)
        assert eventually(lambda: len(workers(shared)) == 2 and not set(victims) & set(workers(shared)), 2.0)  # noqa: B023
    assert shared.has_lost(*["signal SIGKILL"] * 2 * TIMES_ONCE)
    assert shared.serves()


def test_c1_an_idle_worker_killed(shared: Any) -> None:
    for _ in range(TIMES_ONCE):
        assert shared.serves()
        victim = workers(shared)[-1]
        os.kill(victim, signal.SIGKILL)
        assert shared.serves()
        assert eventually(lambda: victim not in (ready := ready_workers(shared)) and len(ready) == 2, 2.0)  # noqa: B023
    assert shared.has_lost(*["signal SIGKILL"] * TIMES_ONCE)


def test_c8_poison_among_the_items_of_a_map(shared: Any, tmp_path: Path) -> None:
    for number in range(TIMES_CASE):
        path = str(tmp_path / f"{number}")
        others = innocents(shared)
        results = list(shared.map(tasks.parts_then_die, [path] * 30, range(30), return_exceptions=True))
        assert isinstance(results[7], errors.PoisonedFuture)
        assert [value for place, value in enumerate(results) if place != 7] == [n**2 for n in range(30) if n != 7]
        assert all_well(others)
        # The slice that it travelled in is poisoned first; then it alone.
        died = len(tasks.noted(path))
        assert died in (LOST_AT_MOST, 2 * LOST_AT_MOST)
        assert shared.has_lost(*["signal SIGKILL"] * died)
        shared.lost.clear()
    assert shared.serves()


@pytest.mark.fault("C4")
def test_c4_a_worker_whose_threads_cannot_run_is_not_dead(shared: Any) -> None:
    """All Workers are so, longer than any silence that counts; their Broker and others wait."""
    held = [shared.submit(tasks.hold_gil, HELD_SECONDS) for _ in range(2)]
    others = innocents(shared)
    assert [future.result(timeout=SECONDS) for future in held] == [HELD_SECONDS] * 2
    assert all_well(others)
    assert shared.lost == []


@pytest.mark.fault("C8")
def test_c8_several_poisons_at_once(shared: Any, tmp_path: Path) -> None:
    for number in range(TIMES_CASE):
        shared.lost.clear()
        before = innocents(shared)
        poisons = [
            shared.submit(tasks.die_by, tasks.kill_self, str(tmp_path / f"{number}-{each}")) for each in range(3)
        ]
        after = innocents(shared)
        assert [poisoned(poison).attempts for poison in poisons] == [3, 3, 3]
        assert all_well(before)
        assert all_well(after)
        assert shared.serves()
        assert shared.has_lost(*["signal SIGKILL"] * 9)


def test_c8_poison_that_a_future_submitted(shared: Any, tmp_path: Path) -> None:
    for number in range(TIMES_CASE):
        path = str(tmp_path / f"{number}")
        others = innocents(shared)
        future = shared.submit(tasks.submit_poison, path)
        kind, attempts = future.result(timeout=SECONDS)
        assert (kind, attempts) == ("PoisonedFuture", 3)
        assert all_well(others)
    assert shared.has_lost(*["signal SIGKILL"] * 3 * TIMES_CASE)
    assert shared.serves()


# -- loky's cases ------------------------------------------------------------------------------------------------------


@pytest.mark.fault("A6", "C1", "C2")
@pytest.mark.parametrize(("submit", "status"), [
    pytest.param(lambda s: s.submit(tasks.identity, tasks.AtLoadElsewhere(tasks.crash)), "signal SIGSEGV",
                 id="crash when the argument is loaded"),
    pytest.param(lambda s: s.submit(tasks.identity, tasks.AtLoadElsewhere(tasks.leave_at_once)), "exit code 3",
                 id="end when the argument is loaded"),
    pytest.param(lambda s: s.submit(tasks.crash), "signal SIGSEGV", id="crash in the function"),
    pytest.param(lambda s: s.submit(tasks.leave_at_once), "exit code 3", id="end in the function"),
    pytest.param(lambda s: s.submit(tasks.returns, tasks.AtPickle, tasks.crash), "signal SIGSEGV",
                 id="crash when the result is pickled"),
    pytest.param(lambda s: s.submit(tasks.returns, tasks.AtPickle, tasks.leave_at_once), "exit code 3",
                 id="end when the result is pickled"),
    pytest.param(lambda s: s.submit(tasks.raise_now, tasks.crash_when_pickled_there()), "signal SIGSEGV",
                 id="crash when the exception is pickled"),
])  # fmt: skip
def test_what_kills_workers(shared: Any, submit: Callable[[Any], Any], status: str) -> None:
    for _ in range(TIMES_CASE):
        shared.lost.clear()
        before = innocents(shared)
        future = submit(shared)
        after = innocents(shared)
        assert poisoned(future).status == status
        assert all_well(before)
        assert all_well(after)
        assert shared.serves()
        assert shared.has_lost(*[status] * LOST_AT_MOST)


@pytest.mark.parametrize(("submit", "kinds"), [
    pytest.param(lambda s: s.submit(tasks.identity, tasks.AtLoadElsewhere(tasks.fail)), errors.ArgumentLoadError,
                 id="raise when the argument is loaded"),
    pytest.param(lambda s: s.submit(tasks.identity, tasks.AtLoadElsewhere(tasks.leave)), errors.ArgumentLoadError,
                 id="exit when the argument is loaded"),
    pytest.param(lambda s: s.submit(tasks.leave), SystemExit, id="exit in the function"),
    pytest.param(lambda s: s.submit(tasks.fail), RuntimeError, id="raise in the function"),
    pytest.param(lambda s: s.submit(tasks.returns, tasks.AtPickle, tasks.fail), errors.ResultNotPicklable,
                 id="raise when the result is pickled"),
    pytest.param(lambda s: s.submit(tasks.returns, tasks.AtPickle, tasks.leave), SystemExit,
                 id="exit when the result is pickled"),
    pytest.param(lambda s: s.submit(tasks.returns, tasks.AtLoadElsewhere, tasks.fail), RuntimeError,
                 id="raise when the result is loaded"),
    pytest.param(lambda s: s.submit(tasks.returns, tasks.AtLoadElsewhere, tasks.leave), SystemExit,
                 id="exit when the result is loaded"),
])  # fmt: skip
def test_what_kills_none(shared: Any, submit: Callable[[Any], Any], kinds: type[BaseException]) -> None:
    for _ in range(TIMES_CASE):
        before = innocents(shared)
        future = submit(shared)
        after = innocents(shared)
        assert isinstance(future.exception(timeout=SECONDS), kinds)
        assert all_well(before)
        assert all_well(after)
    assert shared.lost == []


@pytest.mark.parametrize(("act", "kinds"), [(tasks.fail, PicklingError), (tasks.leave, (PicklingError, SystemExit))])
def test_what_submits_nothing(shared: Any, act: Callable[[], None], kinds: Any) -> None:
    others = innocents(shared)
    with pytest.raises(kinds):
        shared.submit(tasks.identity, tasks.AtPickle(act))
    assert all_well(others)
    assert shared.serves()
    assert shared.lost == []


# -- the end of the Origin ---------------------------------------------------------------------------------------------

ORIGIN = """
    import os, signal, sys, time
    sys.path.insert(0, {tests!r})
    import numpy as np
    import tasks
    from started import overheard

    def main():
        executor, handle = overheard()
        left = [executor.submit(act).result(20) for act in (tasks.leave_child, tasks.leave_daemon) for _ in range(2)]
        kept = executor.submit(tasks.negative, np.ones(1 << 20)).result(20)
        futures = [executor.submit(time.sleep, {seconds}) for _ in range(3)]
        futures += [executor.submit(tasks.length, np.ones(1 << 20)) for _ in range(3)]
        time.sleep(0.1)
        facts = handle.facts
        print(facts["pid"], facts["run"], facts["shared"], *(child for _, child in left), flush=True)
        {end}

    if __name__ == "__main__":
        main()
"""
WAYS = {
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    "os._exit": "os._exit(3)",
    "crash": "tasks.crash()",
    "shutdown": "executor.shutdown(wait=False, cancel_futures=True); executor._federation.close()",
    "end of the program": "",
}


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "os._exit", "crash", "shutdown"])
def test_nothing_outlives_the_origin(tmp_path: Path, end: str) -> None:
    pytest.importorskip("numpy")
    for _ in range(TIMES_ORIGIN):
        _end_one(tmp_path, WAYS[end], 600)


def test_nothing_outlives_an_origin_that_ends_when_all_is_done(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    for _ in range(TIMES_ORIGIN):
        _end_one(tmp_path, WAYS["end of the program"], 0.2)


def _end_one(tmp_path: Path, way: str, seconds: float) -> None:
    text = ORIGIN.format(tests=os.path.dirname(__file__), end=way, seconds=seconds)
    program = write(tmp_path / "prog.py", text)
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    running = Running(
        [str(program)], cwd=tmp_path, env={"XDG_RUNTIME_DIR": str(runtime), "TMPDIR": str(runtime)}, fedfutures=False
    )
    assert running.process.stdout is not None
    line = running.process.stdout.readline().split()
    pids = [int(word) for word in (line[0], *line[3:])]
    places = [Path(line[1]), Path(line[2])]
    assert len(pids) == 5
    running.end(seconds=SECONDS)
    gone = eventually(
        lambda: not running.processes() and not any(map(alive, pids)) and not any(p.exists() for p in places),
        GONE_SECONDS,
    )
    left = running.processes(), [*filter(alive, pids)], [place for place in places if place.exists()]
    running.kill()
    assert gone, f"left: {left}"
    assert list(runtime.iterdir()) == []


def test_nothing_outlives_a_host_process_that_is_killed() -> None:
    for _ in range(TIMES_ORIGIN):
        executor, handle = overheard()
        with executor:
            assert executor.submit(tasks.square, 3).result(timeout=SECONDS) == 9
            facts = handle.facts
            below = children(facts["pid"])
            assert len(below) == 3
            os.kill(facts["pid"], signal.SIGKILL)
            assert eventually(lambda: not any(map(alive, below)), GONE_SECONDS)  # noqa: B023
            assert executor.submit(tasks.square, 4).result(timeout=SECONDS) == 16
        assert not [facts[place] for place in ("run", "shared", "disk") if os.path.exists(facts[place])]


def alive(pid: int) -> bool:
    """Whether a process is there, and not only its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ready_workers(shared: Any) -> set[int]:
    """Return the pids of the Workers that run Futures: one that was only just started would not count as ready."""
    return {future.result(timeout=SECONDS) for future in [shared.submit(tasks.pid_slowly) for _ in range(6)]}


def workers(shared: Any) -> list[int]:
    """Return the pids of the Workers: all children of the host process but the Broker."""
    return [pid for pid in children(shared.facts["pid"]) if alive(pid) and not _is_broker(pid)]


def _is_broker(pid: int) -> bool:
    try:
        return "broker" in Path(f"/proc/{pid}/comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
