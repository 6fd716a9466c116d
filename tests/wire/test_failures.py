"""Exceptions arrive as what they were: class, arguments, attributes, notes; and where they cannot, as the next best."""

from __future__ import annotations

import asyncio
import builtins
import copyreg
import decimal
import io
import json
import pickle
import socket
import subprocess
import sys
import threading
import traceback
import types
import urllib.error
import zipfile
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError
from pathlib import Path
from typing import Any

import pytest

from fedfutures import errors
from fedfutures.wire import failures
from fedfutures.wire.failures import dump_failure, load_failure
from fedfutures.wire.manifest import segments_of
from fedfutures.wire.payload import Payloads
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments


def raised(error: BaseException) -> BaseException:
    """The exception as it is when it has been raised and caught."""
    try:
        raise error
    except BaseException as caught:
        return caught


def travel(error: BaseException, payloads: Payloads | None = None) -> BaseException:
    payloads = payloads or Payloads()
    return load_failure(dump_failure(raised(error), payloads), payloads)


class TwoArguments(Exception):
    """Its ``args`` are not what its ``__init__`` takes."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class KeywordOnly(ValueError):
    """Cannot be made from ``args`` at all."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoArguments(Exception):
    """Leaves ``args`` to ``__new__``."""

    def __init__(self, path: str) -> None:
        self.path = path


class StrictNew(Exception):
    """Its ``__new__`` takes nothing."""

    def __new__(cls) -> StrictNew:
        return super().__new__(cls)

    def __init__(self) -> None:
        super().__init__("with", "arguments")


class OwnReduce(Exception):
    """Knows how it is pickled."""

    def __init__(self, number: int) -> None:
        super().__init__("text")
        self.number = number

    def __reduce__(self) -> Any:
        return type(self), (self.number,)


class Registered(Exception):
    """Pickled the way that copyreg says."""

    def __init__(self, number: int) -> None:
        super().__init__("text")
        self.number = number


copyreg.pickle(Registered, lambda error: (Registered, (error.number,)))


class OwnOSError(OSError):
    """Has more to say than errno."""

    def __init__(self, number: int, text: str, place: str) -> None:
        super().__init__(number, text)
        self.place = place


class Slotted(Exception):
    """Keeps an attribute outside its dictionary; it is lost, the rest is not."""

    __slots__ = ("extra",)


class Family(KeyError, AttributeError):
    """Two built-in bases."""


ZOO: list[Callable[[], BaseException]] = [
    lambda: Exception(),
    lambda: ValueError("text"),
    lambda: ValueError("text", 2, [3]),
    lambda: KeyError("key"),
    lambda: KeyError(("a", 1)),
    lambda: ZeroDivisionError("division by zero"),
    lambda: StopIteration(5),
    lambda: SystemExit(3),
    lambda: SystemExit("text"),
    lambda: KeyboardInterrupt(),
    lambda: GeneratorExit(),
    lambda: OSError(2, "No such file", "name"),
    lambda: FileNotFoundError(2, "No such file", "one", None, "two"),
    lambda: BlockingIOError(11, "later"),
    lambda: BlockingIOError(11, "later", 7),
    lambda: OSError("only text"),
    lambda: PermissionError(13, "denied"),
    lambda: ImportError("text", name="module", path="path"),
    lambda: ModuleNotFoundError("text", name="module"),
    lambda: NameError("text", name="x"),
    lambda: AttributeError("text", name="x"),
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "reason"),
    lambda: UnicodeEncodeError("ascii", "é", 0, 1, "reason"),
    lambda: SyntaxError("text", ("file", 1, 2, "line", 1, 5)),
    lambda: socket.gaierror(-2, "unknown"),
    lambda: TimeoutError("late"),
    lambda: asyncio.IncompleteReadError(b"abc", 5),
    lambda: CancelledError(),
    lambda: BrokenExecutor("text"),
    lambda: json.JSONDecodeError("bad", "doc", 1),
    lambda: decimal.InvalidOperation("text"),
    lambda: subprocess.CalledProcessError(3, ["false"], b"out", b"err"),
    lambda: subprocess.TimeoutExpired("sleep", 5.0),
    lambda: urllib.error.URLError("reason"),
    lambda: zipfile.BadZipFile("text"),
    lambda: pickle.PicklingError("text"),
    lambda: TwoArguments(3, "text"),
    lambda: KeywordOnly(reason="text"),
    lambda: NoArguments("path"),
    lambda: StrictNew(),
    lambda: OwnReduce(5),
    lambda: Registered(5),
    lambda: OwnOSError(5, "text", "here"),
    lambda: Slotted("text"),
    lambda: Family("key"),
    lambda: errors.PoisonedFuture("f", "host", "worker", "signal SIGSEGV", 3, "dump"),
    lambda: errors.FutureLost("f", "host", "worker", "exit code 1", 1),
    lambda: errors.RemoteException("text"),
    lambda: errors.NotSupportedHere("text"),
    lambda: UserWarning("text"),
]
if sys.version_info >= (3, 11):
    ZOO += [
        lambda: ExceptionGroup("several", [ValueError(1), TwoArguments(2, "x")]),  # noqa: F821
        lambda: BaseExceptionGroup("several", [KeyboardInterrupt()]),  # noqa: F821
    ]

NATIVE = [
    "errno", "strerror", "filename", "filename2", "code", "value", "name", "path", "encoding", "object", "reason",
    "start", "end", "msg", "lineno", "offset", "text", "returncode", "cmd", "output", "stderr", "timeout", "partial",
    "expected", "doc", "pos", "colno", "place", "number", "exceptions", "message",
]  # fmt: skip


def state(error: BaseException) -> dict[str, Any]:
    """All that people look at."""
    shown = {name: getattr(error, name) for name in NATIVE if hasattr(error, name)}
    if "exceptions" in shown:
        shown["exceptions"] = [state(inner) for inner in shown["exceptions"]]
    own = {name: value for name, value in vars(error).items() if name not in shown}
    return {"type": type(error), "args": repr(error.args), "str": str(error), **shown, **own}


@pytest.mark.parametrize("make", ZOO, ids=lambda make: type(make()).__name__)
def test_the_zoo(make: Callable[[], BaseException]) -> None:
    loaded = travel(make())
    assert state(loaded) == state(make())
    assert isinstance(loaded.__cause__, errors.RemoteTraceback)


def test_every_builtin_exception() -> None:
    kinds = [
        kind
        for kind in vars(builtins).values()
        if isinstance(kind, type) and issubclass(kind, BaseException) and kind.__module__ == "builtins"
    ]
    special = {"UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError"}
    for kind in kinds:
        if kind.__name__ not in special and not kind.__name__.endswith("Group"):
            assert state(travel(kind("text"))) == state(kind("text"))


def test_attributes_and_notes_travel() -> None:
    error = ValueError("text")
    error.detail = {"a": [1]}  # type: ignore[attr-defined]
    if sys.version_info >= (3, 11):
        error.add_note("a note")
    assert vars(travel(error)) == vars(error)


def test_the_remote_traceback_is_the_cause() -> None:
    def inner() -> None:
        raise ValueError("deep")

    try:
        inner()
    except ValueError as error:
        loaded = load_failure(dump_failure(error, Payloads()), Payloads())
    text = str(loaded.__cause__)
    assert "in inner" in text
    assert "ValueError: deep" in text
    shown = "".join(traceback.format_exception(type(loaded), loaded, None))
    assert shown.index("in inner") < shown.index("direct cause")


def test_a_chain_is_in_the_text() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as first:
            raise ValueError("second") from first
    except ValueError as error:
        loaded = load_failure(dump_failure(error, Payloads()), Payloads())
    assert "KeyError: 'first'" in str(loaded.__cause__)


def test_no_traceback_at_all() -> None:
    body = dump_failure(ValueError("never raised"), Payloads())
    assert str(load_failure(body, Payloads())) == "never raised"


def test_a_long_traceback_is_shortened() -> None:
    loaded = travel(ValueError("x" * (2 * failures.MAX_TRACEBACK_CHARACTERS)))
    text = str(loaded.__cause__)
    assert "traceback shortened" in text
    assert len(text) <= failures.MAX_TRACEBACK_CHARACTERS


class Local(ValueError):
    """Is gone when it is to be loaded."""


class Hidden(Local):
    """Neither it nor its base can be found."""


def test_a_class_that_is_unknown_here_is_the_nearest_base_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    payloads = Payloads()
    body = dump_failure(raised(Hidden("text")), payloads)
    monkeypatch.delattr(sys.modules[__name__], "Hidden")
    loaded = load_failure(body, payloads)
    assert isinstance(loaded, errors.RemoteException)
    assert isinstance(loaded, ValueError)
    assert loaded.type_name.endswith(".Hidden")
    assert (str(loaded), loaded.text) == ("text", "text")
    assert loaded.representation == "Hidden('text')"
    assert "Hidden: text" in str(loaded.__cause__)


def test_an_argument_that_cannot_travel() -> None:
    loaded = travel(KeyError(threading.Lock()))
    assert isinstance(loaded, errors.RemoteException)
    assert isinstance(loaded, KeyError)
    assert "lock" in loaded.representation


@pytest.mark.parametrize(
    ("make", "base"),
    [
        (lambda bad: Exception(bad), errors.RemoteException),
        (lambda bad: BaseException(bad), errors.RemoteException),
        (lambda bad: OSError(5, bad), OSError),
        (lambda bad: KeyboardInterrupt(bad), KeyboardInterrupt),
        (lambda bad: StopIteration(bad), StopIteration),
    ],
)
def test_what_stands_for_it_has_its_base(make: Any, base: type) -> None:
    loaded = travel(make(threading.Lock()))
    assert isinstance(loaded, errors.RemoteException)
    assert isinstance(loaded, base)


def test_a_base_that_takes_other_arguments() -> None:
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "reason")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    loaded = travel(error)
    assert type(loaded) is errors.RemoteException
    assert loaded.type_name == "builtins.UnicodeDecodeError"


class Evil(Exception):
    """Nothing about it works."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __reduce__(self) -> Any:
        raise RuntimeError("no pickle")


def test_one_that_raises_whatever_is_asked() -> None:
    loaded = travel(Evil("x"))
    assert isinstance(loaded, errors.RemoteException)
    assert loaded.text == "<str of Evil raised RuntimeError>"
    assert loaded.representation == "<repr of Evil raised RuntimeError>"


class Untraceable(Exception):
    """Cannot even be printed."""

    @property
    def __notes__(self) -> Any:
        raise SystemExit("no notes")


def test_a_traceback_that_cannot_be_formatted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("broken")

    error = raised(ValueError("text"))
    monkeypatch.setattr(traceback, "TracebackException", broken)
    loaded = load_failure(dump_failure(error, Payloads()), Payloads())
    assert "could not be formatted: RuntimeError" in str(loaded.__cause__)


class NoCopy(Exception):
    """Its copy is another one."""

    def __reduce__(self) -> Any:
        return NoCopy, ("other",)


class NoException(Exception):
    """Its copy is no exception."""

    def __reduce__(self) -> Any:
        return int, (5,)


@pytest.mark.parametrize("kind", [NoCopy, NoException])
def test_a_copy_that_differs_does_not_travel(kind: type[Exception]) -> None:
    loaded = travel(kind("text"))
    assert isinstance(loaded, errors.RemoteException)
    assert loaded.text == "text"


def test_what_is_no_exception_here(monkeypatch: pytest.MonkeyPatch) -> None:
    payloads = Payloads()
    body = dump_failure(raised(Local("text")), payloads)
    monkeypatch.setattr(sys.modules[__name__], "Local", types.SimpleNamespace)
    loaded = load_failure(body, payloads)
    assert isinstance(loaded, errors.RemoteException)
    assert isinstance(loaded, ValueError)


def test_one_whose_loading_exits() -> None:
    description = (["builtins:KeyError"], "m.K", "text", "K('text')")
    body = pickle.dumps((b"cos\n_exit\n", description, "traceback", None))
    assert isinstance(load_failure(body, Payloads()), KeyError)


def test_no_known_base_at_all() -> None:
    body = pickle.dumps((None, (["m:K", "builtins:int", "builtins:nothing"], "m.K", "", "K()"), "traceback", None))
    loaded = load_failure(body, Payloads())
    assert type(loaded) is errors.RemoteException
    assert str(loaded) == "m.K"


def test_the_object_of_an_attribute_error_stays_behind() -> None:
    """It may be large, or impossible to pickle; the interpreter's own way to pickle these leaves it out as well."""
    with pytest.raises(AttributeError) as caught:
        io.BytesIO().nothing  # type: ignore[attr-defined]  # noqa: B018
    assert type(travel(caught.value)) is AttributeError
    with pytest.raises(AttributeError) as caught:
        threading.Lock().nothing  # type: ignore[attr-defined]  # noqa: B018
    loaded = travel(caught.value)
    assert type(loaded) is AttributeError
    assert loaded.obj is None  # type: ignore[attr-defined]


def test_an_exception_of_the_program_goes_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec("class Mine(Exception):\n    def __init__(self, a, b): self.a, self.b = a, b", module.__dict__)
    body = dump_failure(raised(module.Mine(1, 2)), Payloads())
    loaded = load_failure(body, Payloads())
    assert (type(loaded), vars(loaded)) == (module.Mine, {"a": 1, "b": 2})
    del module.Mine
    assert type(load_failure(body, Payloads())) is errors.RemoteException


def test_a_failure_is_in_one_piece(tmp_path: Path) -> None:
    """Of a slice, it is inside of another payload, where no Broker looks for segments."""
    payloads = Payloads(Segments(str(tmp_path), "h.1"))
    whole = dump_failure(ValueError(b"x" * SHARED_FROM_BYTES), payloads, inside=True)
    assert load_failure(whole, payloads).args == (b"x" * SHARED_FROM_BYTES,)
    assert list(tmp_path.iterdir()) == []


def test_a_large_failure_of_its_own_goes_through_a_segment(tmp_path: Path) -> None:
    payloads = Payloads(Segments(str(tmp_path), "h.1"))
    outcome = dump_failure(ValueError(b"x" * SHARED_FROM_BYTES), payloads)
    assert len(segments_of(outcome)) == 1
    assert load_failure(outcome, payloads).args == (b"x" * SHARED_FROM_BYTES,)


def test_an_exception_that_is_too_large_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MAX_EXCEPTION_BYTES", 1000)
    error = load_failure(dump_failure(ValueError("x" * 1000), Payloads(), inside=True), Payloads())
    assert isinstance(error, ValueError)
    assert isinstance(error, errors.RemoteException)


@pytest.mark.skipif(failures.NOTES_IN_TEXT, reason="notes stand in the remote traceback there")
def test_a_remote_traceback_that_says_no_more_is_left_out() -> None:
    """What ends the program keeps it: it is how the launcher knows that a Future has raised it."""
    for error in (TypeError("f() missing 1 required positional argument: 'b'"), errors.ResultNotPicklable("text")):
        assert load_failure(dump_failure(error, Payloads()), Payloads()).__cause__ is None
    for error in (SystemExit(3), raised(TypeError("text"))):
        assert type(load_failure(dump_failure(error, Payloads()), Payloads()).__cause__) is errors.RemoteTraceback
