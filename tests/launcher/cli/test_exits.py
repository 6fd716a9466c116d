"""A ``SystemExit`` that came from a Future is named; the program's own is not."""

from __future__ import annotations

import sys

import pytest

from fedfutures.errors import RemoteTraceback
from fedfutures_launcher.cli.exits import origin_of, say_whose

TRACEBACK = 'Traceback:\n  File "a.py", line 3, in <lambda>\n  File "b c.py", line 4, in inner\nSystemExit: 2\n'


def from_future(text: str = TRACEBACK, *notes: object) -> SystemExit:
    end = SystemExit(2)
    end.__cause__ = RemoteTraceback(text)
    end.__notes__ = list(notes)  # type: ignore[assignment]
    return end


def test_an_exit_of_the_program_itself_has_no_origin(capsys: pytest.CaptureFixture[str]) -> None:
    own = SystemExit(2)
    own.__notes__ = ["in work(2)"]  # type: ignore[assignment]
    own.__cause__ = ValueError("in work(2)")
    assert origin_of(own) == ""
    say_whose(own)
    assert capsys.readouterr() == ("", "")


def test_a_note_names_the_call_and_else_the_outermost_frame_does() -> None:
    assert origin_of(from_future(TRACEBACK, 7, "seen twice", "in work(2), on vm.1", "in later()")) == "work(2), on vm.1"
    assert origin_of(from_future(TRACEBACK, "within work(2)")) == "<lambda>()"
    assert origin_of(from_future("SystemExit: 2\n")) == "a Future"


def test_the_call_that_ends_the_program_is_named_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say_whose(from_future(TRACEBACK, "in work(2)"))
    assert capsys.readouterr() == ("", "fedfutures: SystemExit from work(2) ends the program\n")


def test_a_program_without_standard_error_ends_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    say_whose(from_future())
