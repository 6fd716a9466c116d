"""What captured calls print is theirs alone, and it is not lost however they end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fedfutures import Executor, Future, futures
from fedfutures.errors import PoisonedFuture, TaskTimeout
from fedfutures.host.capture_ring import RING_BYTES
from fedfutures.worker.capture import Capture

SECONDS = 20.0


def say(text: str) -> str:
    print("out", text)
    sys.stderr.write(f"err {text}")
    return text.upper()


def fail(text: str) -> None:
    say(text)
    raise ValueError(text)


def printed(future: Future[Any]) -> tuple[Any, Any]:
    return future.stdout, future.stderr


# -- pure ------------------------------------------------------------------------------------------------------------


def test_the_streams_are_as_before_and_bytes_count_too(capsys: pytest.CaptureFixture[str]) -> None:
    memories = [bytearray(RING_BYTES), bytearray(RING_BYTES)]
    capture, before = Capture(memories), (sys.stdout, sys.stderr)
    capture.begin(5, 7)
    print("text \udce9")
    sys.stdout.buffer.write(b"bytes \xff")
    assert (sys.stdout.fileno(), sys.stderr.fileno()) == (1, 2)
    assert b"bytes" in memories[0], "before the call has ended"
    found = capture.end()
    assert (sys.stdout, sys.stderr) == before
    assert found == ("text \\udce9\nbytes \ufffd", "")
    assert capsys.readouterr() == ("", "")


def test_without_a_federation_the_future_has_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    with Executor(mode="serial") as executor:
        captured = executor.options(capture=True)
        assert printed(captured.submit(say, "a")) == ("out a\n", "err a")
        failed = captured.submit(fail, "b")
        assert printed(failed) == ("out b\n", "err b")
        assert "out b" in str(failed.exception().__notes__)  # type: ignore[union-attr]
        assert printed(executor.submit(say, "c")) == (None, None)
    assert capsys.readouterr() == ("out c\n", "err c")


def test_only_a_flag_is_taken() -> None:
    with pytest.raises(TypeError, match="capture must be True or False, not 'yes'"):
        futures.options(capture="yes")  # type: ignore[arg-type]


# -- with Workers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(2) as made:
        yield made


@pytest.fixture
def captured(executor: Executor) -> Any:
    return executor.options(capture=True)


@pytest.mark.host
def test_a_value_and_an_error_have_what_was_printed(captured: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert printed(captured.submit(time.sleep, 0.5)) == (None, None), "it is not done"
    done, failed = captured.submit(say, "a"), captured.submit(fail, "b")
    assert done.result(SECONDS) == "A"
    assert printed(done) == ("out a\n", "err a")
    notes = str(failed.exception(SECONDS).__notes__)
    assert printed(failed) == ("out b\n", "err b")
    assert "in fail(text='b')" in notes
    assert "out b" in notes
    assert capfd.readouterr() == ("", "")


@pytest.mark.host
def test_items_of_a_map_say_it_in_a_note(executor: Executor) -> None:
    assert list(executor.map(say, "abc", capture=True)) == ["A", "B", "C"]
    found = list(executor.map(_fail_at_b, "abc", capture=True, return_exceptions=True))
    assert found[::2] == ["A", "C"]
    notes = "\n".join(found[1].__notes__)
    assert "item 1 of map" in notes
    assert "out b" in notes
    assert "out a" not in notes


def _fail_at_b(text: str) -> str:
    return fail(text) if text == "b" else say(text)  # type: ignore[return-value]


@pytest.mark.host
def test_of_one_that_ends_its_worker_or_is_too_late_it_is_not_lost(executor: Executor, captured: Any) -> None:
    crashed = captured.submit(_crash, "last words")
    late = executor.options(capture=True, time_limit=0.4).submit(_sleep, "begun")
    for future, kind, text in ((crashed, PoisonedFuture, "last words"), (late, TaskTimeout, "begun")):
        error = future.exception(SECONDS)
        assert isinstance(error, kind)
        assert printed(future) == (f"out {text}\n", f"err {text}")
        assert text in "\n".join(error.__notes__)  # type: ignore[attr-defined]


def _crash(text: str) -> None:
    say(text)
    os._exit(3)


def _sleep(text: str) -> None:
    say(text)
    time.sleep(SECONDS)


@pytest.mark.host
def test_what_others_print_never_gets_in(executor: Executor, captured: Any) -> None:
    """A captured Future that waits, with others in its Worker meanwhile, and captured ones inside it."""
    parents = [captured.submit(_parent, number) for number in range(4)]
    noise = [executor.submit(print, "noise") for _ in range(40)]
    for number, future in enumerate(parents):
        children = [(f"out {number}.{child}\n", f"err {number}.{child}") for child in range(3)]
        assert future.result(SECONDS) == children
        assert printed(future) == (f"begin {number}\nend {number}\n", "")
    assert all(printed(one) == (None, None) for one in noise)


def _parent(number: int) -> list[tuple[Any, Any]]:
    print("begin", number)
    mine = [futures.options(capture=True).submit(say, f"{number}.{child}") for child in range(3)]
    others = [futures.submit(print, "other") for _ in range(3)]
    futures.wait([*mine, *others])
    print("end", number)
    return [printed(future) for future in mine]


@pytest.mark.host
def test_threads_and_floods_and_large_values(captured: Any) -> None:
    future = captured.submit(_in_threads)
    assert sorted(future.result(SECONDS)) == list(range(10**5))
    assert sorted(future.stdout.split()) == ["a", "b", "c"]
    flood = captured.submit(_flood)
    flood.result(SECONDS)
    assert flood.stdout.startswith("[... ")
    assert flood.stdout.endswith("line 99999\n")
    assert len(flood.stdout) < (64 << 10) + 100


def _in_threads() -> list[int]:
    threads = [threading.Thread(target=print, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(range(10**5))


def _flood() -> None:
    for number in range(10**5):
        print("line", number)


@pytest.mark.host
def test_programs_that_it_starts_print_as_always(captured: Any, capfd: pytest.CaptureFixture[str]) -> None:
    future = captured.submit(_start)
    future.result(SECONDS)
    assert future.stdout == "before\n"
    deadline = time.monotonic() + SECONDS
    text = ""
    while "from below" not in text and time.monotonic() < deadline:
        text += capfd.readouterr().out
        time.sleep(0.01)
    assert "from below" in text


def _start() -> None:
    print("before")
    subprocess.run(["echo", "from below"], stdout=sys.stdout, check=True)
