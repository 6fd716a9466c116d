"""What a host process says of its host: processes and what they do, and stacks, even of what holds the interpreter."""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fedfutures.host.child import Child
from fedfutures.host.crash_cells import NUMBER, PIECE, READY, CrashCells
from fedfutures.host.host_report import STACK_SIGNAL, WRITE_SECONDS, Stacks, status_of, write_stack_to

PROGRAM = """
import faulthandler, re, sys
from fedfutures.host.host_report import write_stack_to
write_stack_to(int(sys.argv[1]))
print("ready", flush=True)
def stuck():
    re.match("(a+)+$", "a" * 64 + "b")  # which holds the interpreter for longer than any test
stuck()
"""


@pytest.fixture
def child() -> Iterator[Child]:
    """A process that holds its interpreter, as its host process has it."""
    dump = os.memfd_create("dump")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(dump)], pass_fds=[dump], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        cells, ends = CrashCells(), socket.socketpair()
        cells.cells[READY] = 1
        child = Child("worker", "h.1", 0, process.pid, ends[0].detach(), cells, dump, select.poll())
        yield child
        process.stdout.close()
        ends[1].close()
        child.close()
    finally:
        process.kill()
        process.wait()


def test_what_a_worker_does_is_read_off_its_cells_and_the_kernel(child: Child) -> None:
    report = status_of("h", [child])
    assert (report["role"], report["host"]) == ("host", "h")
    assert report["processors"] >= 1
    found = report["processes"]["h.1"]
    assert (found["pid"], found["doing"]) == (child.pid, "idle")
    assert found["memory"] > 1 << 20
    child.cells.cells[NUMBER], child.cells.cells[PIECE] = 1, 4
    assert status_of("h", [child])["processes"]["h.1"]["doing"] == "running"
    os.kill(child.pid, signal.SIGSTOP)
    while status_of("h", [child])["processes"]["h.1"]["doing"] != "stopped":
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGCONT)
    child.cells.cells[READY] = 0
    while (doing := status_of("h", [child])["processes"]["h.1"]["doing"]) == "stopped":
        time.sleep(0.01)
    assert doing == "starting"


def asked(stacks: Stacks, child: Child) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    stacks.want([child], 0.0, told.append)
    assert stacks.next_deadline() == WRITE_SECONDS
    stacks.tick(0.0, lambda name: child)
    assert told == []
    time.sleep(WRITE_SECONDS)
    stacks.tick(WRITE_SECONDS, lambda name: child)
    assert stacks.next_deadline() is None
    [report] = told
    return report


def test_a_stack_is_written_by_what_holds_its_interpreter(child: Child) -> None:
    stacks = Stacks("h")
    deadline = time.monotonic() + 30.0
    while "in stuck" not in (stack := asked(stacks, child)["stacks"]["h.1"]):  # a busy machine takes its time
        assert time.monotonic() < deadline, stack
    assert stack.splitlines()[0].startswith('File "')
    assert "threading.py" not in stack


def test_a_dump_of_a_crash_is_not_mixed_up_with_a_stack(child: Child) -> None:
    asked(Stacks("h"), child)
    child.empty_dump()
    os.kill(child.pid, signal.SIGKILL)
    assert child.read_dump() == ""


def test_of_one_that_is_not_ready_and_of_one_that_has_gone_nothing_is_said(child: Child) -> None:
    child.cells.cells[READY] = 0  # it has no handler yet: the signal would end it
    stacks = Stacks("h")
    assert asked(stacks, child)["stacks"] == {}
    child.cells.cells[READY] = 1
    told: list[dict[str, Any]] = []
    stacks.want([child], 0.0, told.append)
    stacks.tick(9.0, lambda name: None)
    assert told[0]["stacks"] == {}


def test_this_process_can_write_its_own() -> None:
    dump = os.memfd_create("dump")
    write_stack_to(dump)
    assert STACK_SIGNAL is not None
    try:
        os.kill(os.getpid(), STACK_SIGNAL)
        assert b"test_this_process_can_write_its_own" in os.pread(dump, 1 << 16, 0)
    finally:
        faulthandler.unregister(STACK_SIGNAL)
        os.close(dump)
