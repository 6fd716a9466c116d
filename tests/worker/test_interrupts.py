"""SIGINT in Workers and in what their Futures start."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from launching import launch, python, write

pytestmark = pytest.mark.host

PROGRAM = """\
import _thread, os, signal, subprocess, sys, threading, time
from fedfutures import Executor, futures

def me(): return os.getpid()
def by_a_timer():
    threading.Timer(0.1, _thread.interrupt_main).start()
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end: time.sleep(0.001)
    except KeyboardInterrupt:
        return "interrupted"
def raised(): signal.raise_signal(signal.SIGINT)
def one_of(x):
    if x == 2: raised()
    return x
def of_a_child():
    try: futures.submit(raised).result()
    except KeyboardInterrupt: return "the child was interrupted"
def of_a_command():
    process = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); import time; time.sleep(20)"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    return process.wait(10) == -signal.SIGINT
def own_handler():
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    raised()
    return seen
def run(submit, map):
    def tell(*call):
        try: return submit(*call).result(20)
        except KeyboardInterrupt: return "KeyboardInterrupt"
    print(tell(by_a_timer), tell(raised), tell(of_a_child), tell(of_a_command), tell(own_handler), tell(raised))
    print([type(x).__name__ for x in map(one_of, range(4), return_exceptions=True)])
    worker = tell(me)
    sleeps = submit(time.sleep, 10)
    time.sleep(0.3)
    os.kill(worker, signal.SIGINT)
    try: sleeps.result(5)
    except KeyboardInterrupt: print("a call of C")
    for _ in range(20):
        os.kill(worker, signal.SIGINT)
        time.sleep(0.005)
    print([tell(abs, -1) for _ in range(3)], tell(me) == worker)
if __name__ == "__main__":
    if "executor" in sys.argv:
        with Executor(1) as ex: run(ex.submit, ex.map)
    else:
        run(futures.submit, futures.map)
"""
EXPECTED = """\
interrupted KeyboardInterrupt the child was interrupted True [1] KeyboardInterrupt
['int', 'int', 'KeyboardInterrupt', 'int']
a call of C
[1, 1, 1] True
"""


@pytest.mark.parametrize("way", ["launched", "executor"])
def test_a_future_is_interrupted(tmp_path: Path, way: str) -> None:
    program = write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "1", str(program)) if way == "launched" else python(str(program), "executor")
    assert (ended.out, ended.code, ended.err) == (EXPECTED, 0, ""), ended


def test_an_interrupt_in_a_finalizer_comes_after_it(tmp_path: Path) -> None:
    """Python ignores what is raised there, and prints it."""
    write(
        tmp_path / "prog.py",
        """\
        import signal, time, weakref
        from fedfutures import futures

        class Ends:
            def __del__(self): signal.raise_signal(signal.SIGINT)
        class Held: pass

        def ends():
            Ends()
            time.sleep(20)
            return "was not interrupted"

        def forgotten():
            held = Held()
            weakref.finalize(held, signal.raise_signal, signal.SIGINT)
            del held
            time.sleep(20)
            return "was not interrupted"

        if __name__ == "__main__":
            for function in ends, forgotten:
                try: print(futures.submit(function).result(10))
                except KeyboardInterrupt: print("interrupted")
        """,
    )
    ended = launch("-n", "1", str(tmp_path / "prog.py"))
    assert (ended.out, ended.code, ended.err) == ("interrupted\n" * 2, 0, "")


def test_a_storm_of_interrupts(tmp_path: Path) -> None:
    """Futures that are short, nested and submit: each has its value or was interrupted, and the Worker lives."""
    write(
        tmp_path / "prog.py",
        """\
        import os, signal, threading, time
        from fedfutures import futures
        def me(): return os.getpid()
        def deep(n): return futures.submit(deep, n - 1).result() if n else sum(futures.map(abs, range(5)))
        if __name__ == "__main__":
            worker, over, seen = futures.submit(me).result(), threading.Event(), {10: 0, KeyboardInterrupt: 0}
            def storm():
                while not over.wait(0.002): os.kill(worker, signal.SIGINT)
            thread = threading.Thread(target=storm)
            thread.start()
            begun = time.monotonic()
            while time.monotonic() < begun + 2:
                try: seen[futures.submit(deep, 3).result(20)] += 1
                except KeyboardInterrupt: seen[KeyboardInterrupt] += 1
            over.set()
            thread.join()
            print(seen[10] > 10, futures.submit(deep, 20).result(20), futures.submit(me).result() == worker)
        """,
    )
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    assert (ended.out, ended.code, ended.err) == ("True 10 True\n", 0, ""), ended


def test_a_run_that_nohup_started(tmp_path: Path) -> None:
    """What is ignored at the start stays ignored, in Workers and in what they start, as in any child of the program."""
    write(
        tmp_path / "prog.py",
        """\
        import os, signal, subprocess, sys
        from fedfutures import futures
        def ignored():
            return [signal.getsignal(number) == signal.SIG_IGN for number in (signal.SIGINT, signal.SIGHUP)]
        def below():
            code = "import signal; print([signal.getsignal(n) == signal.SIG_IGN for n in (2, 1)])"
            return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
        if __name__ == "__main__":
            print(futures.submit(ignored).result(), futures.submit(below).result(), sum(futures.map(abs, range(99))))
        """,
    )
    for before, ignored in (("trap '' INT HUP; ", True), ("", False)):
        command = f'{before}exec "$0" -m fedfutures -n 2 prog.py'
        ended = subprocess.run(
            ["/bin/sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert ended.stdout == f"{[ignored] * 2} {[ignored] * 2} 4851\n", ended


def test_tests_interrupt_what_they_start() -> None:
    """Whatever has started pytest: tests/conftest.py sees to it."""
    assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN
    assert signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
