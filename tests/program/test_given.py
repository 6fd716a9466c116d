"""What a Worker's variables have been given, and what is kept of it."""

from __future__ import annotations

import types

import pytest

from fedfutures.program.given import VERSIONS_KEPT, Given
from fedfutures.program.modules import Key, lookup
from fedfutures.program.setting import assign
from fedfutures.program.tokens import Named, examine

from .programs import BESIDE, make

INNER, OUTER, LARGE = (BESIDE, "INNER"), (BESIDE, "OUTER"), (BESIDE, "LARGE")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    return make("INNER = [1]\nOUTER = [INNER]\nLARGE = list(range(100_000))", monkeypatch)


@pytest.fixture
def given(program: types.ModuleType) -> Given:
    made = Given()
    made.take_stock([INNER, OUTER, LARGE])
    return made


def place(given: Given, key: Key, token: bytes, value: object) -> None:
    given.place(key, token, lookup(key), value, keeps_old=True)
    assign(key, value)


def test_the_first_token_is_that_of_what_the_import_has_made(given: Given) -> None:
    token = examine(lookup(INNER), Named(), INNER).token
    assert token is not None
    assert given.differing({INNER: token}) == []
    assert given.differing({INNER: b"other"}) == [INNER]
    assert (BESIDE, "NO_SUCH") not in given


def test_a_token_speaks_for_what_a_value_holds(given: Given) -> None:
    token = examine(lookup(OUTER), Named(), OUTER).token
    assert token is not None
    assert not given.is_right(OUTER, token)  # by itself it would be


def test_what_holds_a_replaced_object_has_to_come_anew(given: Given) -> None:
    place(given, OUTER, b"new", [lookup(INNER)])
    given.replaced(INNER, set())
    assert given.differing({OUTER: b"new"}) == [OUTER]


def test_what_is_set_in_the_same_pass_has_not(given: Given) -> None:
    place(given, OUTER, b"new", [lookup(INNER)])
    given.replaced(INNER, {OUTER})
    assert given.differing({OUTER: b"new"}) == []


def test_who_begins_gets_values_as_they_came(given: Given) -> None:
    place(given, INNER, b"new", [2])
    place(given, INNER, b"newer", [3])
    assert given.has(INNER, b"new", goes_on=True)
    assert not given.has(INNER, b"new", goes_on=False)
    assert given.kept(INNER, b"new") == [2]


def test_classes_serve_everybody(given: Given) -> None:
    place(given, INNER, b"new", int)
    assert given.has(INNER, b"new", goes_on=False)


def test_the_last_versions_are_kept(given: Given) -> None:
    for number in range(3 * VERSIONS_KEPT):
        place(given, INNER, b"%d" % number, [number])
    kept = [number for number in range(3 * VERSIONS_KEPT) if given.has(INNER, b"%d" % number, goes_on=True)]
    assert kept == list(range(2 * VERSIONS_KEPT, 3 * VERSIONS_KEPT))
    given.forget([INNER])
    assert not given.has(INNER, b"%d" % kept[-1], goes_on=True)


def test_a_large_value_of_the_initializer_stays_until_the_origins_changes(given: Given) -> None:
    before = given.before_changes([INNER, LARGE])
    lookup(LARGE)[0] = "the initializer's"
    given.keep_what_changed(before)
    assert given.is_right(LARGE, b"the Origin's")
    assert not given.is_right(LARGE, b"another of the Origin's")
    assert not given.is_right(INNER, b"the Origin's")
