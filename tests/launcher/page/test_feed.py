"""A page's state follows a live run: through the kill of a Broker and of the host process, to its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Running, eventually, write
from recorded import RecordedRun, news_of

from fedfutures.seeing.runs import ask, chosen, runs
from fedfutures_launcher.page.feed import PageFeed

pytestmark = pytest.mark.host

SECONDS = 30.0
PROGRAM = """
    import time
    from fedfutures import futures

    def nap(seconds):
        time.sleep(seconds)
        return seconds

    if __name__ == "__main__":
        while True:
            futures.wait([futures.submit(nap, 0.01) for _ in range(20)])
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    write(tmp_path / "prog.py", PROGRAM)
    running = Running(["-n", "2", "prog.py"], cwd=tmp_path)
    yield running
    running.kill()
    running.process.communicate(timeout=SECONDS)


def feed_of(running: Running) -> PageFeed:
    pid = str(running.process.pid)
    assert eventually(lambda: bool(chosen(runs(), pid)), SECONDS)
    feed = PageFeed(chosen(runs(), pid)[0].path)
    feed.start()
    return feed


def drawn(feed: PageFeed) -> int:
    with feed.lock:
        return sum(span.count for row in feed.state.spans.rows.values() for span in row)


def done(feed: PageFeed) -> int:
    with feed.lock:
        return int(feed.state.shown_run()["sums"]["futures"])


def processes_of(feed: PageFeed) -> tuple[int, int]:
    """Return the pids of the host process, and of a Broker."""
    found = dict(ask(feed.path, "status"))
    host = next(report for report in found.values() if report is not None and report["role"] == "host")
    return host["pid"], next(one["pid"] for one in host["processes"].values() if one["role"] == "broker")


def goes_on(feed: PageFeed) -> bool:
    """Whether more Futures come to be drawn, and to be counted."""
    was_drawn, was_done = drawn(feed), done(feed)
    return eventually(lambda: drawn(feed) > was_drawn and done(feed) > was_done, SECONDS)


def test_it_follows_a_run_through_kills_to_its_end(running: Running) -> None:
    feed = feed_of(running)
    assert goes_on(feed)
    with feed.lock:
        [broker] = feed.state.picture.brokers
    host_process, killed = processes_of(feed)
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: any(f"Broker {broker} ended" in event[1] for event in list(feed.state.events)), SECONDS)
    assert goes_on(feed)
    os.kill(host_process, signal.SIGKILL)
    assert eventually(lambda: any("a host process ended" in event[1] for event in list(feed.state.events)), SECONDS)
    assert goes_on(feed)
    assert feed.state.over == ""
    running.kill()
    assert eventually(lambda: feed.state.over != "", SECONDS)
    assert done(feed) > 0, "what was known last is kept"


def test_a_run_that_was_there_is_kept_when_it_ends(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path, news_of(2000), 2000)
    feed = PageFeed(run.path)
    feed.start()
    assert run.told.wait(SECONDS)
    assert eventually(lambda: drawn(feed) == 2000, SECONDS)
    assert eventually(lambda: done(feed) == 2000, SECONDS)
    run.close()
    assert eventually(lambda: feed.state.over != "", SECONDS)
    assert (drawn(feed), done(feed)) == (2000, 2000)
    assert feed.stack_of(1) == feed.stack_of(99) == ""
