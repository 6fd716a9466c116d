"""The key of ``multiprocessing``: Workers talk to the Managers and Listeners of the program, and among themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import launch, python, write

pytestmark = [pytest.mark.host, pytest.mark.once]

PROGRAM = """\
import multiprocessing, os, sys
from multiprocessing.managers import BaseManager
from multiprocessing.connection import Client, Listener
from fedfutures import Executor, explain, futures, statistics
{top}
class Counter:
    def __init__(self): self.value = 0
    def add(self, n): self.value += n; return self.value
class Manager(BaseManager): pass
Manager.register("Counter", Counter)

def put(queue, lock, table, x):
    with lock:
        queue.put(x)
        table[x] = os.getpid() != PARENT
def count(counter, n): return counter.add(n)
def key(): return bytes(multiprocessing.current_process().authkey)
def nested(*call): return futures.submit(*call).result()
def answer(address):
    with Client(address, authkey=multiprocessing.current_process().authkey) as end:
        end.send("hello")
        return end.recv()
def serve():
    with multiprocessing.Manager() as manager:
        made = manager.list()
        list(futures.map(made.append, range(3)))
        return sorted(made)
PARENT = os.getpid()

def run(submit):
    global PARENT
    PARENT = os.getpid()
    with multiprocessing.Manager() as manager:
        queue, lock, table = manager.Queue(), manager.Lock(), manager.dict()
        for future in [submit(nested, put, queue, lock, table, x) for x in range(3)]: future.result()
        print(sorted(queue.get() for _ in range(3)), table.copy())
    with Manager() as manager:
        counter = manager.Counter()
        for future in [submit(count, counter, n) for n in range(4)]: future.result()
        print(counter.add(0))
    with Listener(authkey=multiprocessing.current_process().authkey) as listener:
        future = submit(answer, listener.address)
        with listener.accept() as end:
            print(end.recv())
            end.send("to you")
        print(future.result())
    print(submit(serve).result(), submit(key).result() == key())
    for new in b"another key", key():
        multiprocessing.current_process().authkey = new
        with multiprocessing.Manager() as manager:
            shared = manager.Value("i", 5)
            print(submit(getattr, shared, "value").result(), submit(key).result() == new)
    text = repr(statistics()) + explain(submit(abs, 1))
    print([k in text or repr(k) in text for k in (new.hex(), new.decode("latin-1"))])
{guard}
"""
EXPECTED = """\
[0, 1, 2] {0: True, 1: True, 2: True}
6
hello
to you
[0, 1, 2] True
5 True
5 True
[False, False]
"""
MAIN = "if __name__ == '__main__':\n    "
EXECUTOR = f"{MAIN}with Executor(2) as ex: run(ex.submit)"
OWN = "multiprocessing.current_process().authkey = b'set by the program'"


@pytest.mark.parametrize("top", ["", OWN], ids=["random", "set"])
@pytest.mark.parametrize("guard", [f"{MAIN}run(futures.submit)", "run(futures.submit)"], ids=["guarded", "unguarded"])
def test_launched(tmp_path: Path, top: str, guard: str) -> None:
    program = write(tmp_path / "prog.py", PROGRAM.format(top=top, guard=guard))
    ended = launch("-n", "2", str(program))
    assert (sorted_first(ended.out), ended.err, ended.code) == (EXPECTED, "", 0)


@pytest.mark.parametrize("top", ["", OWN], ids=["random", "set"])
def test_of_an_executor(tmp_path: Path, top: str) -> None:
    program = write(tmp_path / "prog.py", PROGRAM.format(top=top, guard=EXECUTOR))
    ended = python(str(program))
    assert (sorted_first(ended.out), ended.err, ended.code) == (EXPECTED, "", 0)


def sorted_first(text: str) -> str:
    """The entries of the table come in any order."""
    first, _, rest = text.partition("\n")
    items = first.partition("{")
    return f"{items[0]}{{{', '.join(sorted(items[2].rstrip('}').split(', ')))}}}\n{rest}"
