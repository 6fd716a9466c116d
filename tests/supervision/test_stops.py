"""How long a child may be stopped, counted in looks."""

from __future__ import annotations

from fedfutures.supervision.stops import LOOK_SECONDS, LOOKS_AT_A_STOPPED_CHILD, STOP_GRACE, VIGIL_SECONDS, Stop, Vigil


def test_it_is_over_after_so_many_looks() -> None:
    stop = Stop(1.0)
    assert [stop.look(1.0), stop.look(1.0 + LOOK_SECONDS), stop.look(1.0 + LOOK_SECONDS)] == [0, 1, 0]
    looks = [stop.look(1.0 + look * LOOK_SECONDS) for look in range(2, LOOKS_AT_A_STOPPED_CHILD)]
    assert looks == list(range(2, LOOKS_AT_A_STOPPED_CHILD))
    assert not stop.is_over
    assert stop.look(1.0 + LOOKS_AT_A_STOPPED_CHILD * LOOK_SECONDS) == LOOKS_AT_A_STOPPED_CHILD
    assert stop.is_over
    assert (stop.due, stop.look(99.0)) == (None, 0)


def test_a_look_counts_once_however_late_it_is() -> None:
    stop = Stop(0.0)
    assert stop.look(1e6) == 1
    assert stop.due == 1e6 + LOOK_SECONDS


def test_the_text_says_how_long() -> None:
    assert STOP_GRACE == "5 s"


def test_who_is_no_child_is_looked_at_again_and_again() -> None:
    vigil = Vigil()
    assert (vigil.look(False, 0.0), vigil.pause()) == ("", VIGIL_SECONDS)
    assert (vigil.look(True, 1.0), vigil.pause()) == ("say", LOOK_SECONDS)
    todo = [vigil.look(True, 1.0 + look * LOOK_SECONDS) for look in range(1, LOOKS_AT_A_STOPPED_CHILD + 2)]
    assert todo == [""] * (LOOKS_AT_A_STOPPED_CHILD - 1) + ["continue", "say"], "it may be stopped again"
    assert vigil.look(False, 9.0) == ""
    assert vigil.look(True, 10.0) == "say"


def test_a_look_too_late_continues_nobody() -> None:
    vigil = Vigil()
    assert [vigil.look(True, now) for now in (0.0, 1e3, 2e3)] == ["say", "", ""]
