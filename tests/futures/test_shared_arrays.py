"""``shared.array``: what is passed is the memory itself, and each Future sees what was passed."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import launch, python, write

pytest.importorskip("numpy")
pytestmark = pytest.mark.host

PROGRAM = """
    import os, signal
    import fedfutures
    import numpy as np
    from fedfutures import Executor, futures, shared

    def at(array, number):
        return float(array[number])

    def doubled(array):
        array *= 2
        return float(array[1])

    def made(count):
        array = shared.array(count)
        array += 3
        return array

    def dies_once(array, path):
        array[0] = -1
        if not os.path.exists(path):
            open(path, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return float(array[1])

    def segment_of(array):
        address = array.__array_interface__["data"][0]
        for line in open("/proc/self/maps"):
            begin, end = (int(word, 16) for word in line.split()[0].split("-"))
            if begin <= address < end:
                return os.stat(line.split()[-1]).st_ino

    def add(array, number):
        array[number] += number

    def add_below(array):
        list(futures.map(add, [array] * len(array), range(len(array))))
        return array

    def main(submit):
        table = shared.array((2, 50_000))
        for turn in range(3):
            table[:] = turn
            found = [submit(at, table.reshape(-1), number) for number in range(8)]
            table[:] = 100 + turn
            print({future.result() for future in found}, table[1, 1])
        print(len({submit(segment_of, table).result() for _ in range(5)}), "file")
        print(submit(doubled, table.reshape(-1)).result(), table[1, 1])
        print(submit(dies_once, table.reshape(-1), "died").result(), table[0, 0])
        array = submit(made, 100_000).result()
        array += 1
        print(submit(at, array, 5).result(), array[5])
        live = shared.array(6, int, live=True)
        for future in [submit(add, live, number) for number in range(6)]:
            future.result()
        back = submit(add_below, live).result()
        back[0] = 7
        print(live.tolist())

    if __name__ == "__main__":
        if fedfutures.IS_RUNNING:
            main(futures.submit)
        else:
            with Executor(2) as executor:
                main(executor.submit)
"""
PRINTS = """\
{0.0} 100.0
{1.0} 101.0
{2.0} 102.0
1 file
204.0 102.0
102.0 102.0
4.0 4.0
[7, 2, 4, 6, 8, 10]
"""


@pytest.mark.parametrize("way", ["executor", "launched"])
def test_a_program(way: str, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = python("prog.py", cwd=tmp_path) if way == "executor" else launch("-n", "2", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, PRINTS), ended.out + ended.err
