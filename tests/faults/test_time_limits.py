"""Futures that take longer than their time limit, in real Workers: they end, and nobody else is hurt."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import late_functions as late
import pytest
from launching import eventually, launch
from started import overheard

from fedfutures import Executor
from fedfutures.errors import TaskTimeout
from fedfutures.wire.control import WorkerEnded

pytestmark = [pytest.mark.host, pytest.mark.once]

SECONDS = 20.0
BOUND = 10.0
"""For what takes a tenth of a second on a quiet machine, and half a minute if nobody ends it."""


@pytest.mark.fault("A15")
@pytest.mark.parametrize(
    "function", [late.nap, late.spin, late.hold_the_lock, late.ignore_signals, late.swallow], ids=lambda it: it.__name__
)
def test_a_late_future_ends_whatever_it_does(executor: Executor, function: Callable[..., Any]) -> None:
    began = time.monotonic()
    future = executor.options(time_limit=0.3).submit(function, 30.0)
    with pytest.raises(
        TaskTimeout, match=rf"{function.__name__}\(30.0\) ran longer than its time limit of 0.3 s"
    ) as found:
        future.result(SECONDS)
    assert 0.3 <= time.monotonic() - began < 0.3 + BOUND
    assert (future.conditions.limit, found.value.seconds) == (300, 0.3)
    if function is not late.ignore_signals:
        assert "late_functions.py" in found.value.dump, "it says where it was"
    assert executor.submit(late.nap, 0).result(SECONDS) == 0


def test_one_in_time_is_not_touched(executor: Executor) -> None:
    limited = executor.options(time_limit=SECONDS)
    assert limited.submit(late.nap, 0.4).result(SECONDS) == 0.4
    assert list(limited.map(late.nap, [0.01] * 20)) == [0.01] * 20


def test_what_it_has_started_ends_with_it(executor: Executor, tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(TaskTimeout):
        executor.options(time_limit=0.3).submit(late.start_another, str(path)).result(SECONDS)
    assert not eventually(path.exists, 2.0)


def test_each_item_of_a_map_has_the_limit(executor: Executor) -> None:
    found = executor.map(late.nap, [0, 30, 0.01, 30, 0], time_limit=0.3, chunksize=5, return_exceptions=True)
    assert [type(one).__name__ for one in found] == ["int", "TaskTimeout", "float", "TaskTimeout", "int"]


@pytest.mark.parametrize("function", [late.nap, late.spin])
def test_its_parent_lives_and_catches_the_error(executor: Executor, function: Callable[..., Any]) -> None:
    assert executor.submit(late.guarded, function, 30, 0.3).result(SECONDS) == f"caught {function.__name__}(30)"
    assert executor.submit(late.guarded, function, 0.01, SECONDS).result(SECONDS) == "returned 0.01"


def test_a_parent_that_waits_in_a_thread(executor: Executor) -> None:
    assert executor.submit(late.in_a_thread, 30, 0.3).result(SECONDS) == "caught nap(30)"
    assert executor.submit(late.in_a_thread, 0.01, SECONDS).result(SECONDS) == "returned 0.01"


def test_limited_ones_that_wait_for_limited_ones(executor: Executor) -> None:
    assert executor.submit(late.deep, 6).result(SECONDS) == 6


def test_waiting_for_own_futures_counts(executor: Executor) -> None:
    limited = executor.options(time_limit=0.5)
    assert limited.submit(late.families, 3, 0.01).result(SECONDS) == pytest.approx(0.03)
    with pytest.raises(TaskTimeout):
        limited.submit(late.families, 1000, 0.05).result(SECONDS)


def test_a_group_has_limits_too(executor: Executor) -> None:
    with executor.group("late") as group, pytest.raises(TaskTimeout):
        group.options(time_limit=0.3).submit(late.nap, 30).result(SECONDS)


def test_stand_ins_leave_when_they_have_nothing_to_do() -> None:
    with Executor(1) as executor:
        seen = executor.submit(late.pid).result(SECONDS)
        inner = executor.submit(late.guarded, late.pid, None, SECONDS).result(SECONDS)
        stand_in = int(inner.removeprefix("returned "))
        assert stand_in != seen
        assert {executor.submit(late.pid).result(SECONDS) for _ in range(5)} == {seen}, (
            "it runs those with limits alone"
        )
        assert eventually(lambda: not os.path.exists(f"/proc/{stand_in}"), SECONDS)
        assert executor.submit(late.guarded, late.nap, 0, SECONDS).result(SECONDS) == "returned 0"


def test_of_many_half_are_late_and_the_others_are_right() -> None:
    """No attempt counts against those that were with a Worker that ended: they would be poisoned."""
    ended: list[WorkerEnded] = []
    executor, _ = overheard(lambda frame: ended.append(frame) if isinstance(frame, WorkerEnded) else None)
    dice = random.Random(7)
    naps = [60.0 if index % 2 else dice.uniform(0.0, 0.002) for index in range(40)]
    dice.shuffle(naps)
    with executor:
        limited = executor.options(time_limit=0.4)
        found = [(seconds, limited.submit(late.nap, seconds)) for seconds in naps]
        for seconds, future in found:
            if seconds == 60.0:
                assert isinstance(future.exception(60), TaskTimeout)
            else:
                assert future.result(60) == seconds
    assert [frame for frame in ended if frame.blame] == []


LAUNCHED = """
import late_functions as late
from fedfutures import futures
from fedfutures.errors import TaskTimeout

if __name__ == "__main__":
    try:
        futures.options(time_limit=0.3).submit(late.nap, 30).result()
    except TaskTimeout as error:
        print(error.call, error.seconds)
    print(futures.submit(late.guarded, late.nap, 30, 0.3).result())
"""


def test_a_launched_program(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(LAUNCHED)
    (tmp_path / "late_functions.py").write_text(Path(late.__file__).read_text())
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    assert (ended.out.splitlines(), ended.code) == (["nap(30) 0.3", "caught nap(30)"], 0), ended.err
    assert ended.err == "", "nobody is told of Workers that ended for that"
