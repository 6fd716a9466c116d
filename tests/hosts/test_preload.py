"""``--preload``: what Workers import from slow disks is imported once on each host, where a fork of that is safe."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import launch, write

from .ground import Ground
from .test_ends import nothing_left

pytestmark = pytest.mark.host

COSTLY = """
with open({log!r}, "a") as file:
    print("once more", file=file)
VALUE = 42
"""
PROGRAM = """
import time
from fedfutures import futures, worker

def use(number):
    import costly
    time.sleep(0.1)
    return worker.name, costly.VALUE

if __name__ == "__main__":
    found = set(futures.map(use, range(16), chunksize=1))
    print(len({name for name, _ in found}), *{value for _, value in found})
"""


def imports(directory: Path) -> int:
    """How many processes have imported the module."""
    return len((directory / "log").read_text().splitlines())


@pytest.mark.parametrize(("words", "expected"), [([], 4), (["--preload", "zlib,costly"], 2)], ids=["", "preload"])
def test_a_module_is_imported_once_on_each_host(rootless, tmp_path: Path, words: list[str], expected: int) -> None:
    ground = Ground(rootless, ["h1", "h2"], str(tmp_path), "paramiko")
    ground.write("there/costly.py", COSTLY.format(log=str(tmp_path / "log")))
    prog = ground.write("prog.py", PROGRAM)
    ended = ground.launch("-n", "4", "--pythonpath", str(tmp_path / "there"), *words, prog)
    assert (ended.code, ended.out) == (0, "4 42\n"), ended.err
    assert imports(tmp_path) == expected
    nothing_left(ground)


def test_on_this_machine_too(tmp_path: Path) -> None:
    write(tmp_path / "costly.py", COSTLY.format(log=str(tmp_path / "log")))
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "3", "--preload", "costly", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "3 42\n", "")
    assert imports(tmp_path) == 1


def test_where_a_fork_is_not_safe_each_worker_imports_it(tmp_path: Path) -> None:
    text = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    write(tmp_path / "costly.py", text + COSTLY.format(log=str(tmp_path / "log")))
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-v", "-n", "3", "--preload", "costly", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "3 42\n")
    assert "forks no Workers from its template: importing the program has started threads: 1" in ended.err
    assert imports(tmp_path) == 4


def test_a_module_that_is_not_there_is_said_and_costs_nothing(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", "from fedfutures import futures\nprint(futures.submit(abs, -3).result())\n")
    ended = launch("-n", "1", "--preload", "no_such_module", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "3\n")
    assert "fedfutures: --preload no_such_module: ModuleNotFoundError: No module named 'no_such_module'" in ended.err
