"""Work that nobody waits for: maps that nobody reads, the ends of a program, errors that nobody asks for."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

import pytest
import unread_program
from launching import Ended, launch, python, write

pytestmark = [pytest.mark.host, pytest.mark.once]

PROGRAM = str(Path(unread_program.__file__))
WITH_ONE_WORKER = (
    "iterators", "an_item_that_kills_its_worker", "in_the_background", "read_after_the_shutdown",
    "cancelled_by_the_shutdown", "maps_in_futures",
)  # fmt: skip
WITH_AN_EXECUTOR = (
    "sequences", "iterators", "an_input_that_submits", "two_executors_and_a_thread", "an_item_that_kills_its_worker",
    "shutdown_without_waiting", "read_after_the_shutdown", "left_after_the_first_result", "cancelled_by_the_shutdown",
    "an_input_without_end", "maps_in_futures", "futures_that_futures_do_not_wait_for",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _ends_in_time() -> None:
    """In place of the bound for tests in this process: programs have one of their own, and are killed then."""


def _all_right(ended: Ended, names: tuple[str, ...]) -> None:
    assert ended.out.splitlines() == [f"{name} right" for name in unread_program.CASES if name in names], ended.err
    assert ended.code == 0


def test_maps_with_two_workers() -> None:
    ended = launch("-n", "2", PROGRAM, "launched")
    _all_right(ended, tuple(unread_program.CASES))
    lines = [line for line in ended.err.splitlines() if not line.startswith("fedfutures: waiting for ")]
    assert len(lines) == 3
    assert lines[0].startswith("fedfutures: the input of map(slow) had not come to its end after 1,000,000 items")
    assert lines[1].startswith("fedfutures: these errors were raised, and nobody asked for them")
    assert lines[2].startswith("  unless_150: PoisonedFuture: ")


def test_maps_with_one_worker() -> None:
    _all_right(launch("-n", "1", PROGRAM, "launched", *WITH_ONE_WORKER), WITH_ONE_WORKER)


def test_maps_of_executors() -> None:
    _all_right(python(PROGRAM, "executor", *WITH_AN_EXECUTOR), WITH_AN_EXECUTOR)


# -- how a program ends ----------------------------------------------------------------------------------------------

HEAD = """
    import atexit, itertools, os, signal, sys, threading, time
    from concurrent.futures import ThreadPoolExecutor
    from fedfutures import Executor, futures

    def save(number):
        time.sleep(0.003)
        open(f"done-{number}", "w").close()
        return number

    def bad(number):
        raise ValueError(f"bad {number}")

    def numbers(most):
        yield from range(most)

    def failing():
        yield from range(20)
        raise LookupError("no more")

    def submit(first, last):
        for number in range(first, last):
            futures.submit(save, number)

    def chain(future):
        if future.result() < 30:
            futures.submit(save, future.result() + 1).add_done_callback(chain)

    def parent(first):
        for number in range(first, first + 50):
            futures.submit(save, number)

    def main():
        submit(0, 100)
        futures.map(save, numbers(50))
        return 0

    if __name__ == "__main__":
"""


def _run(body: str, place: Path, how: str = "launched") -> tuple[Ended, int]:
    write(place / "prog.py", textwrap.dedent(HEAD) + textwrap.indent(textwrap.dedent(body).strip("\n"), "    "))
    ended = launch("-n", "2", "prog.py", cwd=place) if how == "launched" else python("prog.py", cwd=place)
    return ended, len(list(place.glob("done-*")))


NORMAL = {
    "exit code 0": ("sys.exit(main())", 100),
    "exit code None": ("main()\nraise SystemExit", 100),
    "exit code 0 of a nested function": ("(lambda: (lambda: (main(), exit(0)))())()", 100),
    "an iterator that is held": ("held = futures.map(save, numbers(120))", 120),
    "threads": (
        """
        def late():
            time.sleep(0.2)
            submit(0, 50)
            futures.map(save, numbers(100))
        threading.Thread(target=late).start()
        ThreadPoolExecutor(1).submit(submit, 100, 150)
        """,
        150,
    ),
    "callbacks": ("futures.submit(save, 0).add_done_callback(chain)", 31),
    "atexit": ("atexit.register(submit, 0, 50)\natexit.register(lambda: futures.map(save, numbers(80)))", 80),
    "Futures of Futures": ("for number in range(0, 200, 50): futures.submit(parent, number)", 200),
    "shutdown": ("futures.map(save, numbers(90))\nfutures.shutdown()\nassert os.path.exists('done-89')", 90),
    "shutdown without waiting": ("futures.map(save, numbers(90))\nfutures.shutdown(wait=False)", 90),
    "an Executor that nobody shut down": (
        "e = Executor(2)\nfor n in range(50): e.submit(save, n)\ne.map(save, numbers(90))", 90
    ),
    "a shared iterator": ("it = iter(range(90))\nfutures.map(save, it, timeout=20)", 90),
}  # fmt: skip


@pytest.mark.parametrize("name", NORMAL)
def test_a_normal_end_waits_for_all(name: str, tmp_path: Path) -> None:
    body, expected = NORMAL[name]
    ended, count = _run(body, tmp_path)
    assert (ended.code, ended.err, count) == (0, "", expected)


def test_an_executor_of_a_plain_program_that_nobody_shut_down(tmp_path: Path) -> None:
    ended, count = _run(NORMAL["an Executor that nobody shut down"][0], tmp_path, "plain")
    assert (ended.code, ended.err, count) == (0, "", 90)


def test_a_plain_program_runs_unread_maps_serially(tmp_path: Path) -> None:
    ended, count = _run("futures.map(save, numbers(80))\nsys.exit(0)", tmp_path, "plain")
    assert (ended.code, count) == (0, 80)


ABRUPT = {
    "submit(0, 300)\nsys.exit(3)": (3, "fedfutures: the program exited with code 3: 300 Futures were cut off"),
    "submit(0, 300)\nsys.exit('no input')": (
        1, "fedfutures: the program exited with code 1: 300 Futures were cut off\nno input"
    ),
    "it = futures.map(save, range(9999))\nsys.exit(2)": (
        2, "fedfutures: the program exited with code 2: the rest of map(save) was cut off"
    ),
    "submit(0, 300)\nit = futures.map(save, range(9999))\n1 / 0": (
        1, "fedfutures: the program failed: 300 Futures and the rest of map(save) were cut off"
    ),
    "submit(0, 300)\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)": (
        -signal.SIGINT, "fedfutures: the program was interrupted: 300 Futures were cut off"
    ),
}  # fmt: skip


@pytest.mark.parametrize("body", ABRUPT)
def test_another_end_says_what_it_cuts_off(body: str, tmp_path: Path) -> None:
    code, said = ABRUPT[body]
    body = "time.sleep = lambda seconds, sleep=time.sleep: sleep(max(seconds, 0.05))\n" + body
    ended, count = _run(body, tmp_path)
    assert ended.code == code
    assert ended.err.endswith(said + "\n")
    assert count < 300


def test_an_interrupt_of_a_plain_program_ends_its_executor(tmp_path: Path) -> None:
    body = """
    with Executor(2) as executor:
        for number in range(2000): executor.submit(save, number)
        executor.submit(abs, 1).result
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(9)
    """
    ended, count = _run(body, tmp_path, "plain")
    assert ended.code == -signal.SIGINT
    assert "fedfutures: the program was interrupted: " in ended.err
    assert count < 2000


def test_an_input_that_is_left_has_no_say(tmp_path: Path) -> None:
    """Endless ones too: what the program has read is what it wanted."""
    body = """
    held = futures.map(save, itertools.count(), buffersize=40)
    print(next(held), next(held))
    for value in futures.map(abs, itertools.count()):
        sys.exit(0)
    """
    ended, count = _run(body, tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "0 1\n", "")
    assert count <= 42


def test_a_daemon_that_submits_for_ever_ends_with_the_program(tmp_path: Path) -> None:
    body = """
    def again():
        try:
            while True:
                futures.submit(save, 1)
                time.sleep(0.002)
        except RuntimeError as error:
            print(error, flush=True)
    threading.Thread(target=again, daemon=True).start()
    time.sleep(0.2)
    submit(100, 150)
    """
    ended, count = _run(body, tmp_path)
    assert (ended.code, ended.err, count) == (0, "", 51)
    assert "after the end of the program" in ended.out


# -- errors that nobody asks for -------------------------------------------------------------------------------------

SAID = "fedfutures: these errors were raised, and nobody asked for them by result() or exception():"


def test_errors_that_nobody_asked_for_are_said_at_the_end(tmp_path: Path) -> None:
    body = """
    for number in range(20): futures.submit(bad, number % 7)
    held = futures.submit(bad, 7)
    with futures.group("g") as group: group.submit(bad, 8)
    print("last")
    """
    ended, _ = _run(body, tmp_path)
    lines = ended.err.splitlines()
    assert (ended.code, ended.out, lines[0], len(lines)) == (0, "last\n", SAID, 7)
    assert all(line.startswith("  bad: ValueError: bad ") for line in lines[1:6])
    told = sum(int(line.partition("(")[2].partition(" ")[0] or 1) for line in lines[1:6])
    assert lines[6] == f"  and {22 - told} more"


def test_errors_of_maps_that_nobody_read(tmp_path: Path) -> None:
    body = """
    futures.map(bad, range(3))
    held = futures.map(bad, numbers(2))
    futures.map(save, failing())
    locks = futures.map(save, [*range(20), threading.Lock()])
    """
    ended, count = _run(body, tmp_path)
    assert ended.err.startswith(SAID)
    lines = set(ended.err.splitlines()[1:])
    assert {"  bad: ValueError: bad 0 (2 times)", "  bad: ValueError: bad 2"} <= lines
    assert "  the input of map(save): LookupError: no more" in lines
    assert any(line.startswith("  save: PicklingError: save() is given args[0] (a _thread.lock)") for line in lines)
    assert (ended.code, count) == (0, 20)


ASKED = """
    import concurrent.futures as standard
    fs = [futures.submit(bad, number) for number in range(10)]
    {pause}
    fs[0].exception()
    try: fs[1].result()
    except ValueError: pass
    fs[2].add_done_callback(lambda future: None)
    futures.wait(fs[3:5])
    list(futures.as_completed(fs[5:6]))
    standard.wait(fs[6:7])
    list(standard.as_completed(fs[7:9]))
    futures.explain = __import__("fedfutures").explain(fs[9]) if {late} else fs[9].exception()
    list(futures.map(bad, range(3), return_exceptions=True))
    try: list(futures.map(bad, range(30)))
    except ValueError: pass
    del fs
"""


@pytest.mark.parametrize("late", [False, True])
def test_what_was_asked_for_is_not_said(late: bool, tmp_path: Path) -> None:
    ended, _ = _run(ASKED.format(pause="time.sleep(0.5)" if late else "pass", late=late), tmp_path)
    assert (ended.code, ended.err) == (0, "")


def test_an_executor_says_what_nobody_can_ask_for_any_more(tmp_path: Path) -> None:
    body = """
    with Executor(2) as executor:
        executor.submit(bad, 1)
        future, last = executor.submit(bad, 2), executor.submit(bad, 3)
    print("shut down", file=sys.stderr)
    try: future.result()
    except ValueError: print("caught", file=sys.stderr)
    """
    ended, _ = _run(body, tmp_path, "plain")
    assert ended.err.splitlines() == [
        SAID, "  bad: ValueError: bad 1", "shut down", "caught", SAID, "  bad: ValueError: bad 3",
    ]  # fmt: skip


def test_errors_in_futures_are_said_by_the_worker(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        from fedfutures import futures

        def bad(number):
            raise ValueError(f"bad {number}")

        def parent():
            futures.submit(bad, 1)
            futures.map(bad, iter([2]))
            try: futures.submit(bad, 3).result()
            except ValueError: return "caught"

        if __name__ == "__main__":
            print(futures.submit(parent).result())
        """,
    )
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "caught\n")
    assert "  bad: ValueError: bad 1" in ended.err
    assert "  bad: ValueError: bad 2" in ended.err
    assert "bad 3" not in ended.err


def test_maps_of_threads_of_a_future(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor
        from fedfutures import futures

        def save(number):
            with open("saved", "a") as file: file.write(f"{number}\\n")

        def pool():
            with ThreadPoolExecutor(2) as threads:
                threads.submit(lambda: (futures.map(save, range(40)), None)[1]).result()

        def to_thread():
            asyncio.run(asyncio.to_thread(lambda: (futures.map(save, range(40, 80)), None)[1]))

        if __name__ == "__main__":
            for function in pool, to_thread: futures.submit(function).result()
            print(sorted(map(int, open("saved"))) == list(range(80)))
        """,
    )
    ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "True\n", "")
