"""Cells of a notebook, in a real kernel, that are interrupted while their Futures run: the next cell finds Workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.notebook import FIRST, MAP, NEXT, WAIT, Kernel, kernel as started

from .test_programs import Program, need

pytestmark = [pytest.mark.host, pytest.mark.once]

BOUND = 3.0
"""For what takes some tenths of a second on a quiet machine."""


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    for library in ("ipykernel", "jupyter_client"):
        need(Program("notebooks", library))
    with started() as made:
        yield made


def test_an_interrupted_cell_frees_its_workers(kernel: Kernel) -> None:
    assert kernel.run(FIRST)[0] == "3\n"
    assert kernel.run("early = executor.submit(time.sleep, 2)")[0] == ""
    for cell, said in ((MAP, ""), (WAIT, "50 Futures were cancelled")):
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
