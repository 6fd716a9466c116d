"""Maps of a function that was mapped before: what is remembered of it must not make anything unfair, or stale."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import launch, write
from nodes import node_of

import fedfutures
from fedfutures import Executor
from fedfutures.futures.window import Part, Window

pytestmark = [pytest.mark.host, pytest.mark.once]

LONG_SECONDS = 1.0
FACTOR = 3


@pytest.fixture(scope="module")
def two() -> Iterator[Executor]:
    """Two Workers."""
    with Executor(max_workers=2) as executor:
        yield executor


def sleeps(item: Any) -> tuple[int, int]:
    number, seconds = item if isinstance(item, tuple) else (item, 0.0)
    time.sleep(seconds)
    return number, os.getpid()


def computes(item: Any) -> tuple[int, int]:
    number, seconds = item if isinstance(item, tuple) else (item, 0.0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return number, os.getpid()


def fails(item: Any) -> int:
    number, _ = sleeps(item)
    if number % 10 == 7:
        raise ValueError(number)
    return number


def learn(executor: Executor, function: Any, count: int = 50) -> None:
    for _ in range(5):
        list(executor.map(function, range(count), return_exceptions=True))


@pytest.mark.parametrize("function", [sleeps, computes])
def test_one_long_item_hides_no_others(two: Executor, function: Any) -> None:
    learn(two, function)
    items: list[Any] = list(range(50))
    items[3] = (3, LONG_SECONDS)
    found = list(two.map(function, items))
    assert [number for number, _ in found] == list(range(50))
    with_the_long_one = [number for number, pid in found if pid == found[3][1]]
    assert max(with_the_long_one) == 3, "items waited behind one that takes a second"


def test_items_that_all_take_long_now_are_shared(two: Executor) -> None:
    learn(two, sleeps)
    began = time.monotonic()
    found = list(two.map(sleeps, [(number, 0.2) for number in range(16)]))
    seconds = time.monotonic() - began
    assert [number for number, _ in found] == list(range(16))
    shares = sorted([pid for _, pid in found].count(pid) for pid in {pid for _, pid in found})
    assert shares[0] >= 5, f"one Worker ran {shares[-1]} of 16 items"
    assert seconds < 16 * 0.2


@pytest.mark.parametrize("how", ["in order", "as completed", "unread"])
def test_a_slice_that_was_cut_gives_every_result_once(two: Executor, how: str, tmp_path: Any) -> None:
    learn(two, fails)
    items: list[Any] = [(number, 0.12 if number in (1, 30) else 0.0) for number in range(50)]
    wanted = [f"ValueError({number})" if number % 10 == 7 else number for number in range(50)]
    if how == "unread":
        with Executor(max_workers=2) as executor:
            marks = [str(tmp_path / str(number)) for number in range(50)]
            for _ in range(5):
                list(executor.map(leaves_a_mark, [("", 0.0)] * 50))
            executor.map(leaves_a_mark, [(mark, items[place][1]) for place, mark in enumerate(marks)])
        assert sorted(os.listdir(tmp_path), key=int) == [str(number) for number in range(50)]
        assert all((tmp_path / str(number)).read_text() == "x" for number in range(50))
        return
    unordered = how == "as completed"
    found = list(two.map(fails, items, return_exceptions=True, unordered=unordered))
    if unordered:
        found = sorted(found, key=lambda each: each if isinstance(each, int) else each.args[0])
    assert [each if isinstance(each, int) else repr(each) for each in found] == wanted


class Unloadable:
    """A value that can be sent, and not be loaded."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


def dies_late(item: Any) -> Any:
    """Its first call with a path takes long, and then the Worker with it."""
    if isinstance(item, str) and not os.path.exists(item):
        os.close(os.open(item, os.O_CREAT))
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    return Unloadable() if item == 5 else item


def test_a_slice_that_was_cut_and_runs_again_fails_for_its_own_items(tmp_path: Path) -> None:
    """After a loss all of it is run again, also items that went on as other slices."""
    path = str(tmp_path / "begun")
    with Executor(max_workers=2) as executor:
        for _ in range(5):
            list(executor.map(dies_late, range(10, 30)))
        found = list(executor.map(dies_late, [path, *range(1, 20)], return_exceptions=True))
    assert os.path.exists(path)
    assert isinstance(found[5], ValueError)
    assert [*found[:5], *found[6:]] == [path, 1, 2, 3, 4, *range(6, 20)]


def leaves_a_mark(item: tuple[str, float]) -> None:
    name, seconds = item
    time.sleep(seconds)
    if name:
        with open(name, "a") as file:
            file.write("x")


def maps_inside(_: int) -> list[int]:
    """In a Future: what it gives to others may be cut there."""
    list(fedfutures.futures.map(sleeps, range(200)))
    items = [(number, 0.12 if number % 60 == 1 else 0.0) for number in range(200)]
    return [number for number, _ in fedfutures.futures.map(sleeps, items)]


def test_maps_in_futures_whose_slices_are_cut(two: Executor) -> None:
    assert two.submit(maps_inside, 0).result() == list(range(200))


def slowly(marks: list[float]) -> Iterator[int]:
    """An input that takes its time, and sees how many results have come meanwhile."""
    for number in range(6):
        time.sleep(0.1)
        yield number
        marks.append(time.monotonic())


def when(_: int) -> float:
    return time.monotonic()


def test_an_input_that_comes_slowly_is_not_waited_for(two: Executor) -> None:
    learn(two, when)
    read: list[float] = []
    called = list(two.map(when, slowly(read)))
    assert called[0] < read[2], "the first item waited for later ones to be read"


def test_no_more_of_an_input_is_read_at_the_call_because_its_function_is_known(two: Executor) -> None:
    """An input that runs code of the program, and may have no end."""
    learn(two, waits_shortly, 8)
    read: list[int] = []
    results = two.map(waits_shortly, (read.append(1) or 0.02 for _ in itertools.count()))
    at_the_call = len(read)
    assert next(results) == 0.02
    results.close()  # type: ignore[attr-defined]
    assert at_the_call <= 6


def waits_shortly(_: float) -> float:
    time.sleep(0.02)
    return 0.02


def test_a_slice_of_the_programs_own_size_is_not_cut(two: Executor) -> None:
    learn(two, sleeps)
    found = list(two.map(sleeps, [(number, 0.05) for number in range(8)], chunksize=4))
    pids = [pid for _, pid in found]
    assert len(set(pids[:4])) == len(set(pids[4:])) == 1


def multiplies(x: int) -> int:
    return FACTOR * x


def test_nothing_is_stale_however_often_it_was_mapped(two: Executor) -> None:
    global FACTOR
    for factor in (3, 4, 3, 5):
        FACTOR = factor
        assert list(two.map(multiplies, range(5))) == [factor * x for x in range(5)]
    factor = 1

    def closure(x: int) -> int:
        return factor * x

    def with_default(x: int, by: int = 2) -> int:
        return by * x

    for factor in (7, 8):
        assert list(two.map(closure, range(5))) == [factor * x for x in range(5)]
    assert list(two.map(with_default, [1])) == [2]
    with_default.__defaults__ = (9,)
    assert list(two.map(with_default, [1])) == [9]
    with_default.__code__ = (lambda x, by=2: by + x).__code__
    assert list(two.map(with_default, [1])) == [10]


def test_an_object_whose_attributes_change_is_seen_changed(two: Executor) -> None:
    class Callable:
        factor = 2

        def __call__(self, x: int) -> int:
            return self.factor * x

    function = Callable()
    assert list(two.map(function, [1, 2])) == [2, 4]
    function.factor = 3
    assert list(two.map(function, [1, 2])) == [3, 6]
    assert list(two.map(function.__call__, [1, 2])) == [3, 6]
    function.factor = 4
    assert list(two.map(function.__call__, [1, 2])) == [4, 8]


UNREAD = """
    import sys
    import time
    from fedfutures import futures

    def leaves_a_mark(path, number):
        if number == 7:
            time.sleep(0.052 + int(path[-1]) / 2000)  # it ends when its slice has just been cut
        with open(path, "a") as file:
            file.write(f"{number}\\n")

    def forever(value):
        while True:
            yield value

    if __name__ == "__main__":
        for name in range(60):
            futures.map(leaves_a_mark, forever(f"{sys.argv[1]}/{name}"), iter(range(60)))
"""


def test_nothing_is_sent_while_a_slice_is_divided(two: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending takes in what has come: the result of that very slice, too, and who takes it waits for its division."""
    node, dividing, divided, sent_meanwhile = node_of(two), set[Any](), 0, 0
    send, shorten, begin_split, end_split = node.send, Window.shorten, Window.begin_split, Window.end_split

    def begun(window: Window, future: Any, part: Part | None) -> Part | None:
        nonlocal divided
        if part is not None:
            dividing.add((window, future))
            divided += 1
        return part

    def end(window: Window, future: Any, others: list[Any], *, instead: bool) -> None:
        end_split(window, future, others, instead=instead)
        dividing.discard((window, future))

    def watched() -> None:
        nonlocal sent_meanwhile
        sent_meanwhile += bool(dividing)
        send()

    monkeypatch.setattr(Window, "shorten", lambda its, future, kept: begun(its, future, shorten(its, future, kept)))
    monkeypatch.setattr(Window, "begin_split", lambda its, future: begun(its, future, begin_split(its, future)))
    monkeypatch.setattr(Window, "end_split", end)
    monkeypatch.setattr(node, "send", watched)
    for _ in range(3):
        list(two.map(sleeps, iter(range(60))))
    items = [(number, 0.12 if number == 7 else 0.0) for number in range(60)]
    for _ in range(5):
        assert [number for number, _ in two.map(sleeps, iter(items))] == list(range(60))
    assert divided
    assert not sent_meanwhile


def test_unread_maps_whose_slices_are_cut_end(tmp_path: Path) -> None:
    """Who takes the result of a slice waits until the rest of it is submitted, and may be the one who submits it."""
    write(tmp_path / "prog.py", UNREAD)
    marks = tmp_path / "marks"
    marks.mkdir()
    ended = launch("-n", "2", "prog.py", str(marks), cwd=tmp_path, seconds=40)
    assert ended.code == 0, ended.err
    found = {path.name: sorted(map(int, path.read_text().split())) for path in marks.iterdir()}
    assert found == {str(name): list(range(60)) for name in range(60)}
