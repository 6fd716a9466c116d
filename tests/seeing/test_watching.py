"""Who watches hears of every Future, of ends of Workers and of failures; a run that nobody watches has no socket."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Running, eventually, write

from fedfutures.seeing.picture import picture_of
from fedfutures.seeing.runs import ask, chosen, runs
from fedfutures.seeing.spans import FAILED, RunSpans
from fedfutures.seeing.watching import SOCKET, NewsReport, news

pytestmark = pytest.mark.host

SECONDS = 20.0
PROGRAM = """
    import os, sys, time
    from fedfutures import futures

    class Hidden(Exception):
        def __str__(self):
            print("__str__ has run", os.getpid(), flush=True)
            return "shown by __str__"

    def nap(seconds):
        time.sleep(seconds)
        return seconds

    def fail(row, kind):
        raise Hidden(row) if kind == "hidden" else ValueError("row <b>7</b>")

    if __name__ == "__main__":
        for line in sys.stdin:
            word, _, count = line.strip().partition(" ")
            if word == "nap":
                futures.wait([futures.submit(nap, 0.002) for _ in range(int(count))])
            elif word == "fail":
                found = [futures.submit(fail, row, kind) for row, kind in enumerate(["hidden", "plain"])]
                futures.wait(found)
                kept = [type(one.exception()).__name__ for one in found]
            elif word == "hold":
                futures.submit(nap, 600.0)
            print(word, flush=True)
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    write(tmp_path / "prog.py", PROGRAM)
    running = Running(["-n", "2", "--no-prefix", "prog.py"], cwd=tmp_path, stdin=-1)
    yield running
    running.kill()
    if running.process.stdin is not None and running.process.stdin.closed:
        running.process.stdin = None
    running.process.communicate(timeout=SECONDS)


def socket_of(running: Running) -> str:
    found: list[str] = []

    def is_there() -> bool:
        found[:] = [run.path for run in chosen(runs(), str(running.process.pid))]
        return bool(found)

    assert eventually(is_there, SECONDS)
    return found[0]


def say(running: Running, text: str) -> None:
    assert running.process.stdin is not None
    assert running.process.stdout is not None
    running.process.stdin.write(text + "\n")
    running.process.stdin.flush()
    while running.process.stdout.readline().strip() != text.partition(" ")[0]:
        pass


def heard_until(stream: Iterator[NewsReport], spans: RunSpans, futures: int) -> list[NewsReport]:
    """Take news in until so many Futures were told of."""
    heard = []
    for one in stream:
        heard.append(one)
        for message in one.report["messages"]:
            spans.take(*message)
        if sum(span.count for row in spans.rows.values() for span in row) >= futures:
            return heard
    raise AssertionError("it has ended")


def test_all_futures_are_told_of_and_where_they_ran(running: Running) -> None:
    path = socket_of(running)
    stream, spans = news(path), RunSpans()
    first = next(stream)
    assert (first.dropped, first.report["messages"]) == (0, [])
    say(running, "nap 500")
    heard = heard_until(stream, spans, 500)
    assert all(one.dropped == 0 for one in heard)
    times = [one.seconds for one in heard]
    assert times == sorted(times)
    by_worker = Counter({name: sum(span.count for span in row) for name, row in spans.rows.items()})
    picture = picture_of(ask(path, "status"))
    assert picture.origin is not None
    sums = picture.origin["sums"]
    assert sums["functions"]["nap"]["futures"] == 500
    assert by_worker == {name: one["futures"] for name, one in sums["workers"].items()}
    busy = sum(span.busy for row in spans.rows.values() for span in row)
    assert busy == pytest.approx(sums["functions"]["nap"]["seconds"], rel=1e-3)
    assert all(span.end <= heard[-1].seconds + 1.0 for row in spans.rows.values() for span in row)


def test_failures_are_told_with_their_traceback_and_no_code_of_the_program_runs(running: Running) -> None:
    stream, spans = news(socket_of(running)), RunSpans()
    next(stream)
    say(running, "fail")
    heard = heard_until(stream, spans, 2)
    heard.append(next(stream))
    failures = {number: (function, text) for one in heard for number, function, text in one.report["failures"]}
    texts = [text for _, text in failures.values()]
    assert {function for function, _ in failures.values()} == {"fail"}
    assert any("ValueError: row <b>7</b>" in text and "in fail(row=1, kind='plain'), on " in text for text in texts)
    assert any("prog.py" in text and "Hidden" in text for text in texts)
    assert sum(bool(span.marks & FAILED) for row in spans.rows.values() for span in row) == 2
    say(running, "nap 1")
    running.process.stdin.close()  # type: ignore[union-attr]
    running.process.wait(SECONDS)
    said = running.process.stdout.read()  # type: ignore[union-attr]
    assert f"__str__ has run {running.process.pid}" not in said


def test_ends_of_workers_are_told(running: Running) -> None:
    path = socket_of(running)
    stream = news(path)
    next(stream)
    say(running, "hold")

    def busy() -> list[int]:
        return [worker.pid for worker in picture_of(ask(path, "status")).workers.values() if worker.calls]

    assert eventually(lambda: bool(busy()), SECONDS)
    os.kill(busy()[0], signal.SIGKILL)
    [event] = next(one.report["events"] for one in stream if one.report["events"])
    assert event[1].startswith("Worker ended: signal SIGKILL")
    assert event[2].startswith(event[3] + ".")


def test_the_socket_is_there_only_while_somebody_listens(running: Running) -> None:
    path = socket_of(running)
    place = Path(path).with_name(SOCKET)
    assert not place.exists()
    stream = news(path)
    next(stream)
    assert place.is_socket()
    stream.close()  # type: ignore[attr-defined]
    assert eventually(lambda: not place.exists(), SECONDS), "nobody has come for a while"
    again = news(path)
    next(again)
    assert place.is_socket()


def test_who_does_not_read_misses_something_and_the_program_goes_on(running: Running) -> None:
    path = socket_of(running)
    first, second = news(path), news(path)
    next(first)
    next(second)
    deaf = socket.socket(socket.AF_UNIX)
    deaf.connect(str(Path(path).with_name(SOCKET)))
    with deaf:
        say(running, "nap 300")
        for stream in (first, second):
            heard_until(stream, RunSpans(), 300)


def test_the_end_of_the_run_ends_it(running: Running) -> None:
    stream = news(socket_of(running))
    next(stream)
    running.process.stdin.close()  # type: ignore[union-attr]
    assert list(stream)[-1].report["messages"] == []
    assert running.process.wait(SECONDS) == 0


def test_a_program_that_holds_its_interpreter_is_waited_for_only_so_long(running: Running) -> None:
    path = socket_of(running)
    os.kill(running.process.pid, signal.SIGSTOP)
    with pytest.raises(OSError, match="No such file"):
        next(news(path))
    os.kill(running.process.pid, signal.SIGCONT)
    assert next(news(path)).dropped == 0


def test_another_version_is_no_program(tmp_path: Path) -> None:
    doors = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for door, name in zip(doors, ("ask", SOCKET)):
        door.bind(str(tmp_path / name))
        door.listen()
    stream = news(str(tmp_path / "ask"))

    def serve() -> None:
        asker, _ = doors[0].accept()
        while asker.recv(4096):
            pass
        asker.close()
        watcher, _ = doors[1].accept()
        watcher.sendall(b"fedfutures-door 0.0.1 (protocol 1)\n")
        watcher.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(OSError, match="does not speak as this one does"):
        next(stream)
    thread.join(SECONDS)
    for door in doors:
        door.close()
