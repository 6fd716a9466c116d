"""What a program changes in its process: noticed, told, and applied where Futures run."""

from __future__ import annotations

import decimal
import logging
import os
import signal
import subprocess
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from fedfutures.program import process
from fedfutures.program.process import ProcessChanges, apply, keys_of

from .programs import BESIDE, make

NAME = "FEDFUTURES_TEST_OF_THE_PROCESS"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the process as it was."""
    place, limit, mask, path = os.getcwd(), sys.getrecursionlimit(), os.umask(0o22), sys.path.copy()
    os.umask(mask)
    context, level, handlers = decimal.getcontext().copy(), logging.root.level, logging.root.handlers.copy()
    handled, environment = signal.getsignal(signal.SIGUSR1), dict(os.environ)
    with warnings.catch_warnings():
        yield
    os.chdir(place)
    sys.setrecursionlimit(limit)
    os.umask(mask)
    sys.path[:] = path
    decimal.setcontext(context)
    logging.root.setLevel(level)
    logging.root.handlers[:] = handlers
    logging.getLogger(NAME).setLevel(logging.NOTSET)
    signal.signal(signal.SIGUSR1, handled)
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


def travelled(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes as they arrive with a snapshot."""
    found: dict[str, Any] = msgpack.unpackb(msgpack.packb(changes))
    return found


# -- noticing --------------------------------------------------------------------------------------------------------


def test_nothing_has_changed() -> None:
    for in_full in (False, True):
        found = ProcessChanges(in_full=in_full)
        assert not found.has_changed()
        assert found.current() == {}
        assert not found.has_changed()


CHANGES: list[tuple[str, Callable[[Path], Any], Any]] = [
    ("directory", lambda place: os.chdir(place), lambda place: str(place)),
    ("path", lambda place: sys.path.insert(0, str(place)), lambda place: [sys.path[1:], [str(place), *sys.path[1:]]]),
    ("environment", lambda place: os.environ.update({NAME: "on"}), lambda place: {NAME: "on"}),
    ("environment", lambda place: os.environ.pop("HOME"), lambda place: {"HOME": None}),
]
SETTINGS: list[tuple[str, Callable[[], Any]]] = [
    ("umask", lambda: os.umask(0o77)),
    ("recursion limit", lambda: sys.setrecursionlimit(5000)),
    ("warnings", lambda: warnings.filterwarnings("ignore", "some text", UserWarning)),
    ("logging", lambda: logging.root.setLevel(logging.DEBUG)),
    ("logging", lambda: logging.getLogger(NAME).setLevel(logging.INFO)),
    ("signals", lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN)),
    ("decimal", lambda: setattr(decimal.getcontext(), "prec", 7)),
    ("decimal", lambda: decimal.getcontext().traps.update({decimal.Inexact: True})),
]


@pytest.mark.parametrize(("name", "change", "value"), CHANGES)
def test_a_change_is_noticed_and_told(
    name: str, change: Callable[[Path], Any], value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    found = ProcessChanges()
    change(tmp_path)
    assert found.has_changed()
    assert found.current() == {name: value(tmp_path)}
    assert not found.has_changed()
    assert found.current() == {name: value(tmp_path)}


def test_what_is_changed_back_is_not_told(tmp_path: Path) -> None:
    found, place = ProcessChanges(), os.getcwd()
    os.chdir(tmp_path)
    os.environ[NAME] = "on"
    assert found.current().keys() == {"directory", "environment"}
    os.chdir(place)
    del os.environ[NAME]
    assert found.has_changed()
    assert found.current() == {}


@pytest.mark.parametrize(("name", "change"), SETTINGS)
def test_settings_are_told_where_workers_do_not_import_the_program(name: str, change: Callable[[], Any]) -> None:
    full, usual = ProcessChanges(in_full=True), ProcessChanges()
    change()
    assert full.has_changed()
    assert full.current().keys() == {name}
    assert not full.has_changed()
    assert usual.current() == {}


def test_handlers_are_read_when_one_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each submit of a program without a main guard asks; by whatever name the program calls ``signal.signal``."""
    found, reads = ProcessChanges(in_full=True), list[int]()
    monkeypatch.setattr(process, "_handlers", lambda: reads.append(1))
    for _ in range(3):
        assert not found.has_changed()
    assert reads == []


BY_NAME = """
import sys
from signal import SIG_IGN, SIGUSR1, SIGUSR2, signal
from fedfutures import Executor
import signal as module

def ignored():
    import signal
    return [signal.getsignal(number) is signal.SIG_IGN for number in (signal.SIGUSR1, signal.SIGUSR2)]

with Executor(1) as executor:
    print(executor.submit(ignored).result())
    signal(SIGUSR1, SIG_IGN)
    print(executor.submit(ignored).result())
    module.signal(SIGUSR2, SIG_IGN)
    print(executor.submit(ignored).result())
"""


@pytest.mark.host
def test_handlers_that_are_set_by_another_name(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(BY_NAME)
    ended = subprocess.run([sys.executable, "prog.py"], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert ended.stdout.splitlines() == ["[False, False]", "[True, False]", "[True, True]"], ended.stderr


def test_numpy_errors_are_told() -> None:
    numpy = pytest.importorskip("numpy")
    found, before = ProcessChanges(in_full=True), numpy.geterr()
    try:
        numpy.seterr(divide="raise")
        changes = travelled(found.current())
        assert changes.keys() == {"numpy errors"}
        numpy.seterr(**before)
        apply(changes)
        assert numpy.geterr()["divide"] == "raise"
    finally:
        numpy.seterr(**before)


def test_a_directory_that_was_removed(tmp_path: Path) -> None:
    found = ProcessChanges()
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    changes = found.current()
    assert changes == {"directory": None}
    apply(changes)


def test_wrapped_functions_are_as_they_were(tmp_path: Path) -> None:
    ProcessChanges()
    wrapped = os.umask
    ProcessChanges()
    assert os.umask is wrapped
    assert (os.umask.__name__, os.chdir.__name__, signal.signal.__name__) == ("umask", "chdir", "signal")
    with pytest.raises(FileNotFoundError):
        os.chdir(tmp_path / "no such")
    before = os.umask(0o27)
    assert os.umask(before) == 0o27
    assert signal.signal(signal.SIGUSR1, signal.SIG_IGN) in (signal.SIG_DFL, None)


def test_signal_handlers_of_the_program_go_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = make("def handler(number, frame): pass", monkeypatch)
    found = ProcessChanges(in_full=True)
    signal.signal(signal.SIGUSR1, module.handler)
    changes = travelled(found.current())
    assert [int(signal.SIGUSR1), BESIDE, "handler"] in changes["signals"]
    assert keys_of(changes) == {(BESIDE, "handler")}
    assert keys_of({}) == set()
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    apply(changes)
    assert signal.getsignal(signal.SIGUSR1) is module.handler
    monkeypatch.delitem(sys.modules, BESIDE)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    apply(changes)  # which is not here
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


# -- applying --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "change"), SETTINGS)
def test_settings_are_the_same_after_their_way(name: str, change: Callable[[], Any]) -> None:
    found = ProcessChanges(in_full=True)
    before, saved = found.current(), travelled(process.read_settings())
    assert before == {}
    change()
    changes = travelled(found.current())
    wanted = process.read_settings()[name]
    if saved[name] == -1:  # not known
        saved[name] = 0o22
    apply({name: saved[name]})
    logging.getLogger(NAME).setLevel(logging.NOTSET)  # which apply leaves to the guard
    assert settled(process.read_settings()[name]) != settled(wanted)
    apply(changes)
    assert settled(process.read_settings()[name]) == settled(wanted)


def settled(value: Any) -> Any:
    """Return a setting without the filter that applying filters adds, which never matches."""
    return [entry for entry in value if entry[4] != process.NO_LINE] if _are_filters(value) else value


def _are_filters(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, list) and len(entry) == 5 for entry in value)


def test_directory_path_and_environment_are_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "to go")
    path = sys.path.copy()
    apply(
        {
            "directory": str(tmp_path),
            "path": [path, [str(tmp_path), *path]],
            "environment": {NAME: None, NAME + "2": "on"},
        }
    )
    assert Path.cwd() == tmp_path
    assert sys.path == [str(tmp_path), *path]
    assert (NAME in os.environ, os.environ[NAME + "2"]) == (False, "on")
    apply({"path": [path, [str(tmp_path), *path]]})
    assert sys.path == [str(tmp_path), *path]
    apply({"directory": "/no/such/directory", "environment": {NAME: None}})
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(
    ("here", "now", "then"),
    [
        (["/a", "/b", "/own"], ["/new", "/a", "/b"], ["/new", "/a", "/b", "/own"]),
        (["/a", "/b"], ["/b", "/a", "/end"], ["/b", "/a", "/end"]),
        (["/a", "/b", "/own"], ["/b"], ["/b", "/own"]),
        (["/other", "/b"], ["/new", "/a", "/b", "/end"], ["/new", "/other", "/b", "/end"]),
        (["/other", "/b"], ["/a"], ["/other"]),
    ],
)
def test_a_host_that_has_other_places_gets_the_new_ones(
    here: list[str], now: list[str], then: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", here)
    apply({"path": [["/a", "/b"], now]})
    assert sys.path == then


def test_filters_of_warnings_do_what_they_did() -> None:
    found = ProcessChanges(in_full=True)
    warnings.filterwarnings("error", "some.*text", UserWarning)
    changes = travelled(found.current())
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    apply(changes)
    with pytest.raises(UserWarning):
        warnings.warn("Some more TEXT", UserWarning, stacklevel=1)
    apply(
        {
            "warnings": [
                ["error", None, ["no_such_module", "Odd"], None, 0],
                ["ignore", None, ["builtins", "len"], None, 0],
            ]
        }
    )


def test_filters_come_back_to_what_they_were() -> None:
    """Applied twice they are not more."""
    found = ProcessChanges(in_full=True)
    warnings.filterwarnings("error", "some text", UserWarning)
    changes = travelled(found.current())
    apply(changes)
    once = process.read_settings()["warnings"]
    apply(changes)
    assert process.read_settings()["warnings"] == once


def test_handlers_of_logging_are_made_where_there_are_none() -> None:
    logging.root.handlers[:] = []
    found = ProcessChanges(in_full=True)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s", "%H"))
    handler.setLevel(logging.WARNING)
    logging.root.addHandler(handler)
    logging.root.addHandler(logging.NullHandler())
    changes = travelled(found.current())
    apply(changes)
    assert logging.root.handlers[0] is handler
    logging.root.handlers[:] = []
    apply(changes)
    [made] = logging.root.handlers
    assert isinstance(made, logging.StreamHandler)
    assert (made.stream, made.level) == (sys.stdout, logging.WARNING)
    record = logging.LogRecord("n", logging.ERROR, "", 1, "text", (), None)
    assert made.format(record) == "ERROR text"


def test_a_module_that_is_not_numpy_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", types.ModuleType("numpy"))
    assert process.read_settings()["numpy errors"] is None
    monkeypatch.setitem(sys.modules, "decimal", None)
    assert process.read_settings()["decimal"] is None
