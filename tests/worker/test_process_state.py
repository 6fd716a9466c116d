"""The parts of the state of a process: heard of, restored, kept aside, and folded into the base."""

from __future__ import annotations

import contextlib
import copy
import gc
import io
import json
import locale
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.worker.process_parts import PARTS, RECURSION_MARGIN, read_umask, set_locale
from fedfutures.worker.process_state import WATCHED, ProcessState, WatchedList, alarm_at, is_shallow, merged


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessState]:
    """The state of this process, watched until the test ends."""
    for module, name, _ in WATCHED:
        if hasattr(module, name):
            monkeypatch.setattr(module, name, getattr(module, name))
    kind = type(sys)
    lists = sys.path, sys.argv
    before = sys.getrecursionlimit()
    watched = ProcessState()
    with pytest.MonkeyPatch.context() as limits:
        limits.setattr(sys, "setrecursionlimit", sys.setrecursionlimit)
        limits.setattr(sys, "getrecursionlimit", sys.getrecursionlimit)
        watched.watch()
        watched.begin()
        yield watched
        watched.restore()
        sys.__class__ = kind
        sys.path, sys.argv = lists
    sys.setrecursionlimit(before)


def ignore(*_: Any) -> None:
    """A handler."""


def set_attribute(name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(sys, name, value)


def soft_limit() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (77, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def other_zone() -> None:
    os.environ["TZ"] = "XYZ-9"
    time.tzset()


def other_locale() -> None:
    for name in ("C.UTF-8", "C", "POSIX"):
        if name != set_locale(locale.LC_CTYPE):
            locale.setlocale(locale.LC_CTYPE, name)
            return


CHANGES: list[tuple[str, Callable[[], object], Callable[[], Any]]] = [
    ("directory", lambda: os.chdir("/"), os.getcwd),
    ("environment", lambda: os.environ.__setitem__("OF_A_TEST", "1"), lambda: os.environ.get("OF_A_TEST")),
    ("environment", lambda: os.environ.pop("PATH"), lambda: os.environ.get("PATH")),
    ("environment", other_zone, lambda: (os.environ.get("TZ"), time.localtime(0)[3])),
    ("umask", lambda: os.umask(0o012), read_umask),
    ("handlers", lambda: signal.signal(signal.SIGUSR2, ignore), lambda: signal.getsignal(signal.SIGUSR2)),
    ("timers", lambda: signal.setitimer(signal.ITIMER_REAL, 99), lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0),
    ("timers", lambda: signal.alarm(99), lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0),
    ("sys", lambda: contextlib.redirect_stdout(io.StringIO()).__enter__(), lambda: sys.stdout),
    ("sys", set_attribute("excepthook", ignore), lambda: sys.excepthook),
    ("sys", set_attribute("tracebacklimit", 3), lambda: getattr(sys, "tracebacklimit", None)),
    ("sys", lambda: sys.path.insert(0, "/nowhere"), lambda: list(sys.path)),
    ("sys", lambda: sys.argv.append("more"), lambda: list(sys.argv)),
    ("sys", set_attribute("argv", ["other"]), lambda: list(sys.argv)),
    ("warnings", lambda: warnings.simplefilter("once"), lambda: list(warnings.filters)),
    ("warnings", lambda: warnings.filterwarnings("ignore", "this"), lambda: list(warnings.filters)),
    ("locale", other_locale, lambda: set_locale(locale.LC_CTYPE)),
    ("recursion limit", lambda: sys.setrecursionlimit(4321), sys.getrecursionlimit),
    ("socket timeout", lambda: socket.setdefaulttimeout(3.5), socket.getdefaulttimeout),
    ("resource limits", soft_limit, lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
    ("collector", lambda: gc.disable(), gc.isenabled),
    ("collector", lambda: gc.set_threshold(11, 12, 13), gc.get_threshold),
    ("switch interval", lambda: sys.setswitchinterval(0.25), sys.getswitchinterval),
    ("event loop", lambda: sys.set_asyncgen_hooks(firstiter=ignore), lambda: sys.get_asyncgen_hooks().firstiter),
]


@pytest.mark.parametrize(
    ("part", "change", "look"), CHANGES, ids=[f"{number}-{part}" for number, (part, *_) in enumerate(CHANGES)]
)
def test_a_change_is_heard_of_undone_and_given_back(
    state: ProcessState, part: str, change: Callable[[], object], look: Callable[[], Any]
) -> None:
    state.begin()  # pytest changes the environment between set-up and test
    before = look()
    assert state.calm
    change()
    changed = look()
    assert changed != before
    assert (state.dirty, state.calm) == ({part}, False)
    values = state.suspend()
    assert (look(), state.calm) == (before, True)
    state.resume(values)
    assert (look(), state.dirty) == (changed, {part})
    state.restore()
    assert (look(), state.calm) == (before, True)


def test_what_belongs_to_the_main_thread_can_stay(state: ProcessState) -> None:
    state.begin()  # pytest changes the environment between set-up and test
    directory = os.getcwd()
    os.chdir("/")
    signal.signal(signal.SIGUSR2, ignore)
    values = state.suspend(of_main_thread=False)
    assert (values, os.getcwd(), state.dirty) == ({"directory": "/"}, directory, {"handlers"})
    assert signal.getsignal(signal.SIGUSR2) is ignore
    state.restore(of_main_thread=False)
    assert signal.getsignal(signal.SIGUSR2) is ignore


def test_a_change_ends_the_loop_of_a_slice(state: ProcessState) -> None:
    state.begin()  # pytest changes the environment between set-up and test
    state.column = [1, 2, 3]
    os.umask(0o011)
    assert state.column == []


def test_a_function_that_fails_may_have_changed_something(state: ProcessState) -> None:
    state.begin()  # pytest changes the environment between set-up and test
    with pytest.raises(FileNotFoundError):
        os.chdir("/no/such/directory")
    assert state.dirty == {"directory"}
    assert os.chdir.__name__ == "chdir"


def test_a_directory_that_was_removed_is_left(state: ProcessState, tmp_path: Path) -> None:
    state.begin()  # pytest changes the environment between set-up and test
    place = tmp_path / "place"
    place.mkdir()
    os.chdir(place)
    place.rmdir()
    assert state.suspend() == {"directory": None}
    os.chdir(tmp_path)
    state.resume({"directory": None})
    assert os.getcwd() == str(tmp_path)


def test_what_an_import_sets_is_of_the_base_and_nothing_else(state: ProcessState) -> None:
    state.begin()  # pytest changes the environment between set-up and test
    os.environ["OF_THE_FUTURE"] = "1"
    sys.path.append("/of/the/future")
    with state.importing() as changes:
        os.environ["OF_AN_IMPORT"] = "1"
        sys.path.append("/of/an/import")
        with state.importing() as inner:
            signal.signal(signal.SIGUSR2, ignore)
        assert inner == {}
    assert set(changes) == {"environment", "sys", "handlers"}
    state.restore()
    assert (os.environ.get("OF_THE_FUTURE"), os.environ.get("OF_AN_IMPORT")) == (None, "1")
    assert "/of/an/import" in sys.path
    assert "/of/the/future" not in sys.path
    assert signal.getsignal(signal.SIGUSR2) is ignore
    os.environ.pop("OF_AN_IMPORT")
    sys.path.remove("/of/an/import")
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    state.begin()


def test_the_base_can_be_replaced(state: ProcessState) -> None:
    state.begin()
    first = dict(state.base)
    os.umask(0o017)
    with state.importing():
        os.environ["OF_A_TEST"] = "1"
    state.set_base(first)
    assert (os.environ.get("OF_A_TEST"), state.calm) == (None, True)
    assert read_umask() == first["umask"]


def test_a_timer_goes_on_while_its_future_waits(state: ProcessState) -> None:
    state.begin()  # pytest changes the environment between set-up and test
    heard: list[int] = []
    signal.signal(signal.SIGALRM, lambda number, frame: heard.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    values = state.suspend()
    due = alarm_at(values)
    assert due is not None
    assert due - time.monotonic() < 0.02
    time.sleep(0.05)
    assert heard == []
    state.resume(values)
    time.sleep(0.01)
    assert heard == [signal.SIGALRM]
    assert alarm_at({}) is None


def test_a_timer_never_finds_another_handler(state: ProcessState) -> None:
    state.begin()
    signal.signal(signal.SIGALRM, ignore)
    for _ in range(200):
        signal.setitimer(signal.ITIMER_REAL, 0.0001)
        state.resume(state.suspend())  # with the handler of the base the process would end
        signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_REAL, 0.0001)
    state.restore()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_threads_may_change_things_meanwhile(state: ProcessState) -> None:
    state.begin()
    ends = threading.Event()

    def change() -> None:
        while not ends.is_set():
            for part in PARTS:
                state.note(part)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            state.resume(state.suspend(of_main_thread=False))
            state.restore(of_main_thread=False)
    finally:
        ends.set()
        thread.join()


def test_recorded_warnings_are_recorded_no_longer(state: ProcessState) -> None:
    state.begin()
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        warnings.warn("mine", stacklevel=1)
        values = state.suspend()
        with pytest.warns(UserWarning, match="of another"):
            warnings.warn("of another", stacklevel=1)
        state.resume(values)
        warnings.warn("mine again", stacklevel=1)
    assert [str(warning.message) for warning in recorded] == ["mine", "mine again"]


def test_a_hard_limit_that_was_lowered_leaves_what_is_left() -> None:
    program = """if True:
        import resource
        from fedfutures.worker.process_parts import PARTS
        part, which = PARTS["resource limits"], resource.RLIMIT_NOFILE
        before = part.read()
        soft, hard = before[which]
        resource.setrlimit(which, (50, 100))
        part.write(before)
        assert resource.getrlimit(which) in ((soft, hard), (100, 100)), resource.getrlimit(which)
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_lists_that_say_when_they_change() -> None:
    count = [0]

    def changed() -> None:
        count[0] += 1

    watched = WatchedList([3, 1, 2], changed)
    for change in (
        lambda: watched.append(4), lambda: watched.sort(), lambda: watched.insert(0, 9), lambda: watched.remove(9),
        lambda: watched.pop(), lambda: watched.extend([5]), watched.reverse, lambda: watched.__setitem__(0, 7),
        lambda: watched.__delitem__(0), lambda: watched.__iadd__([6]), lambda: watched.__imul__(1), watched.clear,
    ):  # fmt: skip
        before = count[0]
        change()
        assert count[0] == before + 1
    watched[:] = [1, 2]
    for made in (copy.copy(watched), copy.deepcopy(watched), pickle.loads(pickle.dumps(watched)), watched.copy()):
        assert (made, type(made)) == ([1, 2], list)
    assert (json.dumps(watched), watched == [1, 2]) == ("[1, 2]", True)


def test_sys_is_what_it_was(state: ProcessState) -> None:
    state.begin()  # pytest changes the environment between set-up and test
    assert pickle.loads(pickle.dumps(sys)) is sys
    sys.of_a_test = 1  # type: ignore[attr-defined]
    assert state.calm
    del sys.of_a_test  # type: ignore[attr-defined]


def test_depth() -> None:
    def dig(depth: int) -> bool:
        return is_shallow() if not depth else dig(depth - 1)

    assert not dig(RECURSION_MARGIN)


NAMED = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3))
LISTED = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


@given(st.one_of(st.tuples(NAMED, NAMED, NAMED), st.tuples(LISTED, LISTED, LISTED)))
def test_merging(values: tuple[Any, Any, Any]) -> None:
    base, was, now = values
    if was == now:
        assert merged(base, was, now) == base
    if base == was:
        assert merged(base, was, now) == now
    found = merged(base, was, now)
    if isinstance(base, dict):
        for name in "abc":
            expected = base.get(name) if was.get(name) == now.get(name) else now.get(name)
            assert found.get(name) == expected
    else:
        assert set(found) == (set(base) | (set(now) - set(was))) - (set(was) - set(now))


def test_every_part_can_be_read_and_written_as_it_is() -> None:
    for name, part in PARTS.items():
        value = part.read()
        part.write(value)
        if name != "timers":
            assert part.read() == value, name
