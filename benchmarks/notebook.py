"""``python -m benchmarks.notebook``: how soon Workers are free once a cell of a notebook is interrupted.

Each round interrupts a cell after a second, while its Futures sleep for 50 s, in a real kernel of IPython: a map, or
Futures that it waits for. Needs ipykernel (``make ecosystem-small`` makes an environment with it).

- cell: from the interrupt to the end of the cell;
- next: what the next cell takes, which submits one Future and waits for it.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

SECONDS = 60.0
FIRST = """
import time
from fedfutures import Executor, futures

def sleepy(x):
    time.sleep(50)
    return x

executor = Executor(2)
print(executor.submit(abs, -3).result())
"""
MAP = "list(executor.map(sleepy, range(100)))"
WAIT = "waiting = [executor.submit(sleepy, x) for x in range(50)]; futures.wait(waiting)"
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


def manager_of_kernel(kind: str = "KernelManager") -> Any:
    """Return what starts a kernel by this interpreter, whichever are installed for the user."""
    from jupyter_client import manager  # type: ignore[import-not-found]
    from jupyter_client.kernelspec import KernelSpec  # type: ignore[import-not-found]

    class Manager(getattr(manager, kind)):  # type: ignore[misc]
        kernel_spec = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])

    return Manager()


@contextlib.contextmanager
def kernel() -> Iterator[Kernel]:
    """Start a kernel; end it."""
    manager = manager_of_kernel()
    manager.start_kernel()
    try:
        made = Kernel(manager)
        yield made
        made.client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)


def main(arguments: list[str]) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notebook", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args(arguments).rounds
    ends, following = [], []
    with kernel() as made:
        made.run(FIRST)
        for number in range(rounds):
            _, seconds = made.run((MAP, WAIT)[number % 2], interrupt_after=1.0)
            printed, more = made.run(NEXT)
            assert printed == "4\n", printed
            ends.append(seconds)
            following.append(more)
    print(f"{rounds} interrupted cells")
    for name, values in (("cell", ends), ("next", following)):
        print(f"{name}: p50 {statistics.median(values):.3f} s, most {max(values):.3f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
