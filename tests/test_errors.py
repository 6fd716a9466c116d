"""The errors of fedfutures: they travel with all that they say, and say what to do."""

from __future__ import annotations

import errno
import os
import pickle

import pytest

from fedfutures import errors

NAMED = [
    found for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, errors.FedfuturesError) and found is not errors.FedfuturesError
]  # fmt: skip
PLACES = [("/dev/shm", 1000, "full"), ("/tmp", 5, os.strerror(errno.ENOSPC))]


@pytest.mark.parametrize(
    "error",
    [
        errors.PoisonedFuture("work", "h", "h.1", "signal SIGSEGV", 3, "Fatal Python error", "work(17)"),
        errors.FutureLost("work", "h", "h.1", "exit code 1", 1),
        errors.OutOfMemory("work", "h", "h.1", "over", 1, "", "work(17)", 3 << 30, 2 << 30, "memory"),
        errors.VariableNotCarried("table", "a lock", "it cannot be pickled"),
        errors.NoRoom("h", 5 << 30, PLACES),
        errors.Deadlock("inner", "outer", "h.1"),
        errors.StartFailed("no Worker came up", 3, {"b": "no route"}),
        errors.ArgumentLoadError("no module", of_function=True),
        errors.MalformedMessage("7 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_travels_with_all_that_it_says(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("kind", NAMED)
def test_an_error_ends_with_the_command_that_explains_it(kind: type[Exception]) -> None:
    """As its last note: programs that compare the text or the arguments see no difference."""

    class Derived(kind):  # type: ignore[valid-type, misc]
        def __init__(self) -> None:
            """Take nothing."""

    said = [f"About this error: python -m fedfutures error {kind.__name__}"]
    assert Derived().__notes__ == said
    assert Derived().__notes__ is not Derived().__notes__
    assert "About this" not in str(Derived()) + repr(Derived())


def test_errors_that_were_pickled_before_there_were_notes_can_be_loaded() -> None:
    before = b"cfedfutures.errors\nSealBroken\n(Vx\ntR."
    error = pickle.loads(before)
    assert (type(error), error.args) == (errors.SealBroken, ("x",))
    assert error.__notes__ == ["About this error: python -m fedfutures error SealBroken"]
    assert pickle.dumps(error, 4).count(b"fedfutures.errors") == 1, "the note is a plain string"


@pytest.mark.parametrize(
    ("status", "dump", "advice"),
    [
        ("signal SIGKILL", "", "(usually: out of memory). It is not tried again. Let it need less memory"),
        ("signal SIGKILL, out of memory", "", "signal SIGKILL, out of memory. It is not tried again. Let it need less"),
        ("signal SIGSEGV", "", "has crashed. To try it alone"),
        ("signal SIGABRT", "File 3", "has crashed; where, is said below. To try it alone"),
        ("exit code 3", "", "os._exit()"),
        ("signal SIGTERM", "", "not tried again. To try it alone"),
        ("gone", "", "not tried again. To try it alone"),
    ],
)
def test_what_to_do_about_a_poisoned_future(status: str, dump: str, advice: str) -> None:
    text = str(errors.PoisonedFuture("work", "h", "h.1", status, 3, dump))
    assert advice in text
    assert text.startswith("work(...) was running on 3 Workers when they died; the last was h.1 on h: ")
    assert text.endswith(dump)


def test_what_to_do_where_there_is_no_room() -> None:
    assert "remount,size=32G /dev/shm" in str(errors.NoRoom("h", 5 << 30, PLACES))
    assert "ulimit -f unlimited" in str(errors.NoRoom("", 9, [("/tmp", 5, os.strerror(errno.EFBIG))]))
