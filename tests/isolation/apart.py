"""A program whose Futures change what surrounds them; it prints a line for each case, which ends in "right" if it is.

Run with ``executor`` as its argument it makes an Executor of two Workers, otherwise it uses the Federation that it was
launched with.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import decimal
import gc
import io
import locale
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed, wait

from cases import run_all

import fedfutures
from fedfutures import futures

VARIABLE = contextvars.ContextVar("VARIABLE", default="none")
decimal.getcontext().prec = 30
os.environ["OF_THE_PROGRAM"] = "set"
ITEMS = 400


def surroundings(*_):
    """What a Future finds, as far as Futures of this program change it."""
    umask = os.umask(0)
    os.umask(umask)
    return {
        "directory": os.getcwd(),
        "environment": {name: value for name, value in os.environ.items() if "PROGRAM" in name or "FUTURE" in name},
        "umask": umask,
        "handler": str(signal.getsignal(signal.SIGUSR1)),
        "alarm": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "stdout": type(sys.stdout).__name__,
        "hook": str(sys.excepthook),
        "path": list(sys.path),
        "arguments": list(sys.argv),
        "filters": len(warnings.filters),
        "recursion limit": sys.getrecursionlimit(),
        "timeout": socket.getdefaulttimeout(),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "collector": gc.isenabled(),
        "locale": locale.setlocale(locale.LC_NUMERIC),
        "precision": decimal.getcontext().prec,
        "variable": VARIABLE.get(),
        "error": str(sys.exc_info()[1]),
        "loop": asyncio._get_running_loop() is not None,
        "trace": str(sys.gettrace()),
    }


def ignore(*_):
    """A handler."""


def change_all():
    os.chdir("/")
    os.environ["OF_A_FUTURE"] = "set"
    del os.environ["OF_THE_PROGRAM"]
    os.umask(0o011)
    signal.signal(signal.SIGUSR1, ignore)
    signal.setitimer(signal.ITIMER_REAL, 1000)
    sys.stdout = io.StringIO()
    sys.excepthook = ignore
    sys.path.insert(0, "/nowhere")
    sys.argv.append("more")
    warnings.simplefilter("error")
    sys.setrecursionlimit(3000)
    socket.setdefaulttimeout(7)
    resource.setrlimit(resource.RLIMIT_NOFILE, (99, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    gc.disable()
    decimal.getcontext().prec = 5
    VARIABLE.set("of a Future")


def changed(*_):
    """Change everything and leave it so."""
    change_all()
    return surroundings()


def one_changes(item):
    """Only one item of a map changes something."""
    if item == ITEMS // 3:
        change_all()
    return surroundings()


def only_variable(item):
    found = VARIABLE.get()
    if item % 50 == 0:
        VARIABLE.set(item)
    return found


def only_environment(item):
    found = os.environ.get("OF_A_FUTURE")
    if item % 50 == 0:
        os.environ["OF_A_FUTURE"] = str(item)
    return found


def only_precision(item):
    found = decimal.getcontext().prec
    if item % 50 == 0:
        decimal.getcontext().prec = 3
    return found


def only_stdout(item):
    found = isinstance(sys.stdout, io.StringIO)
    if item % 50 == 0:
        sys.stdout = io.StringIO()
    return found


def raising(item):
    if item % 50 == 0:
        os.environ["OF_A_FUTURE"] = str(item)
        raise ValueError(item)
    return os.environ.get("OF_A_FUTURE")


def into(store, item):
    """Change an argument that all items of a map share."""
    store.append(item)
    return len(store)


def into_once(store, item):
    if item == ITEMS // 2:
        store["x"].append(item)
    return len(store["x"])


class Store:
    def __init__(self):
        self.parts = []


def into_object(item):
    store, number = item
    if number % 100 == 7:
        store.parts.append(number)
    return len(store.parts)


def add(a, b):
    return a + b


# -- each returns what is wrong, None if nothing is --------------------------------------------------------------------


def differs(found, expected):
    return {name: (found[name], expected[name]) for name in expected if found[name] != expected[name]} or None


def one_after_the_other(face):
    before = face.submit(surroundings).result()
    for _ in range(3):
        face.submit(changed).result()
    after = [face.submit(surroundings) for _ in range(6)]
    return next(filter(None, (differs(future.result(), before) for future in after)), None)


def items_of_a_slice(face):
    before = face.submit(surroundings).result()
    found = list(face.map(one_changes, range(ITEMS), chunksize=100))
    return next(filter(None, (differs(it, before) for n, it in enumerate(found) if n != ITEMS // 3)), None)


def only(function, expected):
    def case(face):
        found = list(face.map(function, range(1000), chunksize=250))
        return {str(value) for value in found if value != expected} or None

    return case


def items_that_raise(face):
    results = face.map(raising, range(300), chunksize=100, return_exceptions=True)
    found = [value for value in results if not isinstance(value, ValueError)]
    return (len(found), set(map(str, found))) if found != [None] * 294 else None


def arguments_that_items_share(face):
    store, more = [], {"x": [1]}
    a = list(face.map(into, [store] * ITEMS, range(ITEMS), chunksize=50))
    b = list(face.map(into_once, [more] * ITEMS, range(ITEMS), chunksize=50))
    b[ITEMS // 2] -= 1
    shared = Store()
    c = list(face.map(into_object, [(shared, number) for number in range(ITEMS)], chunksize=50))
    expected = [int(number % 100 == 7) for number in range(ITEMS)]
    wrong = [a != [1] * ITEMS, b != [1] * ITEMS, c != expected]
    return wrong if any(wrong) else None


def reductions(face):
    sums = futures.map_reduce(only_environment_number, add, range(1000)) if face is futures else 0
    return sums or None


def only_environment_number(item):
    found = os.environ.get("OF_A_FUTURE")
    os.environ["OF_A_FUTURE"] = "set"
    return 0 if found is None else 1


def parent(how):
    """Change everything, wait, and look; return what the children and what the parent found."""
    change_all()
    mine = surroundings()
    children = [futures.submit(surroundings) for _ in range(4)]
    if how == "result":
        pass
    elif how == "timeout":
        children[0].result(60)
    elif how == "wait":
        wait(children)
    elif how == "as_completed":
        list(as_completed(children))
    elif how == "map":
        found = list(futures.map(surroundings, range(4)))
        return found, mine, surroundings()
    elif how == "map_as_completed":
        found = list(futures.map_as_completed(surroundings, range(4)))
        return found, mine, surroundings()
    elif how == "reduce":
        found = [futures.map_reduce(surroundings, first, range(4))]
        return found, mine, surroundings()
    elif how == "executor":
        with fedfutures.Executor() as inner:
            found = list(inner.map(surroundings, range(4)))
        return found, mine, surroundings()
    elif how == "group":
        group = futures.group("of a parent")
        for child in children:
            group.add(child)
        group.wait()
    elif how == "thread":
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda child: child.result(), children))
        return found, mine, surroundings()
    elif how == "asyncio":
        found = asyncio.run(gather(children))
        return found, mine, surroundings()
    return [child.result() for child in children], mine, surroundings()


async def gather(children):
    return await asyncio.gather(*map(asyncio.wrap_future, children))


def first(a, b):
    return a


WAYS = ("result", "timeout", "wait", "as_completed", "map", "map_as_completed", "reduce", "executor", "group")


def waits(*ways, without=()):
    def case(face):
        expected = face.submit(surroundings).result()
        for how in ways:
            found, before, after = face.submit(parent, how).result()
            for child in found:
                if wrong := differs(child, {name: expected[name] for name in expected if name not in without}):
                    return how, "a child found", wrong
            if wrong := differs(after, before):
                return how, "the parent found", wrong
        return None

    return case


def redirecting():
    buffer = io.StringIO()
    with contextlib.redirect_stdout(buffer), decimal.localcontext() as context:
        context.prec = 9
        print("before")
        found = [futures.submit(surroundings).result()["precision"], *futures.map(precision_said, [1, 2])]
        print("after", decimal.getcontext().prec)
    return found, buffer.getvalue()


def precision_said(_):
    print("said by a child")
    return decimal.getcontext().prec


def in_a_block(face):
    found = face.submit(redirecting).result()
    return None if found == ([30, 30, 30], "before\nafter 9\n") else found


def handling():
    try:
        raise KeyError("of the parent")
    except KeyError:
        return futures.submit(error_seen).result(), list(futures.map(error_seen, [1, 2]))


def error_seen(*_):
    try:
        raise
    except RuntimeError as error:
        return str(error)


def in_a_handler(face):
    found = face.submit(handling).result()
    expected = "No active exception to reraise"
    return None if found == (expected, [expected] * 2) else found


def alarmed():
    """A time limit by an alarm, which is due while the Future waits."""

    def expire(*_):
        raise TimeoutError("by the alarm")

    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    began = time.monotonic()
    try:
        futures.submit(time.sleep, 0.1).result()
        list(futures.map(time.sleep, [0.2] * 20))
        return "was not interrupted"
    except TimeoutError as error:
        return str(error) if time.monotonic() - began < 1.5 else "too late"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def a_timer_of_a_parent(face):
    found = face.submit(alarmed).result()
    return None if found == "by the alarm" else found


def ticking():
    """A timer that only counts must not end a wait."""
    count = 0

    def tick(*_):
        nonlocal count
        count += 1

    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        value = futures.submit(slowly, 1).result(30)
        values = list(futures.map(slowly, range(4)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return value, values, count > 0


def slowly(item):
    time.sleep(0.15)
    return item


def a_timer_that_counts(face):
    found = face.submit(ticking).result()
    return None if found == (1, [0, 1, 2, 3], True) else found


def dig(depth, then):
    return then() if depth == 0 else dig(depth - 1, then)


def deep(level, frames):
    return 0 if level == 0 else 1 + dig(frames, lambda: futures.submit(deep, level - 1, frames).result())


def deep_map(level, frames):
    return 0 if level == 0 else 1 + dig(frames, lambda: sum(futures.map(deep_map, [level - 1], [frames])))


def without_end(n):
    return without_end(n + 1)


def recursion(face):
    found = [
        face.submit(deep, 3, 400).result(),
        face.submit(deep, 12, 120).result(),
        face.submit(deep, 2, 900).result(),
    ]
    found.append(face.submit(deep_map, 3, 400).result())
    error = face.submit(without_end, 0).exception()
    return None if found == [3, 12, 2, 3] and isinstance(error, RecursionError) else (found, error)


async def blocking():
    """A coroutine that waits for a Future without awaiting it, while others of its loop could go on."""
    found = futures.submit(inner_loop).result()
    await asyncio.sleep(0.01)
    return found, asyncio.get_running_loop() is not None


def outer_loop():
    return asyncio.run(blocking())


def inner_loop():
    return asyncio.run(asyncio.sleep(0.01, result="inner"))


def loops_in_loops(face):
    found = [face.submit(outer_loop).result() for _ in range(2)]
    return None if found == [("inner", True)] * 2 else found


def pool_of_a_future():
    """Threads of one Future whose Futures change what surrounds them."""
    before = surroundings()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: futures.submit(in_a_thread, n).result(), range(8)))
    after = surroundings()
    return found, differs(after, before)


def in_a_thread(number):
    """What another thread can change, changed for a while."""
    found = os.getcwd(), os.environ.get("OF_A_THREAD")
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        os.environ["OF_A_THREAD"] = str(number)
        time.sleep(0.02)
        same = os.getcwd() == os.path.realpath(place), os.environ["OF_A_THREAD"] == str(number)
        os.chdir("/")
    return found, same


def thread_pools(face):
    here = face.submit(os.getcwd).result()
    for found, left in [face.submit(pool_of_a_future).result() for _ in range(2)]:
        if left is not None:
            return "left behind", left
        if found != [((here, None), (True, True))] * 8:
            return found
    return None


def leaves_a_thread():
    """A thread that outlives its Future, and submits."""
    done = futures.submit(surroundings)
    result = []
    thread = threading.Thread(target=lambda: result.append(done.result()))
    thread.start()
    thread.join()
    return result[0]


def a_thread_that_waits(face):
    expected = face.submit(surroundings).result()
    del expected["precision"]
    return differs(face.submit(leaves_a_thread).result(), expected)


CASES = {
    "one after the other": one_after_the_other,
    "items of a slice": items_of_a_slice,
    "a context variable": only(only_variable, "none"),
    "a variable of the environment": only(only_environment, None),
    "a precision": only(only_precision, 30),
    "a redirection": only(only_stdout, False),
    "items that raise": items_that_raise,
    "arguments that items share": arguments_that_items_share,
    "reductions": reductions,
    "what a parent changes": waits(*WAYS),
    "what a parent changes, by a thread": waits("thread", "asyncio", without=("handler", "alarm", "precision", "loop")),
    "redirected output": in_a_block,
    "an error that is being handled": in_a_handler,
    "a timer of a parent": a_timer_of_a_parent,
    "a timer that counts": a_timer_that_counts,
    "recursion": recursion,
    "loops in loops": loops_in_loops,
    "thread pools": thread_pools,
    "a thread that waits": a_thread_that_waits,
}


if __name__ == "__main__":
    run_all(CASES)
