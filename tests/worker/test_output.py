"""What Futures print is seen when it is printed, and not lost."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from launching import Running, launch, python, write

pytestmark = [pytest.mark.host, pytest.mark.once]

SLOW = """\
import sys, time
from fedfutures import Executor, futures
def slow():
    print("a line")
    print("an error", file=sys.stderr)
    sys.stderr.write("no newline")
    for i in range(3):
        print(f"{i}0%", end="\\r", flush=True)
        time.sleep(0.05)
    print("flushed", end="", flush=True)
    time.sleep(600)
if __name__ == "__main__":
    if "executor" in sys.argv:
        with Executor(1) as ex: ex.submit(slow).result()
    else:
        futures.submit(slow).result()
"""


@pytest.mark.parametrize("way", ["launched", "executor"])
def test_it_is_seen_while_the_future_runs(tmp_path: Path, way: str) -> None:
    program = write(tmp_path / "prog.py", SLOW)
    arguments = ["--no-prefix", "-n", "1", str(program)] if way == "launched" else [str(program), "executor"]
    running = Running(arguments, fedfutures=way == "launched")
    assert running.process.stdout is not None
    assert running.process.stderr is not None
    seen = {}
    for name, stream, wanted in (
        ("out", running.process.stdout, b"a line\n00%\r10%\r20%\rflushed"),
        ("err", running.process.stderr, b"an error\nno newline"),
    ):
        os.set_blocking(stream.fileno(), False)
        text, deadline = b"", time.monotonic() + 20
        while text != wanted and time.monotonic() < deadline:
            try:
                text += os.read(stream.fileno(), 1000)
            except BlockingIOError:
                time.sleep(0.01)
        seen[name] = text == wanted or text
    running.kill()
    running.process.communicate()
    assert seen == {"out": True, "err": True}


CRASHES = """\
import ctypes, os, signal, subprocess, sys
from fedfutures import errors, futures
def exits():
    print("before the exit"); print("error before the exit", file=sys.stderr)
    os._exit(3)
def is_killed():
    print("before the kill")
    os.kill(os.getpid(), signal.SIGKILL)
def fails_in_c():
    print("before the fault"); print("error before the fault", file=sys.stderr)
    ctypes.string_at(0)
def in_order():
    print("1 by print")
    os.write(1, b"2 by os.write\\n")
    subprocess.run(["echo", "3 by a command"])
    sys.stdout.buffer.write(b"4 by the buffer\\n")
    print("5 by print")
    libc = ctypes.CDLL(None)
    libc.puts(b"6 by C"); libc.fflush(None)
    print("7 without an end", end="")
def encoding():
    return sys.stdout.encoding, sys.stdout.errors
if __name__ == "__main__":
    for function in exits, is_killed, fails_in_c:
        print(type(futures.submit(function).exception()).__name__, flush=True)
    futures.submit(in_order).result()
    futures.submit(print, "8 caf\\xe9 \\udcff \\u2211").result()
"""


def test_nothing_is_lost_and_what_can_have_an_order_has_it(tmp_path: Path) -> None:
    program = write(tmp_path / "prog.py", CRASHES)
    ended = launch("-n", "1", "--no-prefix", str(program), env={"PYTHONIOENCODING": "ascii"})
    lines = ended.out.splitlines()
    for crash in "exit", "kill", "fault":
        assert lines.count(f"before the {crash}") == 3, ended
    assert ended.err.count("error before the exit") == ended.err.count("error before the fault") == 3
    assert lines.count("PoisonedFuture") == 3
    rest = [line for line in lines if line[0].isdigit()]
    assert [line[0] for line in rest[:7]] == list("1234567"), rest
    assert rest[6:] in ([r"7 without an end8 caf\xe9 \udcff \u2211"], ["7 without an end", r"8 caf\xe9 \udcff \u2211"])


def test_a_flood(tmp_path: Path) -> None:
    """Every line arrives, once, in the order of its Worker."""
    write(
        tmp_path / "prog.py",
        """\
        from fedfutures import futures
        def talk(n):
            for i in range(10_000):
                print(n, i)
        if __name__ == "__main__":
            list(futures.map(talk, range(4), chunksize=1))
        """,
    )
    ended = launch("-n", "2", "--no-prefix", "prog.py", cwd=tmp_path)
    for n in range(4):
        assert [line for line in ended.out.splitlines() if line[0] == str(n)] == [f"{n} {i}" for i in range(10_000)]


FLOODS = """\
import ctypes, os, signal, sys
from fedfutures import futures
LINES = 20_000
def flood(name, end):
    for i in range(LINES):
        print(name, i)
    end()
def killed(): os.kill(os.getpid(), signal.SIGKILL)
def exits(): os._exit(3)
def fails_in_c(): ctypes.string_at(0)
def flushes():
    print("flushed", LINES, flush=True)
    os.write(1, b"written by os\\n")
def forks():
    pid = os.fork()
    if not pid:
        for i in range(LINES):
            print("child", i)
        os.write(1, b"")
        sys.exit(0)
    os.waitpid(pid, 0)
def is_long():
    print("x" * 200_000 + "end")
if __name__ == "__main__":
    for end in killed, exits, fails_in_c:
        futures.submit(flood, end.__name__, end).exception()
    for end in flushes, forks, is_long:
        futures.submit(flood, end.__name__, end).result()
"""


def test_a_flood_before_a_crash(tmp_path: Path) -> None:
    """Then lines are written together; none is lost, none comes twice, and what can have an order has it."""
    program = write(tmp_path / "prog.py", FLOODS)
    ended = launch("-n", "1", "--no-prefix", str(program))
    lines = ended.out.splitlines()
    for crash in "killed", "exits", "fails_in_c":
        assert [line for line in lines if line.startswith(crash)] == [f"{crash} {i}" for i in range(20_000)] * 3
    for name in "flushes", "forks", "child", "is_long":
        assert [line for line in lines if line.startswith(name)] == [f"{name} {i}" for i in range(20_000)]
    assert lines[lines.index("flushed 20000") + 1] == "written by os"
    assert max(map(len, lines[lines.index("is_long 19999") :])) > 60_000
    assert ended.out.count("x") == 200_000 + sum(line.startswith("exits") for line in lines)


def test_unbuffered(tmp_path: Path) -> None:
    """``python -u`` has a Worker write what has no newline yet, too."""
    write(
        tmp_path / "prog.py",
        """\
        import os, sys
        from fedfutures import Executor, futures
        def crash():
            print("begun", end="")
            os._exit(1)
        if __name__ == "__main__":
            with Executor(1) as ex:
                ex.submit(crash).exception()
        """,
    )
    ended = python("prog.py", cwd=tmp_path, flags=["-u"])
    assert ended.out.count("begun") == 3, ended
