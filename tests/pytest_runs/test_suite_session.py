"""The session in the process of a Worker: it goes where its Worker goes, and is like one of the command line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from suites import lay_out

from fedfutures.pytest import suite_session

pytestmark = pytest.mark.host
SUITE = {
    "test_it.py": """
        import signal, sys, time
        def test_signals():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        def test_words():
            assert sys.argv == ["pytest", "-q"]
        def test_slow():
            time.sleep(60)
    """,
}
INPUT = {"workerid": "gw0", "workercount": 1, "testrunuid": "run", "mainargv": ["pytest", "-q"]}


def started(directory: Path, parent: int) -> tuple[Any, Any]:
    ours, theirs = socket.socketpair()
    command = (
        f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from {suite_session.__name__} import main; "
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"{command}main({theirs.fileno()}, {parent})"], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    connection = Connection(ours.detach())
    connection.send(
        (["-q", "-p", "no:hypothesispytest"], INPUT, "fedfutures_launcher.pytest_plugin", "", str(directory), sys.path)
    )
    return process, connection


def received(connection: Connection) -> tuple[str, Any]:
    assert connection.poll(30)
    found: tuple[str, Any] = connection.recv()
    return found


def test_it_is_like_a_session_of_the_command_line(tmp_path: Path) -> None:
    process, connection = started(lay_out(tmp_path, SUITE), os.getpid())
    assert received(connection) == ("collected", 3)
    connection.send((["test_it.py::test_signals", "test_it.py::test_words"], "", True, 60.0))
    assert [received(connection)[0] for _ in range(5)] == ["begin", "ran", "begin", "ran", "end"]
    connection.send(suite_session.END)
    assert received(connection)[0] == "down"
    assert process.wait(30) == 0
    connection.close()


def test_it_ends_with_its_worker(tmp_path: Path) -> None:
    process, connection = started(lay_out(tmp_path, SUITE), os.getpid())
    assert received(connection)[0] == "collected"
    connection.close()
    assert process.wait(30) == 0


def test_it_is_killed_with_its_worker(tmp_path: Path) -> None:
    program = f"""
import sys, time
sys.path[:] = {sys.path!r}
from pathlib import Path
from {__name__} import received, started
import os
process, connection = started(Path({str(lay_out(tmp_path, SUITE))!r}), os.getpid())
received(connection)
connection.send((["test_it.py::test_slow"], "", True, 60.0))
received(connection)
print(process.pid, flush=True)
time.sleep(60)
"""
    worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    pid = int(worker.stdout.readline())
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    until = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{pid}")


def test_a_worker_that_is_gone_before_it_begins(tmp_path: Path) -> None:
    process, connection = started(tmp_path, 1)  # which is not its parent
    assert process.wait(30) == 1
    connection.close()
