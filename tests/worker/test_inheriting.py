"""Locks, queues, values and pipes of ``multiprocessing``, given to Workers by ``initargs``."""

from __future__ import annotations

import copyreg
import multiprocessing
from multiprocessing import context
from pathlib import Path
from typing import Any

import pytest
from launching import python, write

from fedfutures import Executor
from fedfutures.worker.inheriting import advice, spawning

pytestmark = pytest.mark.host

PROGRAM = """\
import multiprocessing, os, sys, time
from fedfutures import Executor, errors

context = multiprocessing.get_context(sys.argv[1])
def given(*arguments):
    global LOCK, VALUE, ARRAY, QUEUE, EVENT, SEMAPHORE, SIMPLE, END, BARRIER, CONDITION
    LOCK, VALUE, ARRAY, QUEUE, EVENT, SEMAPHORE, SIMPLE, END, BARRIER, CONDITION = arguments
def add(n):
    for _ in range(n):
        with VALUE.get_lock(): VALUE.value += 1
        with LOCK: ARRAY[0] += 1
    QUEUE.put("x" * 100_000)
    SIMPLE.put(n)
def wait(): return EVENT.wait(20), SEMAPHORE.acquire(timeout=20), SEMAPHORE.acquire(timeout=0)
def send(x): END.send(x)
def meet(): return BARRIER.wait(20)
def wake():
    with CONDITION: CONDITION.notify_all()
def late():
    for i in range(2000): QUEUE.put(i)

if __name__ == "__main__":
    receiver, sender = context.Pipe(False)
    arguments = (context.Lock(), context.Value("i", 0), context.Array("d", 3), context.Queue(), context.Event(),
                 context.Semaphore(1), context.SimpleQueue(), sender, context.Barrier(2), context.Condition())
    _, value, array, queue, event, _, simple, *_, condition = arguments
    with Executor(2, initializer=given, initargs=arguments) as ex:
        futures = [ex.submit(add, 100) for _ in range(6)]
        print({len(queue.get(timeout=20)) for _ in futures}, {simple.get() for _ in futures})
        for future in futures: future.result()
        print(value.value, array[0])
        future = ex.submit(wait)
        event.set()
        print(future.result())
        print(sorted(future.result() for future in [ex.submit(meet), ex.submit(meet)]))
        with condition:
            ex.submit(wake)
            print(condition.wait(20))
        for attempt in 1, 2:
            ex.submit(send, attempt).result()
            print(receiver.recv(), type(ex.submit(os._exit, 1).exception()).__name__)  # later Workers have them, too
        ex.submit(late)
    print([queue.get(timeout=5) for _ in range(2000)] == list(range(2000)))
"""
EXPECTED = """\
{100000} {100}
600 600.0
(True, True, False)
[0, 1]
True
1 PoisonedFuture
2 PoisonedFuture
True
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_all_of_them(tmp_path: Path, method: str) -> None:
    program = write(tmp_path / "prog.py", PROGRAM)
    ended = python(str(program), method)
    assert (ended.out, ended.err, ended.code) == (EXPECTED, "", 0), ended


@pytest.mark.parametrize("guard", ["if __name__ == '__main__':", "if True:"], ids=["guarded", "unguarded"])
def test_under_the_names_that_the_program_has_for_them(tmp_path: Path, guard: str) -> None:
    write(
        tmp_path / "prog.py",
        f"""\
        import multiprocessing
        from fedfutures import Executor, errors
        context = multiprocessing.get_context("spawn")
        lock = None
        def given(*arguments):
            global lock, value
            lock, value = arguments
        def add(n):
            with lock: value.value += n
        {guard}
            lock, value = context.Lock(), context.Value("i", 0)
            with Executor(2, initializer=given, initargs=(lock, value)) as ex:
                list(ex.map(add, range(100)))
                print(value.value)
                value = context.Value("i", 0)
                try:
                    ex.submit(add, 1).result()
                except errors.VariableNotCarried:
                    print("another one does not reach them")
        """,
    )
    ended = python("prog.py", cwd=tmp_path)
    assert (ended.out, ended.err, ended.code) == ("4950\nanother one does not reach them\n", "", 0), ended


PROGRAM_OF_NAMES = """\
import multiprocessing
from fedfutures import Executor, errors
context = multiprocessing.get_context("spawn")
def given(*arguments):
    global lock, value
    lock, value = arguments
def add(n):
    with lock: value.value += n
def refused():
    try:
        ex.submit(add, 1).result()
    except errors.VariableNotCarried as error:
        return error.variable
if __name__ == "__main__":
    lock, value = context.Lock(), context.Value("i", 0)
    first = lock, value
    with Executor(2, initializer=given, initargs=(lock, value)) as ex:
"""


def test_what_they_hold_may_change_between_calls(tmp_path: Path) -> None:
    calls = "        for _ in range(10): ex.submit(add, 1).result()\n        print(value.value)\n"
    write(tmp_path / "prog.py", PROGRAM_OF_NAMES + calls)
    ended = python("prog.py", cwd=tmp_path)
    assert (ended.out, ended.err, ended.code) == ("10\n", "", 0), ended


@pytest.mark.parametrize(("name", "made"), [("value", 'context.Value("i", 0)'), ("lock", "context.Lock()")])
def test_another_one_does_not_reach_a_worker_that_begins_later(tmp_path: Path, name: str, made: str) -> None:
    """Whether or not the Worker has seen the program with the first one."""
    calls = f"        {name} = {made}\n        print(refused(), refused(), first[1].value)\n"
    write(tmp_path / "prog.py", PROGRAM_OF_NAMES + calls)
    ended = python("prog.py", cwd=tmp_path)
    assert (ended.out, ended.err, ended.code) == (f"{name} {name} 0\n", "", 0), ended


def test_nobody_else_has_to_keep_them(tmp_path: Path) -> None:
    """Workers that start later need them, too."""
    write(
        tmp_path / "prog.py",
        """\
        import gc, multiprocessing, os
        from fedfutures import Executor
        def given(*arguments):
            global LOCK, VALUE
            LOCK, VALUE = arguments
        def add(n):
            with LOCK: VALUE.value += n
            return VALUE.value
        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            ex = Executor(2, initializer=given, initargs=(context.Lock(), context.Value("i", 0)))
            gc.collect()
            print(ex.submit(add, 1).result(), type(ex.submit(os._exit, 1).exception()).__name__, end=" ")
            print(ex.submit(add, 1).result())
            ex.shutdown()
        """,
    )
    ended = python("prog.py", cwd=tmp_path)
    assert (ended.out, ended.err, ended.code) == ("1 PoisonedFuture 2\n", "", 0), ended


def test_an_end_of_a_pipe_as_an_argument(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """\
        import multiprocessing, os
        from fedfutures import Executor
        def talk(end):
            end.send(end.recv() + 1)
            end.close()
        if __name__ == "__main__":
            with Executor(1) as ex:
                for _ in range(3):
                    here, there = multiprocessing.Pipe()
                    future = ex.submit(talk, there)
                    here.send(4)
                    print(here.recv(), future.result())
                    there.close()
                    try:
                        here.recv()
                    except EOFError:
                        print("closed")
        """,
    )
    ended = python("prog.py", cwd=tmp_path)
    assert (ended.out, ended.err, ended.code) == ("5 None\nclosed\n" * 3, "", 0), ended


def test_what_cannot_be_given_says_what_to_do() -> None:
    spawn, fork = multiprocessing.get_context("spawn"), multiprocessing.get_context("fork")
    with Executor(1) as executor:
        for made in (spawn.Lock(), spawn.Value("i"), spawn.Queue(), spawn.Event(), fork.Lock()):
            with pytest.raises(Exception, match=r"which cannot travel: .*initargs=.*get_context\('spawn'\)") as caught:
                executor.submit(print, made)
            assert "args[0]" in str(caught.value)
        assert executor.submit(abs, -1).result() == 1
    for made in (fork.Lock(), fork.Queue(), fork.Value("i")):
        with pytest.raises(Exception, match=r"fork context.*get_context\('spawn'\)"):
            Executor(1, initializer=print, initargs=(made,))
    with pytest.raises(Exception, match="of this host alone"):
        Executor(1, hosts=["localhost", "elsewhere"], initializer=print, initargs=(spawn.Queue(),))
    assert advice(ValueError("anything else")) == ""


def test_pickling_is_as_before_afterwards() -> None:
    before = dict(copyreg.dispatch_table)
    heirs: Any = None

    def fail() -> None:
        nonlocal heirs
        with spawning() as heirs:
            look()

    def look() -> None:
        assert heirs.duplicate_for_child(5) == heirs.duplicate_for_child(5) == 5
        assert context.get_spawning_popen() is heirs
        assert dict(copyreg.dispatch_table) != before
        raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert (heirs.descriptors, context.get_spawning_popen(), dict(copyreg.dispatch_table)) == ([5], None, before)
