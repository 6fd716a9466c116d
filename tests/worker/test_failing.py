"""What is said of a call that has failed: which one, on which Worker, and what is different there."""

from __future__ import annotations

import getpass
import io
import os
import sys
from bdb import BdbQuit
from typing import Any

import pytest

from fedfutures.wire.failures import Where
from fedfutures.wire.functions import FunctionCache
from fedfutures.wire.payload import Payloads
from fedfutures.worker import current, failing
from fedfutures.worker.context import Packed
from fedfutures.worker.failing import advice, note, where
from fedfutures.worker.slices import Slice


def work(number: int, factor: int = 1) -> int:
    return number * factor


@pytest.fixture
def on_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"is_origin": False, "name": "h.2", "host": "h", "shares_files": False}.items():
        monkeypatch.setattr(current, name, value)


def raised(function: Any, *args: Any) -> BaseException:
    with pytest.raises(BaseException) as caught:
        function(*args)
    return caught.value


def test_a_serial_call_names_no_worker_and_gets_no_advice() -> None:
    found = where(EOFError("EOF when reading a line"), work, (3,), {"factor": 2})
    assert found[0] == "work(number=3, factor=2)"
    assert found == Where("work(number=3, factor=2)")


@pytest.mark.usefixtures("on_worker")
def test_a_call_on_a_worker_names_it() -> None:
    assert where(ValueError(), work, (3,), {})[:2] == ("work(number=3)", "h.2")
    assert where(ValueError(), None, None, name="lost")[0].startswith("lost")


@pytest.mark.usefixtures("on_worker")
def test_a_missing_file_is_told_of_with_host_directory_and_how_it_comes_here() -> None:
    [said] = advice(raised(open, "/not/here/ab.csv"))
    assert said.startswith(f"on host h, in {os.getcwd()}; ")
    assert "fedfutures.shared.file('/not/here/ab.csv')" in said


def test_where_hosts_share_files_none_is_to_be_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "host", "h")
    assert advice(raised(open, "/not/here/ab.csv")) == (f"on host h, in {os.getcwd()}",)


def test_a_forbidden_file_is_told_of_with_the_user() -> None:
    [said] = advice(PermissionError(13, "Permission denied", "/root/x"))
    assert said.endswith(f", as user {os.geteuid()}")


@pytest.mark.parametrize(
    ("error", "about"),
    [(EOFError("EOF when reading a line"), "no terminal"), (BdbQuit(), "mode='serial'"), (EOFError("Ran out"), ""),
     (OSError("no file"), ""), (ValueError(), "")],
)  # fmt: skip
def test_advice_is_given_where_a_worker_differs_and_only_there(error: BaseException, about: str) -> None:
    lines = advice(error)
    assert (about in lines[0] and len(lines) == 1) if about else lines == ()


def test_the_password_prompt_finds_no_terminal_whatever_its_error_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.warns(getpass.GetPassWarning):
        error = raised(getpass.fallback_getpass, "", io.StringIO())
    assert str(error) == ""
    assert "no terminal" in advice(error)[0]


def notes_of(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", []))


@pytest.mark.usefixtures("on_worker")
def test_a_note_names_the_call_also_of_one_that_came_back_but_not_of_a_slice() -> None:
    payloads = Payloads()
    definition = FunctionCache(payloads).define(work)
    plain, packed, of_slice = ValueError(), ValueError(), ValueError()
    note(plain, work, (3,), {})
    note(packed, Packed(payloads, definition, b""), (), {})
    note(of_slice, Slice(work), ([3],), {})
    assert "work(number=3)" in notes_of(plain)
    assert "work" in notes_of(packed)
    assert "Packed" not in notes_of(packed)
    assert notes_of(of_slice) == ""


def test_breakpoint_says_what_to_do_but_a_chosen_debugger_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    def plain(*args: Any) -> None:
        called.extend(args)

    monkeypatch.setattr(sys, "__breakpointhook__", plain)
    monkeypatch.setattr(sys, "breakpointhook", plain)
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    failing.replace_breakpoint()
    with pytest.raises(RuntimeError, match="serial"):
        sys.breakpointhook(1)
    monkeypatch.setenv("PYTHONBREAKPOINT", "mine.set_trace")
    sys.breakpointhook(2)
    assert called == [2]
    monkeypatch.setattr(sys, "breakpointhook", chosen := called.append)
    failing.replace_breakpoint()
    assert sys.breakpointhook is chosen
