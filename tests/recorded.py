"""A recorded run, played through real sockets ``ask`` and ``watch``: as large as no machine of a test can have one."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fedfutures.host.greeting import line
from fedfutures.host.run_door import SOCKET
from fedfutures.seeing.watching import SOCKET as WATCH
from fedfutures.wire.codec import pack_plain
from fedfutures.wire.control import AskRun, CancelFuture, RunNews, RunSays, WatchRun
from fedfutures.wire.facts import packed
from fedfutures.wire.framing import FrameReader, pack
from fedfutures.wire.messages import ERROR

HOSTS, WORKERS_OF_A_HOST = 50, 20
FUNCTIONS = ("price", "simulate", "<script>alert(1)</script>", "merge", "load", "save")
STEP_SECONDS = 0.25
Report = dict[str, Any]


def report_of(messages: list[Any] = [], events: list[Any] = [], failures: list[Any] = [], wanted: int = 0) -> Report:  # noqa: B006
    """Return what a program tells at a time."""
    return {
        "messages": messages, "events": events, "failures": failures, "wanted": wanted,
    }  # fmt: skip


def news_of(futures: int, seed: int = 1) -> Iterator[tuple[float, Report]]:
    """Yield what the program of a run with a thousand Workers tells, and when, until so many Futures are done."""
    dice, done, at = random.Random(seed), 0, 0.0
    while done < futures:
        at += STEP_SECONDS
        messages: list[Any] = []
        failures: list[Any] = []
        while done < futures and len(messages) < 250:
            worker = f"h{dice.randrange(HOSTS) + 1}.{dice.randrange(WORKERS_OF_A_HOST) + 1}"
            count = min(dice.choice([1, 1, 4, 16]), futures - done)
            ids = list(range(done + 1, done + count + 1))
            done += count
            function = dice.choice(FUNCTIONS)
            odd = [(ids[0], ERROR)] if dice.random() < 0.01 else []
            failures += [(ids[0], function, "ValueError: <b>no</b>") for _ in odd]
            seconds = [dice.random() * 0.2 for _ in ids]
            messages.append([at, function, ids, odd, packed(worker, 1 + (dice.random() < 0.01), seconds)])
        yield at, report_of(messages, [[at, "Worker ended: signal SIGKILL", "h1.1", "h1"]], failures)


def status_of(seconds: float, futures: int) -> dict[str, Report]:
    """Return what each machine of such a run answers, by its name."""
    found: dict[str, Report] = {}
    for host in (f"h{number + 1}" for number in range(HOSTS)):
        workers = [f"{host}.{number + 1}" for number in range(WORKERS_OF_A_HOST)]
        found[host] = {
            "role": "host", "host": host, "pid": 7, "processors": 20, "load": [1.0, 1.0, 1.0], "memory": 64 << 30,
            "available": 32 << 30,
            "processes": {
                name: {"role": "worker", "pid": 8, "doing": "running", "memory": 50 << 20, "cpu": seconds}
                for name in workers
            },
        }  # fmt: skip
        for name in workers:
            call = {
                "call": "price(row=7)",
                "function": "price",
                "seconds": 0.1,
                "future": 1,
                "submitter": "origin-7@h1",
            }
            found[name] = {"role": "worker", "running": [call], "suspended": 0, "queued": 1}
        other = "h1.broker" if host != "h1" else "h2.broker"
        link = {
            "round_trip": 0.001,
            "silent": False,
            "workers": 20,
            "idle": 0,
            "there": 3,
            "sent": 7000,
            "given": int(100 * seconds),
        }
        found[f"{host}.broker"] = {"role": "broker", "queued": 5, "means": {}, "links": {other: link}}
    sums = {
        "futures": futures, "failed": 3, "cancelled": 0, "lost": 0, "retries": 2, "busy": 0.9, "per_second": 1.0,
        "functions": {
            name: {"futures": futures // 6, "seconds": 0.1 * futures, "failed": 1, "cancelled": 0, "p50": 0.1,
                   "p99": 0.2}
            for name in FUNCTIONS
        },
    }  # fmt: skip
    found["origin-7@h1"] = {
        "role": "origin", "program": "/home/ann/<i onclick=x>big.py", "pid": 71, "seconds": seconds, "given": 40,
        "queued": 9, "maps": [{"name": "price", "done": futures // 2, "total": futures}], "sums": sums, "where": None,
    }  # fmt: skip
    return found


class RecordedRun:
    """Plays a stream to whoever watches, as fast as it is read, and answers questions until :meth:`close`."""

    def __init__(self, directory: Path, news: Iterable[tuple[float, Report]], futures: int) -> None:
        self.path = str(directory / SOCKET)
        self.told = threading.Event()  # all of the stream
        self.cancelled: list[int] = []
        self._news, self._futures = news, futures
        self._seconds = 0.0
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        for name, serve in ((SOCKET, self._answer), (WATCH, self._tell)):
            door = socket.socket(socket.AF_UNIX)
            door.bind(str(directory / name))
            door.listen()
            door.settimeout(0.1)
            self._start(self._accept, door, serve)

    def _start(self, run: Any, *args: Any) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self, door: socket.socket, serve: Any) -> None:
        with door:
            while not self._over.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = door.accept()
                    connection.settimeout(20.0)
                    self._start(self._serve, connection, serve)

    def _serve(self, connection: socket.socket, serve: Any) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(line())
            serve(connection)

    def _answer(self, connection: socket.socket) -> None:
        reader = FrameReader()
        while data := connection.recv(1 << 16):
            for frame in reader.feed(data):
                assert isinstance(frame, (AskRun, WatchRun, CancelFuture))
                if isinstance(frame, CancelFuture):
                    self.cancelled.append(frame.number)
                if isinstance(frame, AskRun) and frame.subject == "status":
                    answers = status_of(self._seconds, self._futures).items()
                    for name, report in answers:
                        connection.sendall(pack(RunSays(frame.number, name, pack_plain(report), False)))
                if isinstance(frame, AskRun):
                    connection.sendall(pack(RunSays(frame.number, "h1", b"", True)))

    def _tell(self, connection: socket.socket) -> None:
        for at, report in self._news:
            self._seconds = at
            connection.sendall(pack(RunNews(at, 0, pack_plain(report))))
        self.told.set()
        while not self._over.wait(0.05):
            connection.sendall(pack(RunNews(self._seconds, 0, pack_plain(report_of()))))

    def close(self) -> None:
        """End the run."""
        self._over.set()
        Path(self.path).unlink()
        for thread in self._threads:
            thread.join(5.0)
