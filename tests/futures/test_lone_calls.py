"""Lone calls go over a lane to a Worker that is lent: nothing but their speed is another."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import launch, python, write

pytestmark = pytest.mark.host

PROGRAM = """
    import os, signal, threading, time
    import fedfutures
    from fedfutures import Executor, futures, shared
    from fedfutures.errors import PoisonedFuture

    VERSION = 0

    def pid(x):
        return os.getpid()

    def version():
        return VERSION, shared.get("constant", None)

    def inc(x):
        return x + 1

    def grow(size):
        return b"x" * size

    def fail(x):
        raise ValueError(x)

    def nested(x):
        return futures.submit(inc, futures.submit(inc, x).result()).result()

    def die(path):
        with open(path, "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    def dies_once(path):
        if not os.path.exists(path):
            die(path)
        return "alive"

    def run_on(path):
        open(path, "w").close()
        time.sleep(600)

    def warm(submit):
        for number in range(50):
            assert submit(inc, number).result() == number + 1

    def is_lent(submit):
        "Whether a lone call goes over a lane: what is asked while it runs says so."
        future = submit(time.sleep, 0.3)
        found = "lent for lone calls" in fedfutures.explain(future)
        future.result()
        return found

    def main(submit, mapped):
        global VERSION
        warm(submit)
        print("lent:", is_lent(submit))
        warm(submit)
        for VERSION in range(100):
            if VERSION % 10 == 0:
                shared.set(constant=VERSION)
            assert submit(version).result() == (VERSION, VERSION - VERSION % 10)
        print("as the program is")
        for size in (10, 70_000, 250_000, 300_000, 3_000_000):
            warm(submit)
            assert submit(grow, size).result() == b"x" * size
            assert submit(len, b"y" * size).result() == size
        print("any size")
        for number in range(20):
            assert submit(nested, number).result() == number + 2
            try:
                submit(fail, number).result()
            except ValueError as error:
                assert error.args == (number,)
        print("errors and nested ones")
        warm(submit)
        try:
            submit(die, "deaths").result()
        except PoisonedFuture:
            print("tried", len(open("deaths").read()), "times")
        warm(submit)
        print(submit(dies_once, "death").result())
        warm(submit)
        future = submit(run_on, "runs")
        while not os.path.exists("runs"):
            time.sleep(0.01)
        print("ended:", future.cancel(running=True), future.cancelled())
        warm(submit)
        threads = [threading.Thread(target=warm, args=(submit,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(mapped(inc, range(100))) == list(range(1, 101))
        print("many threads, and a map")
        lent = submit(pid, 0).result()
        warm(submit)
        os.kill(lent, signal.SIGSTOP)
        for number in range(5):
            assert submit(inc, number).result(timeout=60) == number + 1
        os.kill(lent, signal.SIGCONT)
        print("one is stopped")

    if __name__ == "__main__":
        if fedfutures.IS_RUNNING:
            main(futures.submit, futures.map)
        else:
            with Executor(2) as executor:
                main(executor.submit, executor.map)
"""


PRINTS = """\
lent: True
as the program is
any size
errors and nested ones
tried 3 times
alive
ended: True True
many threads, and a map
one is stopped
"""


@pytest.mark.parametrize("way", ["executor", "launched", "without looking"])
def test_a_program(way: str, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    env = {"FEDFUTURES_SPIN": "0"} if way == "without looking" else {}
    if way == "launched":
        ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    else:
        ended = python("prog.py", cwd=tmp_path, env=env)
    assert (ended.code, ended.out) == (0, PRINTS), ended.out + ended.err
