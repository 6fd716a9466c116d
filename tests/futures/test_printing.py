"""What Workers print, as the program shows it."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import NoReturn

import pytest

from fedfutures.futures.printing import Printer


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


class Gone(io.StringIO):
    """As a widget that was destroyed, or a log handler of the program."""

    def write(self, text: str) -> NoReturn:
        raise RuntimeError("the widget is gone")


def test_where_a_stream_of_the_program_raises_the_first_one_is_used_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "__stdout__", out)
    monkeypatch.setattr(sys, "__stderr__", err)
    printer = Printer(prefix=True)
    with contextlib.redirect_stdout(Gone()):
        printer.show("a.1", 1, b"one\n")
        printer.show("a.1", 1, b"two\n")
    assert out.getvalue() == "[a.1] one\n[a.1] two\n"
    assert err.getvalue().count("fedfutures: sys.stdout of the program raised RuntimeError: the widget is gone.") == 1


def test_a_stream_that_was_closed_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    first, closed = io.StringIO(), io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "__stdout__", first)
    with contextlib.redirect_stdout(closed):
        Printer(prefix=True).show("a.1", 1, b"one\n")
    assert first.getvalue() == ""
