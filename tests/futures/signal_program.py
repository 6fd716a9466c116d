"""What a program sees of handlers that raise, submit and wait: each case prints its name and "right"."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import sys
import threading
import time
from signal import getsignal as getsignal_by_name, signal as signal_by_name
from typing import Any

from fedfutures import Executor, futures
from fedfutures.worker.future_fields import number_of

LATE_SECONDS = 5.0


class Late(Exception):
    """What the handler raises."""


def echo(value: Any) -> Any:
    """Return it."""
    return value


def late(*_: object) -> None:
    """Handle a time-out."""
    raise Late


class InTime:
    """Expects to be left by a time-out, soon."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        self.began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, kind: Any, *_: object) -> bool:
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert kind is Late, f"left by {kind}"
        assert time.monotonic() - self.began < self.seconds + LATE_SECONDS, time.monotonic() - self.began
        return True


class Slow:
    """Takes its time to be pickled."""

    def __reduce__(self) -> Any:
        time.sleep(60)
        return int, ()


def a_callback_is_interrupted(executor: Executor) -> None:
    called: list[int] = []
    future = executor.submit(time.sleep, 0.1)
    future.add_done_callback(lambda _: time.sleep(60))
    future.add_done_callback(lambda _: called.append(1))
    with InTime(0.4):
        future.result()
        time.sleep(60)
    assert called == [1]
    assert future.result() is None


def a_wait_is_interrupted(executor: Executor) -> None:
    future = executor.submit(time.sleep, 0.5)
    with InTime(0.1):
        future.result()
    with InTime(0.1):
        futures.wait([future])
    assert future.result() is None


def a_wait_while_another_thread_drives_is_interrupted(executor: Executor) -> None:
    future, other = executor.submit(time.sleep, 1), executor.submit(time.sleep, 1)
    thread = threading.Thread(target=other.result)
    thread.start()
    with InTime(0.2):
        future.result()
    thread.join()
    assert future.result() is None


def serialization_is_interrupted(executor: Executor) -> None:
    before = number_of(executor.submit(echo, 1))
    with InTime(0.2):
        executor.submit(echo, Slow())
    assert number_of(executor.submit(echo, 2)) == before + 1  # nothing was submitted in between


def the_input_of_a_map_is_interrupted(executor: Executor) -> None:
    def stream() -> Any:
        yield 1
        time.sleep(60)

    with InTime(0.2):
        list(executor.map(echo, stream()))


def a_map_is_left_when_an_interrupt_comes(executor: Executor) -> None:
    for milliseconds in range(1, 9):
        with InTime(0.001 * milliseconds):
            for _ in executor.map(time.sleep, [0.001, *[0.3] * 8]):
                break
            time.sleep(10)


def an_interrupt_comes_when_an_executor_is_forgotten(executor: Executor) -> None:
    forgotten = Executor(max_workers=1)
    future = forgotten.submit(time.sleep, 1)
    with InTime(0.5):
        del forgotten
        time.sleep(10)
    assert future.result(10) is None


def a_wait_for_futures_of_others_is_interrupted(executor: Executor) -> None:
    never: Any = concurrent.futures.Future()
    with InTime(0.1):
        futures.wait([executor.submit(echo, 1), never])
    with InTime(0.1):
        list(futures.as_completed([executor.submit(echo, 1), never]))


def the_submit_of_a_subclass_is_interrupted(executor: Executor) -> None:
    class Careful(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            time.sleep(60 if args == (5,) else 0)
            return super().submit(fn, *args, **kwargs)

    def stream() -> Any:
        yield 1
        time.sleep(60)

    with Careful(max_workers=1) as careful:
        with InTime(0.2):
            list(careful.map(echo, [5]))
        with InTime(0.1):
            careful.options(priority=1).submit(echo, 5)
        with InTime(0.1):
            list(careful.map(echo, stream()))
        assert list(careful.map(echo, [1, 2])) == [1, 2]


def a_wait_for_an_input_that_another_thread_reads_is_interrupted(executor: Executor) -> None:
    is_on = threading.Event()

    def stream() -> Any:
        yield 1
        if threading.current_thread() is not threading.main_thread():
            is_on.wait(60)
        yield 2

    joined = Executor(max_workers=1)
    results = joined.map(echo, stream(), buffersize=1)
    reader = threading.Thread(target=joined.shutdown)
    reader.start()
    time.sleep(0.2)
    with InTime(0.1):
        list(results)
    is_on.set()
    reader.join()


def others_do_not_see_the_wrappers(executor: Executor) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    assert signal_by_name(signal.SIGUSR1, late) is before is signal.SIG_DFL
    assert getsignal_by_name(signal.SIGUSR1) is signal.getsignal(signal.SIGUSR1) is late
    assert signal_by_name(signal.SIGUSR1, before) is late
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def asyncio_goes_on(executor: Executor) -> None:
    async def both() -> list[int]:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, lambda: None)
        calls = [loop.run_in_executor(executor, echo, value) for value in range(2)]
        os.kill(os.getpid(), signal.SIGUSR1)
        try:
            return await asyncio.gather(*calls)
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)

    assert asyncio.run(both()) == [0, 1]


def a_handler_submits_and_waits(executor: Executor) -> None:
    """Its timer begins before the Federation is there."""
    executor = Executor(max_workers=2)
    submitted: list[Any] = []
    results: list[Any] = []

    def tick(*_: object) -> None:
        value = len(submitted)
        submitted.append((future := executor.submit(echo, value), value))
        if value % 5 == 0:
            results.append(future.result())

    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    assert list(executor.map(echo, range(2000))) == list(range(2000))
    mine = [executor.submit(echo, value) for value in range(2000)]
    assert [future.result() for future in mine] == list(range(2000))
    while len(results) < 5:
        executor.submit(echo, 1).result()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, late)
    assert all(future.result() == value for future, value in submitted)
    executor.shutdown()


def the_start_is_interrupted(executor: Executor) -> None:
    for seconds in (0.02, 0.2):
        executor = Executor(max_workers=1)
        with InTime(seconds):
            while True:
                executor.submit(echo, 1).result()
        assert executor.submit(echo, 2).result() == 2
        executor.shutdown()


def the_shutdown_is_interrupted(executor: Executor) -> None:
    executor = Executor(max_workers=1)
    future = executor.submit(time.sleep, 1)
    assert executor.submit(echo, 1).cancel()  # the start is over
    with InTime(0.2):
        executor.shutdown()
    executor.shutdown()
    assert future.result() is None


CASES = (
    a_callback_is_interrupted, a_wait_is_interrupted, a_wait_while_another_thread_drives_is_interrupted,
    serialization_is_interrupted, the_input_of_a_map_is_interrupted, a_map_is_left_when_an_interrupt_comes,
    an_interrupt_comes_when_an_executor_is_forgotten,
    a_wait_for_futures_of_others_is_interrupted, the_submit_of_a_subclass_is_interrupted,
    a_wait_for_an_input_that_another_thread_reads_is_interrupted, others_do_not_see_the_wrappers, asyncio_goes_on,
    a_handler_submits_and_waits, the_start_is_interrupted, the_shutdown_is_interrupted,
)  # fmt: skip


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, late)
    with Executor(max_workers=2) as executor:
        executor.submit(echo, 0).result()
        for case in CASES:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                case(executor)
                print(case.__name__, "right", flush=True)
