"""The rows of ``top``: their order, what a filter leaves, rates between two pictures, and a thousand Workers."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from fedfutures.seeing import table
from fedfutures.seeing.picture import RunPicture, SeenCall, SeenHost, SeenWorker, picture_of
from fedfutures.seeing.table import ORDERS, View, page, rows, summary

from .test_picture import ANSWERS, WORKER


def seen(name: str, function: str = "", seconds: float = 0.0, memory: int = 0, cpu: float = 0.0) -> SeenWorker:
    calls = [SeenCall(f"{function}(1)", function, name, seconds)] if function else []
    return SeenWorker(name, "h", "running" if function else "idle", 7, memory, cpu, calls, answers=True)


WORKERS = [seen("h.10", "cube", 5.0, 30, 1.0), seen("h.9", "root", 2.0, 50, 4.0), seen("h.1", "", 0.0, 10, 2.0)]
PICTURE = RunPicture("p.py", 7, 1.0, {"h": SeenHost("h")}, {worker.name: worker for worker in WORKERS})


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("time", ["h.10", "h.9", "h.1"]), ("worker", ["h.1", "h.9", "h.10"]), ("function", ["h.10", "h.9", "h.1"]),
        ("memory", ["h.9", "h.10", "h.1"]), ("cpu", ["h.9", "h.1", "h.10"]),
    ],
)  # fmt: skip
def test_rows_are_in_order(order: str, names: list[str]) -> None:
    before = replace(PICTURE, workers={name: replace(one, cpu=0.0) for name, one in PICTURE.workers.items()})
    assert order in ORDERS
    assert [row.worker for row in rows(PICTURE, before, 2.0, View(order))] == names


def test_a_filter_looks_at_all_that_is_shown() -> None:
    for wanted, names in (("CUBE", ["h.10"]), ("idle", ["h.1"]), ("5 s", ["h.10"]), ("nothing", [])):
        assert [row.worker for row in rows(PICTURE, None, 0.0, View(wanted=wanted))] == names


def test_processor_time_is_that_of_the_same_process() -> None:
    before = replace(PICTURE, workers={"h.10": replace(WORKERS[0], cpu=0.5), "h.9": replace(WORKERS[1], pid=6)})
    cpu = {row.worker: row.cpu for row in rows(PICTURE, before, 0.5, View())}
    assert cpu == {"h.10": 1.0, "h.9": None, "h.1": None}


def test_rates_and_what_waits() -> None:
    after, before = (
        RunPicture(
            origin={"sums": {"futures": count, "failed": 1}, "given": 9, "queued": 1}, brokers={"b": {"queued": 4}}
        )
        for count in (250, 50)
    )
    assert summary(after, before, 2.0) == (
        "250 Futures done, 100/s, 1 failed; 9 given, 4 of them at Brokers, 1 waits in the program"
    )
    assert summary(PICTURE, None, 0.0) == "the program does not answer"
    assert summary(RunPicture(), None, 0.0) == "no Workers yet"


def test_slices_and_workers_that_do_not_answer() -> None:
    [call] = picture_of([("h.1", {**WORKER, "running": [{**WORKER["running"][0], "slice": 8}]})]).calls()  # type: ignore[index]
    silent = SeenWorker("h.1", "h", "running", 7, 1 << 20)
    worker = replace(silent, calls=[call], answers=True)
    [row] = rows(replace(PICTURE, workers={"h.1": worker}), None, 0.0, View())
    assert row.cells()[3:5] == ("price × 8: price(17)", "prog.py:12")
    [row] = rows(replace(PICTURE, workers={"h.1": silent}), None, 0.0, View())
    assert row.state == "stuck?"


def test_a_page_of_text() -> None:
    lines = page(picture_of(ANSWERS), None, 0.0, View())
    assert lines[0].startswith("prog.py (pid 72)")
    assert any(line.startswith("h.1 ") and "price(17)" in line and "prog.py:12" in line for line in lines)


def test_a_thousand_workers_are_drawn_in_a_moment() -> None:
    answers = [(f"h{number // 50}.{number % 50}", WORKER) for number in range(1000)]
    began = time.process_time()
    picture = picture_of(answers)
    found = rows(picture, picture, 1.0, View())
    assert time.process_time() - began < 2.0, "it takes some 20 ms"
    assert len(found) == table.ROWS_AT_MOST
    assert picture.busy == 1000
