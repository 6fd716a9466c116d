"""What Workers print: whole lines, within bounds, and a word about what was left out."""

from __future__ import annotations

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


def test_too_much_is_left_out_and_said() -> None:
    lines = Lines(0.0)
    chunk = b"x" * ((1 << 20) - 1) + b"\n"
    passed = [lines.feed(chunk, 0.0) for _ in range(20)]
    assert [bool(piece) for piece in passed] == [True] * 16 + [False] * 4
    assert lines.feed(b"again\n", 1.0) == b"[... 4194304 bytes of output left out ...]\nagain\n"
    assert lines.feed(b"and again\n", 1.0) == b"and again\n"


def test_a_line_that_was_begun_before_the_gap_ends_before_it() -> None:
    lines = Lines(0.0)
    lines.feed(b"begun", 0.0)
    assert lines.feed(b"x" * (bounds.BURST_BYTES + 1), 0.0) == b""
    assert lines.feed(b"rest\nnext", 9.0) == b"begun\n[... 16777217 bytes of output left out ...]\nrest\n"
    assert lines.close() == b"next\n"


def test_what_was_left_out_last_is_said_at_the_end() -> None:
    lines = Lines(0.0)
    lines.feed(b"begun", 0.0)
    lines.feed(b"x" * (bounds.BURST_BYTES + 1), 0.0)
    assert lines.close() == b"begun\n[... 16777217 bytes of output left out ...]\n"
    assert lines.close() == b""


def test_a_quiet_stream_saves_up_one_burst_and_no_more() -> None:
    lines = Lines(0.0)
    assert lines.feed(b"x" * bounds.BURST_BYTES + b"\n", 1000.0) == b""
    assert lines.feed(b"\n", 1000.0).endswith(b"left out ...]\n\n")


# -- in the program ----------------------------------------------------------------------------------------------------
