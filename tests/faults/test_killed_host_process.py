"""The local host process is killed, in all its states: no Future is lost, and none has another value.

``benchmarks/revival.py`` measures how long that takes.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import reviving
from launching import Running, eventually, write
from reviving import Lives

from fedfutures import Executor
from fedfutures.errors import FederationLost
from fedfutures.host.handle import HostEnded

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel ends what outlives a host process"),
]
SECONDS = 60.0
KILLS = 5
FUTURES = 1000


@pytest.fixture
def lives() -> Iterator[Lives]:
    here = Lives(2)
    yield here
    with here.executor:
        assert here.serves()
    assert eventually(lambda: not any(map(reviving.is_alive, here.pids)), 5.0)
    assert [path for path in here.directories if os.path.exists(path)] == []


@pytest.mark.fault("C5")
def test_kills_at_random_moments_lose_nothing(lives: Lives) -> None:
    np = pytest.importorskip("numpy")
    dice = random.Random(7)
    done = threading.Event()

    def kill_again_and_again() -> None:
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.05, 1.2))
            lives.kill()
            assert lives.is_ready_again(SECONDS)
        done.set()

    killer = threading.Thread(target=kill_again_and_again)
    killer.start()
    large = np.arange(100_000, dtype=float)  # of 800 kB: it travels through shared memory
    rounds = 0
    while not rounds or killer.is_alive():
        calls = [lives.executor.submit(reviving.square_slowly, number) for number in range(FUTURES)]
        arrays = [lives.executor.submit(reviving.plus_one, large * number) for number in range(10)]
        parents = [lives.executor.submit(reviving.sum_of_children, 10) for _ in range(5)]
        mapped = lives.executor.map(reviving.square_slowly, range(FUTURES), chunksize=None)
        assert [call.result(SECONDS) for call in calls] == [number**2 for number in range(FUTURES)]
        for number, array in enumerate(arrays):
            assert (array.result(SECONDS) == large * number + 1).all()
        assert [parent.result(SECONDS) for parent in parents] == [45] * 5
        assert list(mapped) == [number**2 for number in range(FUTURES)]
        rounds += 1
    killer.join()
    assert done.is_set()
    del calls, arrays, parents, mapped, array
    assert [end.status for end in lives.ends] == ["signal SIGKILL"] * KILLS
    # What the dead have written is gone; free files wait for whoever writes next.
    assert [name for name in lives.segments() if not name.startswith(("free-", "origin-"))] == []


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda lives: os.kill(lives.children("broker")[0], signal.SIGSTOP), id="its Broker is stopped"),
        pytest.param(lambda lives: os.kill(lives.pid, signal.SIGSTOP), id="it is stopped"),
        pytest.param(lambda lives: [os.kill(pid, signal.SIGKILL) for pid in lives.children("")], id="all die at once"),
        pytest.param(lambda lives: lives.executor.submit(os.fork).result(SECONDS), id="a Future has left a process"),
    ],
)
def test_in_whatever_state_it_is_killed(lives: Lives, prepare: Callable[[Lives], Any]) -> None:
    below = lives.children("")
    prepare(lives)
    calls = [lives.executor.submit(reviving.square_slowly, number) for number in range(FUTURES)]
    lives.kill()
    assert [call.result(SECONDS) for call in calls] == [number**2 for number in range(FUTURES)]
    assert eventually(lambda: not any(map(reviving.is_alive, below)), 5.0)
    assert lives.is_ready_again(SECONDS)
    assert len(lives.children("broker")) == 1


def test_what_workers_have_shared_is_still_known_and_their_names_are_new(lives: Lives) -> None:
    np = pytest.importorskip("numpy")
    first = lives.executor.submit(reviving.share, np.arange(100_000)).result(SECONDS)
    assert lives.executor.submit(reviving.shared_sum).result(SECONDS) == 4999950000
    left = lives.executor.submit(reviving.leave_segment).result(SECONDS)
    assert left in lives.segments()
    lives.kill()
    assert lives.is_ready_again(SECONDS)
    assert left not in lives.segments()
    assert lives.executor.submit(reviving.shared_sum).result(SECONDS) == 4999950000
    names = {lives.executor.submit(reviving.worker_name).result(SECONDS) for _ in range(20)}
    assert names <= {f"{first.rpartition('.')[0]}.{number}r1" for number in (1, 2)}


def test_the_next_one_finds_the_environment_and_the_directory_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVIVED", "at the start")
    lives = Lives(1, initializer=reviving.note_surroundings, initargs=("REVIVED",))
    with lives.executor:
        monkeypatch.setenv("REVIVED", "later")
        monkeypatch.chdir("/")
        lives.kill()
        assert lives.is_ready_again(SECONDS)
        assert lives.executor.submit(reviving.surroundings).result(SECONDS) == ("at the start", str(tmp_path))


def test_an_initializer_is_called_again_with_what_it_inherits() -> None:
    multiprocessing = pytest.importorskip("multiprocessing").get_context("spawn")
    queue = multiprocessing.SimpleQueue()
    lives = Lives(1, initializer=reviving.put, initargs=(queue, "begun"))
    with lives.executor:
        assert lives.executor.submit(abs, -1).result(SECONDS) == 1
        lives.kill()
        assert lives.executor.submit(abs, -2).result(SECONDS) == 2
        assert [queue.get(), queue.get()] == ["begun"] * 2
        future = lives.executor.submit(time.sleep, 600)
        queue.close()
        lives.kill()
        error = future.exception(SECONDS)
    assert isinstance(error, FederationLost)
    assert "in initargs, which the next one needs, was closed" in str(error)


def test_one_that_crashes_again_and_again_is_given_up() -> None:
    lives = Lives(1)
    with lives.executor:
        future = lives.executor.submit(time.sleep, 600)
        while not future.done():
            pid = lives.pid
            os.kill(pid, signal.SIGSEGV)
            assert eventually(lambda: lives.pid != pid or future.done(), SECONDS)  # noqa: B023
        assert isinstance(future.exception(), FederationLost)
        assert "it ended 5 times in a short time; last: signal SIGSEGV" in str(future.exception())
    assert len(lives.ends) == 4
    assert [path for path in lives.directories if os.path.exists(path)] == []


def test_a_program_that_the_launcher_runs_says_so_if_it_is_to(tmp_path: Path) -> None:
    program = write(
        tmp_path / "prog.py",
        """
        import os, signal, time
        from fedfutures import futures

        def first(path):
            if not os.path.exists(path):
                open(path, "w").close()
                time.sleep(0.2)
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(600)
            return "ran again"

        if __name__ == "__main__":
            print(futures.submit(first, "here").result(60))
        """,
    )
    for flags in ((), ("-v",)):
        (tmp_path / "here").unlink(missing_ok=True)
        running = Running([*flags, "-n", "1", str(program)], cwd=tmp_path)
        ended = running.end(seconds=SECONDS)
        assert (ended.code, ended.out) == (0, "ran again\n"), ended
        said = "the host process was killed (signal SIGKILL); it is started again, and 1 Future runs again"
        assert (said in ended.err) == bool(flags)
        assert flags or not ended.err
        assert running.gone()


def test_while_it_is_started_again_the_run_can_end() -> None:
    for seconds in (0.0, 0.1):
        lives = Lives(1)
        with lives.executor:
            assert lives.serves()
            lives.kill()
            assert eventually(lambda: bool(lives.ends), SECONDS)  # noqa: B023
            time.sleep(seconds)
        assert isinstance(lives.ends[0], HostEnded)
        assert eventually(lambda: not any(map(reviving.is_alive, lives.pids)), 5.0)  # noqa: B023
        assert [path for path in lives.directories if os.path.exists(path)] == []


def test_an_executor_that_joins_one_of_several_brokers_goes_on() -> None:
    lives = Lives(2, brokers=2)
    with lives.executor:
        calls = [lives.executor.submit(reviving.square_slowly, number) for number in range(200)]
        lives.kill()
        assert [call.result(SECONDS) for call in calls] == [number**2 for number in range(200)]
        assert len(lives.children("broker")) == 2


def test_one_that_is_killed_before_the_first_use_is_replaced() -> None:
    others = reviving.children_of(os.getpid())
    with Executor(1) as executor:
        (first,) = set(reviving.children_of(os.getpid())).difference(others)
        os.kill(first, signal.SIGKILL)
        assert executor.submit(abs, -1).result(SECONDS) == 1


def test_and_so_is_one_whose_brokers_have_removed_what_nobody_else_used(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    others = reviving.children_of(os.getpid())
    with Executor(1) as executor:
        (first,) = set(reviving.children_of(os.getpid())).difference(others)
        assert eventually(lambda: len(reviving.children_of(first)) == 2, SECONDS)  # Broker and Worker
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: not list(tmp_path.iterdir()), SECONDS)
        assert executor.submit(abs, -1).result(SECONDS) == 1
        assert executor.submit(len, b"x" * 1_000_000).result(SECONDS) == 1_000_000
    assert list(tmp_path.iterdir()) == []
