"""What Workers print: whole lines, within bounds, and a word about what was left out; then as the program shows it."""

from __future__ import annotations

import contextlib
import io

from hypothesis import given
from hypothesis import strategies as st

from fedfutures.futures.printing import Printer
from fedfutures.host import output
from fedfutures.host.blackbox import HALF, SENT, BlackBox
from fedfutures.host.output import Lines


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
    assert (lines.late(1.0), lines.deadline()) == (b"", 1.0 + output.PARTIAL_SECONDS)
    assert lines.feed(b"|", 1.05) == b""
    assert lines.late(1.0 + output.PARTIAL_SECONDS) == b" 30%|"
    assert lines.deadline() is None
    assert lines.feed(b" done\n", 2.0) == b" done\n"
    assert lines.close() == b""


def test_a_stream_that_is_read_too_often_rests() -> None:
    lines = Lines(0.0)
    rests = [lines.feed(b"line\n", 0.0) and lines.rests_until for _ in range(output.READS_AT_ONCE + 1)]
    assert rests == [None] * output.READS_AT_ONCE + [output.REST_SECONDS]
    assert lines.deadline() == output.REST_SECONDS
    lines.feed(b"x" * output.FULL_BYTES, 0.0)
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
    assert lines.feed(b"a" * output.LINE_AT_MOST_BYTES, 0.0) == b""
    cut = lines.feed(b"\nb" + b"c" * output.LINE_AT_MOST_BYTES, 0.0)
    assert cut == b"a" * output.LINE_AT_MOST_BYTES + b"\nb" + b"c" * output.LINE_AT_MOST_BYTES + b"\n"
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
    assert lines.feed(b"x" * (output.BURST_BYTES + 1), 0.0) == b""
    assert lines.feed(b"rest\nnext", 9.0) == b"begun\n[... 16777217 bytes of output left out ...]\nrest\n"
    assert lines.close() == b"next\n"


def test_what_was_left_out_last_is_said_at_the_end() -> None:
    lines = Lines(0.0)
    lines.feed(b"begun", 0.0)
    lines.feed(b"x" * (output.BURST_BYTES + 1), 0.0)
    assert lines.close() == b"begun\n[... 16777217 bytes of output left out ...]\n"
    assert lines.close() == b""


def test_a_quiet_stream_saves_up_one_burst_and_no_more() -> None:
    lines = Lines(0.0)
    assert lines.feed(b"x" * output.BURST_BYTES + b"\n", 1000.0) == b""
    assert lines.feed(b"\n", 1000.0).endswith(b"left out ...]\n\n")


# -- in the program ----------------------------------------------------------------------------------------------------


def shown(*chunks: tuple[str, bytes], prefix: bool = True, encoding: str = "utf-8") -> str:
    """Return what is on standard output after these chunks of Workers."""
    raw = io.BytesIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(raw, encoding, newline="")) as kept:
        printer = Printer(prefix)
        for worker, data in chunks:
            printer.show(worker, 1, data)
    assert not kept.closed
    return raw.getvalue().decode(encoding)


def test_each_line_has_its_worker_in_front() -> None:
    assert shown(("a.1", b"one\ntwo\n"), ("a.2", b"three\n")) == "[a.1] one\n[a.1] two\n[a.2] three\n"
    assert shown(("a.1", b"one\ntwo\n"), ("a.2", b"three\n"), prefix=False) == "one\ntwo\nthree\n"


def test_a_line_is_ended_once() -> None:
    cut = ("a.1", b"begun "), ("a.2", b"other ")
    assert shown(*cut, ("a.1", b"\n"), ("a.2", b"\n")) == "[a.1] begun \n[a.2] other \n"
    assert shown(*cut, ("a.1", b"\nnext\n")) == "[a.1] begun \n[a.2] other \n[a.1] next\n"
    assert shown(*cut, ("a.1", b"\n"), ("a.1", b"\n")) == "[a.1] begun \n[a.2] other \n[a.1] \n"  # an empty line


def test_only_a_newline_and_a_return_begin_a_line() -> None:
    text = "a\x0bb\x0cc\x1cd\u2028e\x85f\n"
    assert shown(("a.1", text.encode())) == f"[a.1] {text}"
    assert shown(("a.1", b"one\r\ntwo\r\n")) == "[a.1] one\r\n[a.1] two\r\n"
    assert shown(("a.1", b"one\r"), ("a.1", b"\ntwo\n")) == "[a.1] one\r\n[a.1] two\n"


def test_a_line_that_comes_in_parts() -> None:
    assert shown(("a.1", b"one"), ("a.1", b" more\n"), ("a.1", b"two\n")) == "[a.1] one more\n[a.1] two\n"
    assert shown(("a.1", b"one"), ("a.2", b"two\n"), ("a.1", b" more\n")) == "[a.1] one\n[a.2] two\n[a.1]  more\n"
    assert shown(("a.1", b"1%\r"), ("a.1", b"2%\r"), ("a.1", b"3%\n")) == "[a.1] 1%\r[a.1] 2%\r[a.1] 3%\n"
    assert shown(("a.1", b"caf\xc3"), ("a.1", b"\xa9\n")) == "[a.1] café\n"


def test_what_the_program_cannot_show_is_not_left_out() -> None:
    assert shown(("a.1", "café ∑\n".encode()), encoding="ascii") == "[a.1] caf\\xe9 \\u2211\n"
    assert shown(("a.1", "café ∑\n".encode()), encoding="latin-1") == "[a.1] café \\u2211\n"
    assert shown(("a.1", b"\xff\n")) == "[a.1] \\xff\n"


def test_a_stream_that_is_closed() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as closed:
        closed.close()
        Printer(True).show("a.1", 1, b"line\n")
    with contextlib.redirect_stderr(None):
        Printer(True).show("a.1", 2, b"line\n")


def test_what_was_printed_and_not_written_comes_once() -> None:
    """The Worker has died while the older half was being written: the host process knows how far that had come."""
    box = BlackBox()
    older, newer = box.halves
    box.cells[HALF], box.cells[SENT] = 1, 7
    older.write(b"one\ntwo\none\n")
    newer.write(b"three\n")
    assert box.spooled(7, b"before\n") == b"one\ntwo\none\nthree\n"
    assert box.spooled(11, b"before\none\n") == b"two\none\nthree\n"
    assert box.spooled(19, b"before\none\ntwo\none\n") == b"three\n"
    assert box.spooled(99, b"of another process\n") == b"one\ntwo\none\nthree\n"
    assert box.spooled(7, b"one\n") == b"one\ntwo\none\nthree\n"  # an earlier line of the same text
    box.close()
