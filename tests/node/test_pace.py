"""Times that hold only together: who changes one of them has to look at its neighbours."""

from __future__ import annotations

from fedfutures.federation.schedule import HORIZON_SECONDS, STUCK_SECONDS, overdue_seconds
from fedfutures.futures.slicing import SLICE_SECONDS
from fedfutures.node import pace
from fedfutures.node.asking import LONG_SECONDS
from fedfutures.wire.messages import MAX_BATCH_FUTURES


def test_the_helper_thread_comes_only_when_the_main_thread_is_late() -> None:
    assert pace.HELPER_AFTER_SECONDS >= pace.PUMP_EVERY_SECONDS
    assert pace.HELPER_LOOKS_SECONDS > pace.HELPER_AFTER_SECONDS


def test_what_waits_is_given_back_before_more_is_planned_to_wait() -> None:
    assert STUCK_SECONDS >= pace.PUMP_EVERY_SECONDS  # else each pump would give back what it could run
    assert overdue_seconds(LONG_SECONDS) > HORIZON_SECONDS


def test_a_slice_is_cut_before_it_is_said_to_run_and_never_one_that_took_what_was_planned() -> None:
    assert 2 * SLICE_SECONDS < pace.CUT_SECONDS < pace.REPORT_SECONDS <= pace.LOOK_SECONDS


def test_who_cancels_hears_that_a_future_runs_before_it_gives_up() -> None:
    assert pace.REPORT_SECONDS + pace.HELPER_LOOKS_SECONDS + pace.LOOK_SECONDS < pace.CANCEL_WAITS_SECONDS


def test_a_batch_is_one_that_every_broker_takes() -> None:
    assert pace.BATCH_FUTURES_AT_MOST <= MAX_BATCH_FUTURES


def test_futures_that_are_shorter_than_a_hurry_never_make_the_pump_due() -> None:
    assert 0 < pace.HURRY_SECONDS < pace.PUMP_EVERY_SECONDS
