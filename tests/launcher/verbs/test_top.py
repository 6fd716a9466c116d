"""``fedfutures top`` of a run: once, again and again as text, and on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Running, eventually, launch, write

from fedfutures.seeing.runs import cancel, chosen, runs

pytestmark = pytest.mark.host

SECONDS = 30.0
PROGRAM = """
    import concurrent.futures, time
    from fedfutures import futures

    def price(row):
        time.sleep(row)
        return row

    if __name__ == "__main__":
        future = futures.submit(price, 600.0)
        try:
            future.result()
        except concurrent.futures.CancelledError:
            print("cancelled", flush=True)
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    write(tmp_path / "prog.py", PROGRAM)
    running = Running(["-n", "2", "prog.py"], cwd=tmp_path)
    assert eventually(lambda: "price(row=600.0)" in top(running, "--once"), SECONDS)
    yield running
    running.kill()
    running.process.communicate(timeout=SECONDS)


def top(running: Running, *words: str) -> str:
    return launch("top", str(running.process.pid), *words).out


def test_once_it_is_printed_as_text(running: Running) -> None:
    text = top(running, "--once", "--sort", "worker")
    assert "2 Workers, 1 busy" in text.splitlines()[0]
    assert "host  Workers  busy" in text
    assert text.splitlines()[-2].split()[1] in ("running", "idle")
    only = top(running, "--once", "--filter", "price")
    assert len(only.splitlines()) == len(text.splitlines()) - 1


def test_into_a_pipe_it_is_printed_again_and_again_until_the_run_ends(running: Running) -> None:
    command = [sys.executable, "-m", "fedfutures", "top", str(running.process.pid), "--every", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen += "price(row=600.0)" in line
            if seen == 3:
                break
        running.process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
        assert "\x1b" not in out
        assert process.returncode == 0
        assert "fedfutures: the run has ended" in err


def test_a_future_is_cancelled_from_outside(running: Running) -> None:
    [run] = chosen(runs(), str(running.process.pid))
    [call] = run.picture.calls()
    cancel(run.path, call.future + 7)  # there is none, and nothing happens
    cancel(run.path, call.future)
    out, err = running.process.communicate(timeout=SECONDS)
    assert (running.process.returncode, out) == (0, "cancelled\n"), err


def test_on_a_terminal_it_is_drawn_and_q_ends_it(running: Running) -> None:
    pytest.importorskip("textual")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 140, 0, 0))
    command = [sys.executable, "-m", "fedfutures", "top", str(running.process.pid)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        text, deadline, is_told = b"", time.monotonic() + SECONDS, False
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    text += os.read(ours, 1 << 16)
                except OSError:  # the last one has closed it
                    break
            if b"price(row=600.0)" in text and not is_told:
                is_told = True
                os.write(ours, b"q")
        process.kill()
    os.close(ours)
    assert is_told, text.decode(errors="replace")[-2000:]
    assert b"sort" in text
    assert process.returncode == 0
