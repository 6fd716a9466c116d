"""Turns: one thread runs at a time, asks the main thread to look who wants to run, and is let by."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from fedfutures.host.crash_cells import PIECE
from fedfutures.worker.context import NOWHERE, Context
from fedfutures.worker.turns import Here, Turns

SECONDS = 10.0


class State:
    """Counts how often the process state was told to look who asks."""

    disturbed = 0

    def disturb(self) -> None:
        self.disturbed += 1


@pytest.fixture
def state() -> Any:
    return State()


@pytest.fixture
def turns(state: Any) -> Turns:
    return Turns([7, 0, 0, 0], state)


def test_a_turn_that_is_taken_is_not_had_and_nothing_is_asked_for(turns: Turns, state: Any) -> None:
    me = threading.get_ident()
    assert turns.take(blocking=False)
    assert (turns.wanted, state.disturbed) == ({me}, 1)
    assert not turns.take(blocking=False)
    assert (turns.wanted, state.disturbed) == ({me}, 1)
    turns.end()
    assert not turns.wanted
    assert turns.take(blocking=False)


def test_who_gives_the_turn_back_goes_on_to_want_it(turns: Turns) -> None:
    turns.take(blocking=False)
    turns.give_back()
    assert turns.wanted == {threading.get_ident()}
    assert turns.take(blocking=True)


def test_the_main_thread_lets_by_while_somebody_wants_to_run_and_says_that_it_runs_nothing() -> None:
    cells = [7, 0, 0, 0]
    seen = []
    asked = threading.Event()
    turns = Turns(cells, State())  # type: ignore[arg-type]
    passes = turns.wanted

    def other() -> None:
        turns.take(blocking=True)
        asked.set()
        while cells[PIECE]:
            threading.Event().wait(0.001)
        seen.append(cells[PIECE])
        turns.end()

    thread = threading.Thread(target=other)
    thread.start()
    assert asked.wait(SECONDS)
    turns.let_by()
    assert seen == [0]
    assert not passes
    assert cells[PIECE] == 7
    thread.join(SECONDS)


def test_what_a_thread_runs_is_its_own(turns: Turns) -> None:
    turns.here.depth = 3
    found = []
    thread = threading.Thread(target=lambda: found.append((turns.here.depth, turns.here.context, turns.here.mains)))
    thread.start()
    thread.join(SECONDS)
    assert found == [(0, None, {})]
    assert turns.here.depth == 3


def test_what_a_thread_runs_inside_of_what() -> None:
    here, inner = Here(), Context(*NOWHERE)
    assert here.begin(NOWHERE, {"umask": 1}) is None
    assert here.begin(inner, {"umask": 2}) is NOWHERE
    assert (here.depth, here.context, here.mains) == (2, inner, {"umask": 1})
    here.end(NOWHERE)
    here.go_on({"umask": 3})
    here.end(None)
    assert (here.depth, here.context, here.mains) == (0, None, {"umask": 3})
