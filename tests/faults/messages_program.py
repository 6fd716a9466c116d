"""Raises in Futures whatever users raise, and writes as JSON what they then see. `GUARD` makes one of two programs."""

import bdb
import ctypes
import getpass
import json
import linecache
import os
import pdb
import sqlite3
import sys
import threading
import traceback

from fedfutures import futures

CELL = "<ipython-input-3-1f2e>"
LOCK = threading.Lock()
seen = {}


def load(path):
    return [parse(text) for text in [path, "three"]]


def install(number):
    return number + 1


def parse(text):
    return float(text)  # a line that tells


def work(number, password="", *, rate=0.5):
    if number == 17:
        raise ValueError("bad row")
    return number


def nested(number):
    return futures.submit(middle, number).result()


def middle(number):
    return list(futures.map(work, [1, number]))


def missing_file():
    return open("small.csv").read()


def missing_directory():
    return os.listdir("no/such/place")


def ask():
    return input("name? ")


def ask_secretly():
    return getpass.getpass(stream=sys.stdout)


def stop():
    breakpoint()


def trace():
    pdb.set_trace()


def generates(number):
    return (i for i in range(number)) if number == 2 else number


def holds_lock():
    return {"lock": [LOCK]}


def die(number, path=None):
    os._exit(3) if number == 17 else None


def kill(number):
    os.kill(os.getpid(), 9)


def crash(number):
    ctypes.string_at(0)


class AtLoad:
    def __reduce__(self):
        return fails_at_load, ()


def fails_at_load():
    raise ValueError("cannot be loaded")


class AtOrigin:
    def __reduce__(self):
        return only_here, (os.getpid(),)


def only_here(pid):
    if pid != os.getpid():
        raise KeyError("not here")


def gives_at_origin(number):
    return AtOrigin() if number == 2 else number


class ReprRaises:
    def __repr__(self):
        raise AssertionError("a repr was called")


class Own(Exception):
    pass


def raises_own():
    raise Own("of the program")


class Store:
    def __init__(self):
        self.db = sqlite3.connect(":memory:")

    def read(self, key):
        return key


class Later:
    pass


def captured(lock):
    return lambda number: (lock, number)


def tell(name, call):
    """Note what is seen of what a call raises."""
    try:
        value = list(call())
    except BaseException as error:
        shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        cause = getattr(error.__cause__, "text", "")
        notes = list(getattr(error, "__notes__", ()))
        seen[name] = {"type": type(error).__name__, "text": str(error), "notes": notes, "cause": cause, "shown": shown}
    else:
        seen[name] = [repr(part) if isinstance(part, BaseException) else part for part in value]


def of_cell():
    source = "def in_cell(number):\n    def inside():\n        return 1 / number  # of the cell\n    return inside()\n"
    linecache.cache[CELL] = (len(source), None, source.splitlines(True), CELL)
    names = globals()
    exec(compile(source, CELL, "exec"), names)
    return names["in_cell"]


def run():
    get = lambda function, *args, **kwargs: futures.submit(function, *args, **kwargs).result()  # noqa: E731
    tell("exception", lambda: get(load, "1.5"))
    tell("names", lambda: [get(install, 1), *futures.map(install, range(3))])
    tell("in a map", lambda: list(futures.map(work, range(40))))
    tell("of a map", lambda: list(futures.starmap(work, [(1,), (17, "x")])))
    tell("as completed", lambda: list(futures.map_as_completed(work, range(10, 20))))
    tell("nested", lambda: get(nested, 17))
    tell("arguments", lambda: get(work, 17, "hunter2", rate=ReprRaises()))
    tell("wrong arguments", lambda: get(work, 1, 2, 3))
    tell("of a cell", lambda: get(of_cell(), 0))
    tell("of a lambda", lambda: get(lambda number: 1 / number, 0))  # this lambda
    tell("missing file", lambda: get(missing_file))
    tell("missing directory", lambda: get(missing_directory))
    tell("input", lambda: get(ask))
    tell("getpass", lambda: get(ask_secretly))
    tell("breakpoint", lambda: get(stop))
    tell("pdb", lambda: get(trace))
    tell("result", lambda: get(generates, 2))
    tell("result of a lambda", lambda: list(futures.map(lambda number: (item for item in [number]), [3])))
    tell("class", lambda: get(raises_own))
    tell("lock in result", lambda: get(holds_lock))
    tell("results", lambda: futures.map(generates, range(5), return_exceptions=True, chunksize=5))
    tell("argument at load", lambda: futures.map(install_of, [1, AtLoad(), 3], return_exceptions=True, chunksize=3))
    tell("argument of a map", lambda: futures.map(install_of, [1, LOCK, 3, 4], return_exceptions=True, chunksize=4))
    tell("argument in turn", lambda: taken(futures.map(install_of, [1, LOCK, 3], chunksize=3)))
    tell("nested map", lambda: get(map_with_all))
    tell("result at load", lambda: futures.map(gives_at_origin, range(5), return_exceptions=True, chunksize=5))
    tell("captured", lambda: get(captured(threading.Lock()), 1))
    tell("method", lambda: get(Store().read, 1))
    tell("argument", lambda: get(work, LOCK))
    tell("future", lambda: get(work, futures.submit(work, 1)))
    tell("exit", lambda: get(die, 17, "x"))
    tell("exit in a map", lambda: futures.map(die, range(16, 19)))
    tell("kill", lambda: get(kill, 17))
    tell("crash", lambda: get(crash, 17))
    tell("taken", lambda: [taken_results])
    with open(sys.argv[1], "w") as file:
        json.dump(seen, file)


taken_results = []


def taken(results):
    for result in results:
        taken_results.append(result)
    return []


def install_of(value):
    return value if isinstance(value, int) else type(value).__name__


def map_with_all():
    results = futures.map(generates, [1, 2, LOCK, 3], return_exceptions=True)
    return [repr(part) if isinstance(part, BaseException) else part for part in results]


assert bdb.BdbQuit
if GUARD:  # noqa: F821
    run()
