"""Callables with large arrays, mapped again and again: what they hold is what the program has at that time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from launching import Running

pytestmark = pytest.mark.host

PROGRAM = """
import functools
import numpy as np
from fedfutures import futures

class Likelihood:
    def __init__(self, count):
        self.data, self.scale = np.ones(count), 1.0
    def __call__(self, x):
        return float(self.data.sum()) * self.scale + x
    def method(self, x):
        return self(x)

def spoils(data, x):
    data += 1
    return float(data[0])

def inside(count):
    held = Likelihood(count)
    held.data += 1
    return list(futures.map(held, range(6))), futures.submit(held, 3).result()

def program(count):
    held = Likelihood(count)
    ways = [held, held.method, functools.partial(Likelihood.method, held), lambda x: held(x)]
    for number, way in enumerate(ways):
        for value in (1, 1, 2):
            held.data[:] = value + number
            wanted = [float(count * (value + number)) + x for x in range(4)]
            assert list(futures.map(way, range(4))) == wanted, (count, number, value)
            assert futures.submit(way, 1).result() == wanted[1]
        held.scale = 3.0
        assert futures.submit(way, 0).result() == 3.0 * wanted[0]
        held.scale = 1.0
    for _ in range(3):
        fresh = functools.partial(spoils, np.ones(count))
        assert [futures.submit(fresh, x).result() for x in range(3)] == [2.0] * 3 or count < 100
    wanted = [count * 2.0 + x for x in range(6)]
    assert futures.submit(inside, count).result() == (wanted, wanted[3])
    print("right", count)

if __name__ == "__main__":
    program(10)
    program(300_000)
    count = 5_000_000  # 40 MB: more than a definition may have
    assert futures.submit(inside, count).result()[0] == [count * 2.0 + x for x in range(6)]
    print("right", count)
"""


def test_callables_with_arrays(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    program = tmp_path / "prog.py"
    program.write_text(PROGRAM)
    root = ["--allow-root"] if os.getuid() == 0 else []
    ended = Running([*root, "-n", "2", str(program)], cwd=tmp_path).end()
    assert ended.out == "right 10\nright 300000\nright 5000000\n", ended.err
