"""Cells of a notebook, in a real kernel, that are interrupted while their Futures run: the next cell finds Workers."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .test_programs import Program, need

pytestmark = [pytest.mark.host, pytest.mark.once]

SECONDS = 60.0
BOUND = 3.0
"""For what takes some tenths of a second on a quiet machine."""
FIRST = """
import time
from fedfutures import Executor, futures

def sleepy(x):
    time.sleep(50)
    return x

executor = Executor(2)
print(executor.submit(abs, -3).result())
"""
NEXT = "print(executor.submit(abs, -4).result())"


class Kernel:
    """A kernel, and what its cells print."""

    def __init__(self, manager: Any) -> None:
        self.manager, self.client = manager, manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SECONDS)

    def run(self, cell: str, interrupt_after: float | None = None) -> tuple[str, float]:
        """Return what a cell prints, errors by their names, and for how long it ran, or ran on once interrupted."""
        asked, began, printed = self.client.execute(cell), time.monotonic(), []
        until = began + SECONDS
        while time.monotonic() < until:
            if interrupt_after is not None and time.monotonic() > began + interrupt_after:
                self.manager.interrupt_kernel()
                interrupt_after, began = None, time.monotonic()
            try:
                message = self.client.get_iopub_msg(timeout=0.05)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind in ("stream", "error"):
                printed.append(content["text"] if kind == "stream" else content["ename"] + "\n")
            elif kind == "status" and content["execution_state"] == "idle":
                return "".join(printed), time.monotonic() - began
        raise AssertionError(f"the cell does not end: {cell}; it has printed {printed}")


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    for library in ("ipykernel", "jupyter_client"):
        need(Program("notebooks", library))
    from jupyter_client.kernelspec import KernelSpec  # type: ignore[import-not-found]
    from jupyter_client.manager import KernelManager  # type: ignore[import-not-found]

    class Manager(KernelManager):  # type: ignore[misc]
        """Starts kernels by this interpreter, whichever are installed for the user."""

        kernel_spec = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])

    manager = Manager()
    manager.start_kernel()
    try:
        made = Kernel(manager)
        yield made
        made.client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)


def test_an_interrupted_cell_frees_its_workers(kernel: Kernel) -> None:
    assert kernel.run(FIRST)[0] == "3\n"
    assert kernel.run("early = executor.submit(time.sleep, 2)")[0] == ""
    for cell, said in (
        ("list(executor.map(sleepy, range(100)))", ""),
        (
            "waiting = [executor.submit(sleepy, x) for x in range(50)]; futures.wait(waiting)",
            "50 Futures were cancelled",
        ),
    ):
        printed, seconds = kernel.run(cell, interrupt_after=1.0)
        assert "KeyboardInterrupt" in printed
        assert said in printed
        following, more = kernel.run(NEXT)
        print(f"{cell}: the cell ends {seconds:.2f} s after the interrupt, and the next one takes {more:.2f} s")
        assert following == "4\n"
        assert seconds + more < BOUND
    assert kernel.run("print(early.result(), {future.cancelled() for future in waiting})")[0] == "None {True}\n"
    assert kernel.run("print(list(executor.map(abs, range(-3, 0))))")[0] == "[3, 2, 1]\n"


def test_a_cell_that_catches_the_interrupt_waits_again(kernel: Kernel) -> None:
    assert kernel.run(FIRST)[0] == "3\n"
    cell = """
future = executor.submit(time.sleep, 2)
try:
    future.result()
except KeyboardInterrupt:
    print("again", future.result())
"""
    assert kernel.run(cell, interrupt_after=0.5)[0] == "again None\n"
