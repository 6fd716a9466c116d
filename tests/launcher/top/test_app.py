"""The screen of ``fedfutures top``, in textual's own headless driver: what is drawn, and what keys do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

pytest.importorskip("textual")

from textual.widgets import DataTable, Static

from fedfutures.errors import StartFailed
from fedfutures.seeing.picture import RunPicture, SeenCall, SeenHost, SeenWorker
from fedfutures_launcher.top.app import Shown, TopApp

PLACE = ("/home/ann/prog.py", 12, "price")


def picture() -> RunPicture:
    """Return a run with a call that takes long, one that is short, and a Worker that is stopped."""
    long = SeenCall("price(17)", "price", "h1.1", 41.0, PLACE, submitter="origin-7@h1", future=3)
    short = SeenCall("cube(2)", "cube", "h2.1", 0.3, None, submitter="h1.1", future=9)
    workers = [
        SeenWorker("h1.1", "h1", "running", 11, 50 << 20, 3.0, [long], answers=True),
        SeenWorker("h1.2", "h1", "stopped", 12, 20 << 20, 0.0),
        SeenWorker("h2.1", "h2", "running", 13, 90 << 20, 1.0, [short], answers=True),
    ]
    origin = {"sums": {"futures": 1200, "failed": 2, "functions": {}}, "given": 4, "queued": 0}
    hosts = {"h1": SeenHost("h1", 2, 1.5, 8 << 30, 2 << 30, True), "h2": SeenHost("h2")}
    return RunPicture("prog.py", 71, 125.0, hosts, {one.name: one for one in workers}, {}, origin)


class Screen:
    """What was asked for, and what is drawn."""

    def __init__(self) -> None:
        self.ended: list[int] = []
        self.pictures: list[RunPicture | StartFailed] = []
        self.app = TopApp(self._look, lambda worker: f'File "prog.py", line 12 in price on {worker}', self.ended.append,
                          every=0.05)  # fmt: skip

    def _look(self) -> RunPicture:
        found = self.pictures.pop(0) if self.pictures else picture()
        if isinstance(found, StartFailed):
            raise found
        return found

    def column(self, number: int = 0) -> list[str]:
        workers = self.app.query_one("#workers", DataTable)
        return [str(workers.get_row_at(place)[number]) for place in range(workers.row_count)]

    def text(self, name: str) -> str:
        return str(self.app.query_one(name, Static).render())


def driven(drive: Callable[[Screen, Any], Coroutine[Any, Any, None]]) -> Screen:
    """Run the app without a terminal; `drive` presses its keys once it has drawn a picture."""
    screen = Screen()

    async def run() -> None:
        async with screen.app.run_test(size=(140, 40)) as pilot:
            while not screen.column():
                await pilot.pause(0.02)
            await drive(screen, pilot)

    asyncio.run(run())
    return screen


async def until(pilot: Any, condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError("it has not come to that")


def test_what_runs_longest_comes_first_and_what_is_stuck_is_a_word() -> None:
    async def drive(screen: Screen, pilot: Any) -> None:
        assert screen.column() == ["h1.1", "h2.1", "h1.2"]
        assert screen.column(1) == ["running", "running", "stopped"]
        assert screen.column(3)[:2] == ["price(17)", "cube(2)"]
        assert screen.column(4)[0] == "prog.py:12"
        assert screen.text("#head").startswith("prog.py (pid 71), for 125 s: 3 Workers on 2 hosts, 2 busy")
        assert screen.text("#summary").startswith("1,200 Futures done")
        assert "2 failed" in screen.text("#summary")
        hosts = screen.app.query_one("#hosts", DataTable)
        assert [str(cell) for cell in hosts.get_row_at(1)][:3] == ["h2", "1", "1"]

    driven(drive)


def test_keys_sort_filter_and_pause() -> None:
    async def drive(screen: Screen, pilot: Any) -> None:
        await pilot.press("s")
        assert "sorted by worker" in screen.text("#summary")
        assert screen.column() == ["h1.1", "h1.2", "h2.1"]
        await pilot.press("slash", *"cube", "enter")
        await until(pilot, lambda: screen.column() == ["h2.1"])
        assert "with 'cube'" in screen.text("#summary")
        await pilot.press("escape")
        await until(pilot, lambda: len(screen.column()) == 3)
        await pilot.press("p")
        assert screen.text("#head").endswith("(paused)")
        screen.pictures.append(RunPicture("other.py", 1))
        await pilot.pause(0.3)
        assert "prog.py" in screen.text("#head"), "it has not looked"
        await pilot.press("p")
        await until(pilot, lambda: not screen.pictures)

    driven(drive)


def test_a_call_is_explained_with_its_stack() -> None:
    async def drive(screen: Screen, pilot: Any) -> None:
        await pilot.press("e")
        await until(pilot, lambda: isinstance(screen.app.screen, Shown))
        text = str(screen.app.screen.query(Static).first().render())
        assert text.startswith("price(17) has run on h1.1 for 41 s, in prog.py:12 (price)")
        assert "line 12 in price on h1.1" in text
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(screen.app.screen, Shown))

    driven(drive)


@pytest.mark.parametrize(("answer", "ended"), [("y", [3]), ("n", []), ("escape", [])])
def test_a_future_is_ended_when_that_was_confirmed(answer: str, ended: list[int]) -> None:
    async def drive(screen: Screen, pilot: Any) -> None:
        await pilot.press("p", "k")
        await until(pilot, lambda: isinstance(screen.app.screen, Shown))
        await pilot.press(answer)
        await until(pilot, lambda: not isinstance(screen.app.screen, Shown))

    assert driven(drive).ended == ended


def test_one_that_another_future_has_submitted_is_not_ended() -> None:
    async def drive(screen: Screen, pilot: Any) -> None:
        await pilot.press("down", "k")
        await until(pilot, lambda: isinstance(screen.app.screen, Shown))
        assert "was submitted by another Future" in str(screen.app.screen.query(Static).first().render())
        await pilot.press("y")

    assert driven(drive).ended == []


def test_a_picture_that_comes_while_the_screen_is_taken_down_is_not_drawn() -> None:
    async def drive(screen: Screen, pilot: Any) -> None:
        await screen.app.query_one("#head", Static).remove()
        screen.pictures.append(picture())
        while screen.pictures:
            await pilot.pause(0.02)
        await pilot.pause(0.1)

    driven(drive)


def test_it_ends_with_the_run() -> None:
    async def drive(screen: Screen, pilot: Any) -> None:
        screen.pictures.append(StartFailed("the run has ended", 3))
        await until(pilot, lambda: screen.app.said)

    assert driven(drive).app.said == "the run has ended"
