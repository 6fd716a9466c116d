"""What Futures start: processes of ``multiprocessing``, of ``subprocess``, and forks."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import launch, python, write

pytestmark = pytest.mark.host

PROGRAM = """\
import multiprocessing, os, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from fedfutures import Executor, futures

OFFSET = 10
class Point:
    def __init__(self, x): self.x = x
def square(x): return x * x + OFFSET
def point(x): return Point(x)
def put(queue, x): queue.put(Point(x))

def pool(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map_async(square, range(3)).get(20), pool.apply_async(point, (4,)).get(20).x
def executor(method):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        return list(pool.map(square, range(3), timeout=20))
def process(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=put, args=(queue, 5))
    process.start()
    x = queue.get(timeout=20).x
    process.join()
    return x, process.exitcode
def manager(method):
    with multiprocessing.get_context(method).Manager() as manager:
        points = manager.list([Point(2)])
        points.append(Point(3))
        return [point.x for point in points]
def command(method):
    return subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True, text=True).stdout
def run(submit):
    for method in sys.argv[1:] or ("fork", "spawn", "forkserver"):
        for function in pool, executor, process, manager, command:
            print(method, function.__name__, submit(function, method).result(40))
"""
RESULTS = ("pool ([10, 11, 14], 4)", "executor [10, 11, 14]", "process (5, 0)", "manager [2, 3]", "command 5")
EXPECTED = [f"{method} {result}" for method in ("fork", "spawn", "forkserver") for result in RESULTS]
GUARD = "if __name__ == '__main__':\n    "


def same(out: str, *methods: str) -> bool:
    return list(filter(None, out.splitlines())) == [line for line in EXPECTED if line.split()[0] in methods]


def test_processes_of_multiprocessing(tmp_path: Path) -> None:
    program = write(tmp_path / "prog.py", f"{PROGRAM}{GUARD}run(futures.submit)\n")
    ended = launch("-n", "1", str(program))
    assert (same(ended.out, "fork", "spawn", "forkserver"), ended.code, ended.err) == (True, 0, ""), ended


def test_those_of_a_program_without_guard(tmp_path: Path) -> None:
    program = write(tmp_path / "prog.py", f"{PROGRAM}run(futures.submit)\n")
    ended = launch("-n", "1", str(program), "spawn", "forkserver")
    assert (same(ended.out, "spawn", "forkserver"), ended.code, ended.err) == (True, 0, ""), ended


def test_those_of_an_executor(tmp_path: Path) -> None:
    program = write(tmp_path / "prog.py", f"{PROGRAM}{GUARD}with Executor(2) as ex: run(ex.submit)\n")
    ended = python(str(program), "spawn")
    assert (same(ended.out, "spawn"), ended.code, ended.err) == (True, 0, ""), ended


@pytest.mark.parametrize("name", ["__main__", "prog"])
def test_those_of_a_package(tmp_path: Path, name: str) -> None:
    """``multiprocessing`` itself leaves ``package.__main__`` out."""
    write(tmp_path / "package" / "__init__.py", "")
    write(tmp_path / "package" / "helper.py", "OFFSET = 10\n")
    text = PROGRAM.replace("OFFSET = 10", "from .helper import OFFSET")
    write(tmp_path / "package" / f"{name}.py", f"{text}{GUARD}run(futures.submit)\n")
    ended = launch("-n", "1", "-m", "package" if name == "__main__" else "package.prog", "spawn", cwd=tmp_path)
    assert (same(ended.out, "spawn"), ended.code, ended.err) == (True, 0, ""), ended


def test_what_stands_below_the_guard(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """\
        import multiprocessing
        from fedfutures import futures

        def use(function):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                return pool.map_async(function, [1, 2]).get(20)

        if __name__ == "__main__":
            STEP = 5
            class Step:
                size = STEP
            def below(x):
                return x + Step.size
            print(futures.submit(use, below).result(40))
        """,
    )
    ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    assert (ended.out, ended.code) == ("[6, 7]\n", 0), ended


def test_children_that_cannot_be_prepared(tmp_path: Path) -> None:
    """A Pool that starts one after the other, for ever, raises in place of results."""
    write(
        tmp_path / "prog.py",
        """\
        import multiprocessing, os
        from fedfutures import futures

        if multiprocessing.current_process().name != "MainProcess":
            raise RuntimeError("not in a child")

        def use(method):
            context = multiprocessing.get_context(method)
            with context.Pool(2) as pool:
                results = [pool.map_async(abs, range(9), 1), pool.apply_async(abs, (1,))]
                items = pool.imap(abs, [1, 2])
                for read in *[result.get for result in results], items.next:
                    try:
                        print(read(timeout=20))
                    except RuntimeError as error:
                        print("could not import the program" in str(error))
            process = context.Process(target=abs, args=(1,))
            process.start()
            process.join(20)
            return process.exitcode

        if __name__ == "__main__":
            print(futures.submit(use, "spawn").result(60))
        """,
    )
    ended = launch("-n", "1", "--no-prefix", "prog.py", cwd=tmp_path)
    assert (ended.out.split(), ended.code) == (["True"] * 3 + ["78"], 0), ended
    assert "not in a child" in ended.err


FORKS = """\
import os, sys
from fedfutures import errors, futures

def ended(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def me(): return os.getpid()
def exits():
    return ended(os.fork() or os._exit(3))
def returns_much():
    pid = os.fork()
    return ended(pid) if pid else bytes(10_000_000)
def leaves():
    pid = os.fork()
    return ended(pid) if pid else sys.exit(7)
def says():
    pid = os.fork()
    return ended(pid) if pid else sys.exit("said at the end")
def fails():
    pid = os.fork()
    return ended(pid) if pid else 1 / 0
def submits():
    pid = os.fork()
    if pid:
        return ended(pid)
    for call in (lambda: futures.submit(me), lambda: list(futures.map(abs, [1])), lambda: OPEN.result()):
        try:
            call()
        except errors.FederationLost:
            continue
        os._exit(9)
    os._exit(4)
def prints():
    pid = os.fork()
    if pid:
        return ended(pid)
    print("printed by the child")
def nested(function):
    return futures.submit(function).result()
def returns():
    pid = os.fork()
    return ended(pid) if pid else "the child's"
"""


def test_forks(tmp_path: Path) -> None:
    """A child that comes back to the Worker's loop ends there, and is not taken for the Worker."""
    text = FORKS + (
        "if __name__ == '__main__':\n"
        "    worker = futures.submit(me).result()\n"
        "    for function in exits, returns, returns_much, leaves, says, fails, prints:\n"
        "        print(function.__name__, *[futures.submit(nested, function).result(20), "
        "futures.submit(function).result(20)])\n"
        "    print(list(futures.map(lambda x: (leaves(), x), range(3))))\n"
        "    print(list(futures.map(lambda x: (returns(), os.write(2, b'item\\n')), range(3), chunksize=3)))\n"
        "    print(futures.submit(me).result() == worker, len(os.listdir('/proc/%d/task/%d' % (worker, worker))) > 0)\n"
    )
    write(tmp_path / "prog.py", text)
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    codes = {"exits": 3, "returns": 0, "returns_much": 0, "leaves": 7, "says": 1, "fails": 1, "prints": 0}
    lines = ended.out.splitlines()
    assert [line for line in lines if "printed" not in line] == [
        *(f"{name} {code} {code}" for name, code in codes.items()),
        "[(7, 0), (7, 1), (7, 2)]", "[(0, 5), (0, 5), (0, 5)]", "True True",
    ], ended  # fmt: skip
    assert sum("printed by the child" in line for line in lines) == 2
    assert ended.err.count("ZeroDivisionError") == ended.err.count("said at the end") == 2
    assert "fedfutures/worker" not in ended.err
    # A child ends with its item; this one writes before its function returns, as the parent does.
    assert ended.err.count("item") == 6


def test_a_fork_submits_nothing(tmp_path: Path) -> None:
    text = FORKS.replace("    pid = os.fork()\n    if pid:\n        return ended(pid)\n    for",
                         "    global OPEN\n    OPEN = futures.submit(me)\n    pid = os.fork()\n"
                         "    if pid:\n        return ended(pid), OPEN.result() == me()\n    for")  # fmt: skip
    write(tmp_path / "prog.py", f"{text}{GUARD}print(futures.submit(submits).result(20))\n")
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    assert (ended.out, ended.code) == ("(4, True)\n", 0), ended
