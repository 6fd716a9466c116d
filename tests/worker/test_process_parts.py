"""Each part of the state of a process can be written back as it was read."""

from __future__ import annotations

import locale
import os
import sys
import warnings

import pytest

from fedfutures.worker.process_parts import PARTS, RECURSION_MARGIN, SYS_NAMES, read_umask, set_locale


@pytest.mark.parametrize("name", [name for name in PARTS if name not in ("timers", "tracing")])
def test_writing_what_was_read_changes_nothing(name: str) -> None:
    part = PARTS[name]
    before = part.read()
    part.write(before)
    assert part.read() == before


def test_the_environment_goes_back_to_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_A_TEST", "before")
    before = PARTS["environment"].read()
    os.environ["OF_A_TEST"], os.environ["ANOTHER_OF_A_TEST"] = "after", "new"
    PARTS["environment"].write(before)
    assert (os.environ["OF_A_TEST"], os.environ.get("ANOTHER_OF_A_TEST")) == ("before", None)


def test_a_name_of_sys_that_was_missing_is_missing_again() -> None:
    assert "tracebacklimit" in SYS_NAMES
    before = PARTS["sys"].read()
    sys.tracebacklimit = 3
    PARTS["sys"].write(before)
    assert not hasattr(sys, "tracebacklimit")


def test_filters_of_warnings_go_back_into_the_same_list() -> None:
    before, filters = PARTS["warnings"].read(), list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PARTS["warnings"].write(before)
        assert warnings.filters is before[0]
        assert list(warnings.filters) == filters


def test_the_umask_is_read_without_being_changed() -> None:
    before = os.umask(0o027)
    try:
        assert (read_umask(), read_umask()) == (0o027, 0o027)
        PARTS["umask"].write(0o022)
        assert read_umask() == 0o022
    finally:
        os.umask(before)


def test_a_future_sees_the_recursion_limit_without_the_margin() -> None:
    assert PARTS["recursion limit"].read() == sys.getrecursionlimit() - RECURSION_MARGIN


def test_the_locale() -> None:
    before = PARTS["locale"].read()
    try:
        PARTS["locale"].write("C")
        assert set_locale(locale.LC_ALL) == "C"
    finally:
        PARTS["locale"].write(before)
    assert PARTS["locale"].read() == before
