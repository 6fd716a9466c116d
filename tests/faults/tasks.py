"""What the fault tests submit: functions, arguments, results and exceptions that misbehave."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Generator
from typing import Any, NoReturn

import numpy

import fedfutures
from fedfutures import futures


def square(number: int) -> int:
    """Do what an innocent Future does."""
    return number * number


def square_slowly(number: int) -> int:
    """Do it long enough to be under way, or still waiting, when something else dies."""
    time.sleep(0.01)
    return number * number


def identity(value: Any) -> Any:
    """Return the argument."""
    return value


def pid_slowly() -> int:
    """Return the Worker's process id, after a time in which others take the next."""
    time.sleep(0.01)
    return os.getpid()


def pid() -> int:
    """Return the process that ran this."""
    return os.getpid()


# -- exceptions (A1, A2, A8, A9, A10) ----------------------------------------------------------------------------------


class TwoArguments(Exception):
    """Its ``__init__`` takes something else than what ``args`` says."""

    def __init__(self, code: int, text: str, *, hint: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.hint = code, text, hint


class NoArguments(OSError):
    """An OSError whose ``__init__`` takes nothing, with a ``__str__`` of its own."""

    def __init__(self) -> None:
        super().__init__(2, "not there", "a-file")
        self.extra = [1, 2]

    def __str__(self) -> str:
        return f"extra {self.extra}"


class OwnReduce(ValueError):
    """Says itself how it is pickled."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first)
        self.second = second

    def __reduce__(self) -> Any:
        return OwnReduce, (self.args[0], self.second)


class ReduceRaises(ValueError):
    """Cannot be pickled."""

    def __reduce__(self) -> NoReturn:
        raise RuntimeError("not me")


class LoadRaises(ValueError):
    """Can be pickled and not loaded."""

    def __reduce__(self) -> Any:
        return raise_now, (KeyError("not here"),)


class HoldsLock(ValueError):
    """Has an attribute that cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


def raise_two_arguments(code: int) -> NoReturn:
    """Raise the exception that breaks the standard library's pool."""
    raise TwoArguments(code, "no", hint="try again")


def raise_no_arguments() -> NoReturn:
    """Raise an exception that is constructed from nothing."""
    raise NoArguments


def raise_own_reduce(number: int) -> NoReturn:
    """Raise an exception with its own ``__reduce__``."""
    raise OwnReduce(number, number + 1)


def raise_now(error: BaseException) -> NoReturn:
    """Raise the argument."""
    raise error


def raise_reduce_raises() -> NoReturn:
    """Raise what cannot be pickled."""
    raise ReduceRaises("cannot travel")


def raise_load_raises() -> NoReturn:
    """Raise what cannot be loaded."""
    raise LoadRaises("cannot travel")


def raise_holds_lock() -> NoReturn:
    """Raise what holds a lock."""
    raise HoldsLock("cannot travel")


def raise_local_class() -> NoReturn:
    """Raise an instance of a class that only this call knows."""

    class Local(ValueError):
        pass

    raise Local("cannot travel")


def raise_unknown_class() -> NoReturn:
    """Raise an instance of a class whose module exists on this Worker only."""
    module = types.ModuleType("only_on_this_worker")
    exec("class Unknown(ValueError):\n    __module__ = 'only_on_this_worker'", vars(module))
    sys.modules["only_on_this_worker"] = module
    raise module.Unknown("cannot travel")


def raise_chained() -> NoReturn:
    """Raise with a cause of its own."""
    try:
        raise KeyError("the cause")
    except KeyError as error:
        raise ValueError("the effect") from error


def raise_group() -> NoReturn:
    """Raise an ExceptionGroup (Python 3.11)."""
    raise ExceptionGroup("several", [ValueError(1), TwoArguments(2, "no", hint="h")])  # noqa: F821


def exit_with(code: Any) -> NoReturn:
    """Call ``sys.exit``."""
    sys.exit(code)


def recurse_for_ever(number: int) -> int:
    """Recurse until Python stops it."""
    return recurse_for_ever(number + 1) + 1


def recurse(depth: int) -> int:
    """Raise `depth` frames down."""
    if depth == 0:
        raise ValueError("at the bottom")
    return recurse(depth - 1) + 1


def recurse_deeply(depth: int) -> int:
    """Raise through more frames than the usual limit allows."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 1000)
    try:
        return recurse(depth)
    finally:
        sys.setrecursionlimit(before)


def raise_long_text(size: int) -> NoReturn:
    """Raise an exception whose text is long."""
    raise ValueError("x" * size)


# -- arguments and results (A3 to A6, and the cases of loky's test suite) ----------------------------------------------


class Holder:
    """Holds something."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


def count_up() -> Generator[int, None, None]:
    """Return a generator, which cannot be pickled."""
    yield 1


def crash() -> None:
    """Read address 0."""
    ctypes.string_at(0)


def leave() -> NoReturn:
    """End by ``sys.exit``."""
    sys.exit(3)


def leave_at_once() -> NoReturn:
    """End without a word."""
    os._exit(3)


def leave_quietly() -> NoReturn:
    """End without a word and without a sign of failure."""
    os._exit(0)


def fail() -> NoReturn:
    """Raise."""
    raise RuntimeError("on purpose")


def abort() -> None:
    """Abort, as an assertion in C does."""
    os.abort()


def kill_self() -> None:
    """End by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


class AtPickle:
    """Does something when it is pickled."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def __reduce__(self) -> Any:
        self.act()
        return AtPickle, (self.act,)


class AtLoad:
    """Does something when it is loaded."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def __reduce__(self) -> Any:
        return load_and, (self.act,)


class AtLoadElsewhere:
    """Does something when it is loaded in another process than the one that made it."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def __reduce__(self) -> Any:
        return load_elsewhere_and, (os.getpid(), self.act)


def load_and(act: Callable[[], object]) -> str:
    """Do what AtLoad is for."""
    act()
    return "loaded"


def load_elsewhere_and(maker: int, act: Callable[[], object]) -> str:
    """Do what AtLoadElsewhere is for."""
    if os.getpid() != maker:
        act()
    return "loaded"


def returns(make: Callable[..., Any], *args: Any) -> Any:
    """Return what `make` makes."""
    return make(*args)


def make_lock() -> Any:
    """Return a lock inside other things."""
    return {"result": [Holder(lock=threading.Lock())]}


def changing() -> int:
    """Return a number; tests redefine this function."""
    return 0


# -- size (A11, A13) ---------------------------------------------------------------------------------------------------


def make_bytes(size: int) -> bytes:
    """Return many bytes."""
    return bytes([7]) * size


def hold_gil(seconds: float) -> float:
    """Let no other thread of this process run, as compiled code may."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
    return seconds


def negative(value: Any) -> Any:
    """Return a new array."""
    return -value


def length(value: Any) -> int:
    """Return the length."""
    return len(value)


def print_bytes(total: int, *, newlines: bool) -> int:
    """Write to the standard output, past Python's own buffer."""
    line = b"x" * 65535 + (b"\n" if newlines else b"y")
    for _ in range(total // len(line)):
        os.write(1, line)
    return total


def print_binary(total: int) -> int:
    """Write what is no text."""
    os.write(1, bytes(range(256)) * (total // 256))
    sys.stderr.buffer.write(b"\xff\xfe\n")
    return total


# -- what a Future leaves behind (A14) ---------------------------------------------------------------------------------


def ignore_signal(number: int, frame: Any) -> None:
    """Be a signal handler."""


def leave_changes(directory: str) -> int:
    """Change what belongs to the process."""
    os.chdir(directory)
    os.environ["FEDFUTURES_TEST_LEFT"] = "1"
    os.environ.pop("PATH", None)
    os.umask(0o777)
    signal.signal(signal.SIGUSR1, ignore_signal)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return os.getpid()


def close_descriptors() -> int:
    """Close all descriptors, in the two ways that programs do."""
    os.closerange(3, 256)
    for descriptor in range(3, 256):
        try:
            os.close(descriptor)
        except OSError:
            pass
    return os.getpid()


def open_and_close(times: int) -> int:
    """Open and close files, sockets and pipes by number; return how many were closed."""
    closed = 0
    for _ in range(times):
        read, write = os.pipe()
        opened = [os.open(os.devnull, os.O_RDONLY), socket.socket().detach(), read, write]
        for descriptor in opened[:3]:
            os.close(descriptor)
            closed += 1
        os.closerange(write, write + 1)
    return closed


def process_state() -> tuple[str, bool, bool, int, bool, bool]:
    """Say what Futures before may have changed."""
    umask = os.umask(0)
    os.umask(umask)
    return (
        os.getcwd(),
        "FEDFUTURES_TEST_LEFT" in os.environ,
        "PATH" in os.environ,
        umask,
        signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL,
        signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN,
    )


def leave_thread() -> int:
    """Leave a thread that never ends."""
    threading.Thread(target=time.sleep, args=(600,), daemon=False).start()
    return os.getpid()


def leave_child() -> tuple[int, int]:
    """Leave a child; return the Worker and it."""
    child = subprocess.Popen(["sleep", "600"])
    child.returncode = 0  # no ResourceWarning: it is left on purpose
    return os.getpid(), child.pid


def leave_daemon() -> tuple[int, int]:
    """Leave a grandchild in a session of its own; return the Worker and it."""
    read, write = os.pipe()
    first = os.fork()
    if first == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, os.getpid().to_bytes(8, "big"))
            for descriptor in (0, 1, 2):
                os.close(descriptor)
            time.sleep(600)
        os._exit(0)
    os.waitpid(first, 0)
    grandchild = int.from_bytes(os.read(read, 8), "big")
    os.close(read)
    os.close(write)
    return os.getpid(), grandchild


# -- Futures in Futures (A17, A18) -------------------------------------------------------------------------------------


def nest(depth: int) -> int:
    """Submit and wait, `depth` levels down."""
    if depth == 0:
        return 0
    return 1 + int(futures.submit(nest, depth - 1).result())


def nest_wide(depth: int, width: int) -> int:
    """Count the leaves of a tree of Futures."""
    if depth == 0:
        return 1
    children = [futures.submit(nest_wide, depth - 1, width) for _ in range(width)]
    return sum(child.result() for child in children)


def nest_in_executor(depth: int) -> int:
    """Nest by an Executor in a Future, which joins the Federation."""
    if depth == 0:
        return 0
    with fedfutures.Executor(max_workers=2) as executor:
        return 1 + int(executor.submit(nest_in_executor, depth - 1).result())


def note(path: str, text: str) -> None:
    """Append a line, at once."""
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


def noted(path: str) -> list[str]:
    """Return the lines."""
    try:
        with open(path) as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def child_of(path: str, attempt: int, number: int) -> int:
    """Say that it runs, and for which attempt of its parent."""
    note(path, f"child:{attempt}:{os.getpid()}")
    time.sleep(0.02)
    return attempt * 100 + number


def parent_that_dies(path: str) -> list[int]:
    """Die at the first attempt, while a child runs on another Worker and others wait."""
    attempt = 1 + sum(line.startswith("parent") for line in noted(path))
    note(path, f"parent:{attempt}:{os.getpid()}")
    children = [futures.submit(child_of, path, attempt, number) for number in range(8)]
    if attempt == 1:
        deadline = time.monotonic() + 5
        while not any(line.startswith("child") for line in noted(path)) and time.monotonic() < deadline:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL)
    return [child.result() for child in children]


# -- the end of Workers (C1, C2, C8) -----------------------------------------------------------------------------------


def die_by(act: Callable[[], object], path: str) -> object:
    """Say who dies, then do."""
    note(path, str(os.getpid()))
    return act()


def die_once(act: Callable[[], object], path: str) -> str:
    """Die at the first attempt only."""
    first = not noted(path)
    note(path, str(os.getpid()))
    if first:
        act()
    return "ran"


def parts_then_die(path: str, number: int) -> int:
    """Be an item of a map of which one is poison."""
    if number == 7:
        note(path, str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


class CrashesWhenPickledThere(Exception):
    """An exception that can be pickled where it was made, and nowhere else."""

    def __init__(self, maker: int) -> None:
        super().__init__(maker)

    def __reduce__(self) -> Any:
        if os.getpid() != self.args[0]:
            crash()
        return CrashesWhenPickledThere, self.args


def crash_when_pickled_there() -> BaseException:
    """Return an exception that crashes the Worker that sends it."""
    return CrashesWhenPickledThere(os.getpid())


def submit_poison(path: str) -> tuple[str, int]:
    """Submit what kills its Worker; return what became of it."""
    # Not waited for at once: that would run it here, and this Future would be the one to blame. So would a Worker do
    # whose own Futures nobody fetches for long, since all others are busy: an urgent one does not wait for that.
    future = futures.options(priority=1).submit(die_by, kill_self, path)
    deadline = time.monotonic() + 10
    while not future.done() and time.monotonic() < deadline:
        time.sleep(0.005)
    error: Any = future.exception(timeout=1)
    return type(error).__name__, error.attempts


def large(number: int, seconds: float) -> numpy.ndarray[Any, Any]:
    """Return 2 MiB full of a number, after a while."""
    time.sleep(seconds)
    return numpy.full(1 << 18, float(number))


def twice_large(value: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """Return a large value that is twice another one."""
    return value * 2


def die_with_large(how: str, path: str) -> int:
    """Have a Future of a large value run elsewhere, and die: with its result, or too early for that."""
    if not os.path.exists(path):
        argument = large(3, 0.0)
        future = futures.submit(large, 4, 0.3) if how == "late" else futures.submit(twice_large, argument)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not (future.running() if how == "late" else future.done()):
            time.sleep(0.001)
        with open(path, "x"):
            os.kill(os.getpid(), signal.SIGKILL)
    return 7
