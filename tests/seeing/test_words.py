"""What goes on, in words: the longest first, what is stuck by name, and the next command."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fedfutures.seeing import table, words
from fedfutures.seeing.picture import SeenCall, SeenWorker, picture_of

from .test_picture import ANSWERS, BROKER, CALL, HOST, ORIGIN, WORKER

SUMS: dict[str, Any] = {
    "futures": 1200, "failed": 2, "lost": 0, "cancelled": 0, "retries": 3,
    "functions": {"price": {"futures": 1199, "seconds": 240.0, "p50": 0.2, "p99": 0.4}},
}  # fmt: skip
FULL = {
    **ORIGIN, "given": 40, "queued": 300, "sums": SUMS,
    "where": {"file": "/home/ann/prog.py", "line": 40, "inside": "m"},
    "maps": [{"name": "cube", "done": 7, "total": 1000}, {"name": "root", "done": 2, "total": None}],
}  # fmt: skip


def test_a_run_in_one_line() -> None:
    assert table.head(picture_of(ANSWERS)) == "prog.py (pid 72), for 8 s: 2 Workers, 1 busy"
    assert table.head(picture_of([])) == "a program: no Workers yet"


def test_status_shows_hosts_functions_and_what_waits() -> None:
    lines = words.status(picture_of([*ANSWERS[:4], ("o", FULL), ("k.broker", None)]))
    assert lines == [
        "prog.py (pid 72), for 8 s: 2 Workers, 1 busy",
        "  1,200 Futures done, 2 failed, 3 run again; 40 given, 5 of them at Brokers, 300 wait in the program",
        "  map(cube): 7 of 1,000 items done",
        "  map(root): 2 items done",
        "  the program is in prog.py:40 (m)",
        "  host  Workers  busy  memory of Workers  free memory         load  processors",
        "  h     2        1     2.0 MiB            2.0 GiB of 8.0 GiB  1.5   2",
        "  price: 1,199 done in 240 s of Workers' time, half of them within 200 ms, 99 % within 400 ms",
        "  not heard in time: k.broker",
    ]


def test_status_shows_what_was_moved_over_links() -> None:
    one = {"round_trip": 0.0004, "silent": False, "workers": 2, "idle": 0, "there": 3, "given": 1200, "sent": 3 << 20}
    brokers = [
        ("h.broker", {**BROKER, "links": {"k.broker": one, "m.broker": {**one, "silent": True}}}),
        ("k.broker", {**BROKER, "links": {"h.broker": {**one, "given": 7, "sent": 512}}}),
    ]
    lines = [line.split() for line in words.status(picture_of([*ANSWERS[:2], *brokers]))]
    assert ["h.broker", "k.broker", "400", "µs", "1,200", "7", "3", "3.0", "MiB", "512", "bytes"] in lines
    assert ["h.broker", "m.broker", "silent", "1,200", "?", "3", "3.0", "MiB", "?"] in lines
    assert sum(line[:1] == ["k.broker"] for line in lines) == 0, "each link stands once"


def test_status_of_a_program_that_does_not_answer() -> None:
    lines = words.status(picture_of([("h", HOST), ("o", None), ("k.1", WORKER)]))
    assert lines[1] == "  the program has not answered: code of C or an extension may hold the interpreter"
    assert lines[-2:] == [
        "  k     1        1     ?                  ?                   ?     ?",
        "  not heard in time: o",
    ]


def test_explain_says_what_takes_long_and_what_is_stuck() -> None:
    assert words.explained(picture_of([*ANSWERS[:4], ("o", FULL)])) == [
        "prog.py (pid 72), for 8 s: 2 Workers, 1 busy.",
        "price(17) has run on h.1 for 41 s, in prog.py:12 (price); this is attempt 2; 1,199 others like it took 200 ms "
        "(half of them at most).",
        "On Worker h.1 1 Future waits for others that were submitted.",
        "Worker h.2 is stopped by a signal; it goes on after, on h: kill -CONT 12",
        "5 Futures wait for a Worker: 5 at h.broker.",
        "300 Futures more wait in the program, until the Brokers ask for them.",
        "The program itself is in prog.py:40 (m).",
    ]


def test_a_worker_that_does_not_answer_is_named_with_the_next_command() -> None:
    lines = words.explained(picture_of([("h", HOST), ("h.1", None), ("o", ORIGIN)]))
    [line] = [line for line in lines if "h.1" in line]
    assert line.endswith("Where it is: fedfutures stack 72 h.1")


def test_idle_and_starting_workers() -> None:
    picture = picture_of([("o", {**ORIGIN, "where": None})])
    picture.workers["h.1"] = SeenWorker("h.1", "h", "idle", answers=True)
    idle = "All Workers are idle: the program has submitted nothing that they could run now."
    assert words.explained(picture)[-1] == idle
    picture.workers["h.2"] = SeenWorker("h.2", "h", "starting")
    assert "Worker h.2 is starting: it imports the program, or runs the initializer." in words.explained(picture)
    picture.brokers["h.broker"] = {**BROKER, "queued": 1}
    assert words.explained(picture)[-1] == "1 Future waits for a Worker: 1 at h.broker."


def test_slices_and_calls_inside_of_others() -> None:
    picture = picture_of([("h.1", {**WORKER, "running": [{**CALL, "slice": 8, "items": [3, 8]}]})])
    [call] = picture.calls()
    line = (
        "a slice of 8 items of map(price) has run on h.1 for 41 s; item 3 of it runs: price(17), in prog.py:12 (price)"
    )
    assert words.call_line(picture, replace(call, attempt=1)) == line + "."
    inner = {"call": "leaf(3)", "function": "leaf", "file": "p.py", "line": 5, "inside": "<module>"}
    picture = picture_of([("h.1", {**WORKER, "running": [{**CALL, "attempt": 1}, inner]})])
    assert words.call_line(picture, picture.calls()[0]).endswith("; inside it runs leaf(3), in p.py:5.")


def test_only_the_first_calls_are_shown() -> None:
    picture = picture_of([(f"h.{number}", WORKER) for number in range(words.CALLS_AT_MOST + 3)])
    lines = words.explained(picture)
    assert sum("price(17)" in line for line in lines) == words.CALLS_AT_MOST
    assert "3 more calls run, for 41 s at least." in lines


def test_without_sums_the_mean_of_a_broker_is_shown() -> None:
    call = SeenCall("f(1)", "f", "h.1", 3.0, digest="66")
    picture = picture_of([("h.broker", BROKER)])
    assert words.call_line(picture, call) == "f(1) has run on h.1 for 3 s; others like it took 200 ms."
