"""Tracebacks have the program's frames, those of a chain and a group too; ours only where there are no others."""

from __future__ import annotations

import pickle
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType
from typing import Any

import pytest

from fedfutures.wire.functions import FunctionCache
from fedfutures.wire.payload import Payloads
from fedfutures.wire.tracebacks import AdviceNote, CallNote, remove_our_frames, text_of
from fedfutures.worker.slices import Slice


def divide(number: int) -> float:
    return 1 / number


def raised_by(call: Callable[[], Any]) -> BaseException:
    with pytest.raises(Exception) as raised:
        call()
    return raised.value


def through_us() -> Any:
    """Our frames stand between two of the program's."""
    return Slice(divide).run_items(divide, ([0],), lambda error, place: through_us_again(error))


def through_us_again(error: BaseException) -> None:
    raise KeyError("second") from error


def test_our_frames_are_left_out_of_a_chain() -> None:
    text = text_of(raised_by(through_us))
    assert "in through_us\n" in text
    assert "in divide\n" in text
    assert "in through_us_again\n" in text
    assert "fedfutures/worker" not in text
    assert text.index("ZeroDivisionError: division by zero") < text.index("direct cause") < text.index("KeyError")


def test_the_executor_of_threads_is_left_out() -> None:
    def call() -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(divide, 0).result()

    text = text_of(raised_by(call))
    assert "concurrent/futures" not in text
    assert "in divide\n" in text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no groups of exceptions")
def test_groups() -> None:
    def call() -> None:
        raise ExceptionGroup("two", [raised_by(through_us), ValueError("other")])  # noqa: F821

    text = text_of(raised_by(call))
    assert "in divide\n" in text
    assert "fedfutures/worker" not in text


def test_where_only_we_are_the_innermost_frame_stays() -> None:
    """So that a bug of ours can be found."""
    error = raised_by(lambda: FunctionCache(Payloads()).wrap(Slice(divide), [None, lambda: 1]))  # type: ignore[list-item]
    frames = error.__traceback__
    while frames is not None and not frames.tb_frame.f_code.co_filename.endswith("functions.py"):
        frames = frames.tb_next
    text = text_of(error.with_traceback(frames))
    assert text.count('  File "') == 1
    assert "wire/functions.py" in text


def test_frames_of_an_exception_in_the_program() -> None:
    error = raised_by(through_us)
    remove_our_frames(error)
    assert isinstance(error.__cause__, ZeroDivisionError)
    for part in (error, error.__cause__):
        names = [frame.filename for frame in traceback.extract_tb(part.__traceback__)]
        assert names
        assert not any("fedfutures/worker" in name for name in names)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="each instruction belongs to a line")
def test_an_interrupt_at_an_instruction_that_belongs_to_no_line() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    code = interrupted.__code__
    no_line = bytes([0x80 | 15 << 3])  # of one code unit: Objects/locations.md in CPython
    table = no_line * (len(code.co_code) // 2)
    lineless = FunctionType(code.replace(co_linetable=table), {"__name__": "program"})
    with pytest.raises(KeyboardInterrupt) as found:
        lineless()
    remove_our_frames(found.value)
    assert "in interrupted" in "".join(traceback.format_exception(found.value))


@pytest.mark.parametrize("kind", [CallNote, AdviceNote])
def test_notes_are_plain_strings_elsewhere(kind: type[str]) -> None:
    assert type(pickle.loads(pickle.dumps(kind("in f()")))) is str
