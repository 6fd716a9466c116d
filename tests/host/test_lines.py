"""What Workers print: whole lines, all of them, at a bounded pace."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from fedfutures.host import lines as bounds
from fedfutures.host.lines import Lines


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"\n", b"a\nb", b"line\n", b"bar\r"])), st.booleans())
def test_every_byte_comes_out_once_in_whole_lines(chunks: list[bytes], slowly: bool) -> None:
    lines, passed, now = Lines(0.0), [], 0.0
    for chunk in chunks:
        passed.append(lines.feed(chunk, now))
        assert not passed[-1] or passed[-1].endswith((b"\n", b"\r"))
        if slowly:
            now += 1.0
            passed.append(lines.late(now))
            assert lines.late(now) == b""
    text = b"".join(chunks)
    rest = lines.close()
    assert b"".join(passed) + rest == text + (b"\n" if text and not text.endswith((b"\n", b"\r")) else b"")
    assert lines.close() == b""


def test_a_bar_moves() -> None:
    lines = Lines(0.0)
    assert lines.feed(b"10%\r20%\r", 0.0) == b"10%\r20%\r"
    assert lines.feed(b"\r 30%", 1.0) == b"\r"
    assert (lines.late(1.0), lines.deadline()) == (b"", 1.0 + bounds.PARTIAL_SECONDS)
    assert lines.feed(b"|", 1.05) == b""
    assert lines.late(1.0 + bounds.PARTIAL_SECONDS) == b" 30%|"
    assert lines.deadline() is None
    assert lines.feed(b" done\n", 2.0) == b" done\n"
    assert lines.close() == b""


def test_a_stream_that_is_read_too_often_rests() -> None:
    lines = Lines(0.0)
    rests = [lines.feed(b"line\n", 0.0) and lines.rests_until for _ in range(bounds.READS_AT_ONCE + 1)]
    assert rests == [None] * bounds.READS_AT_ONCE + [bounds.REST_SECONDS]
    assert lines.deadline() == bounds.REST_SECONDS
    lines.feed(b"x" * bounds.FULL_BYTES, 0.0)
    assert lines.rests_until is None  # its pipe is filling
    lines.feed(b"line\n", 1.0)
    assert lines.rests_until is None


def test_a_line_is_not_broken() -> None:
    lines = Lines(0.0)
    assert lines.feed(b"one\ntw", 0.0) == b"one\n"
    assert lines.feed(b"o", 0.0) == b""
    assert lines.feed(b"\nthr", 0.0) == b"two\n"
    assert lines.close() == b"thr\n"


def test_an_endless_line_is_cut() -> None:
    lines = Lines(0.0)
    assert lines.feed(b"a" * bounds.LINE_AT_MOST_BYTES, 0.0) == b""
    cut = lines.feed(b"\nb" + b"c" * bounds.LINE_AT_MOST_BYTES, 0.0)
    assert cut == b"a" * bounds.LINE_AT_MOST_BYTES + b"\nb" + b"c" * bounds.LINE_AT_MOST_BYTES + b"\n"
    assert lines.close() == b""


def test_nothing_is_left_out_of_a_flood_which_is_read_at_a_pace() -> None:
    lines = Lines(0.0)
    chunk = b"x" * (bounds.FULL_BYTES - 1) + b"\n"
    at_once = bounds.BURST_BYTES // len(chunk)
    for _ in range(at_once):
        assert lines.feed(chunk, 0.0) == chunk
        assert lines.rests_until is None
    assert lines.feed(chunk, 0.0) == chunk
    assert lines.rests_until == pytest.approx(bounds.REST_SECONDS + len(chunk) / bounds.RATE_BYTES_PER_SECOND)
    assert lines.has_rested(1.0)
    for _ in range(bounds.RATE_BYTES_PER_SECOND // 2 // len(chunk)):  # half of what a second allows
        assert lines.feed(chunk, 1.0) == chunk
    assert lines.rests_until is None


def test_a_line_is_not_cut_where_its_end_is_not_read_yet() -> None:
    lines = Lines(0.0)
    lines.feed(b"x" * bounds.BURST_BYTES + b"\nbegun", 0.0)
    assert lines.rests_until is not None
    assert lines.late(9.0) == b"", "it rests"
    assert lines.has_rested(9.0)
    lines.go_on(9.0)
    assert lines.late(9.0) == b""
    assert lines.late(9.0 + bounds.PARTIAL_SECONDS) == b"begun"


# -- in the program ----------------------------------------------------------------------------------------------------
