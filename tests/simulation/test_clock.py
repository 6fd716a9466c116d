"""Virtual time."""

from __future__ import annotations

from hypothesis import given, strategies as st

from fedfutures.simulation.clock import Clock


@given(st.lists(st.floats(0, 100)))
def test_events_come_in_the_order_of_time_and_of_making(times: list[float]) -> None:
    clock, seen = Clock(), []
    for number, time in enumerate(times):
        clock.at(time, seen.append, (time, number))
    assert not clock.run()
    assert seen == sorted(seen)
    assert clock.events == len(times)


def test_what_is_due_in_the_past_comes_now() -> None:
    clock, seen = Clock(), []
    clock.at(2.0, lambda _: clock.at(1.0, lambda _: seen.append(clock.now)))
    clock.run()
    assert seen == [2.0]


def test_run_until_takes_no_later_event_and_time_gets_there() -> None:
    clock, seen = Clock(), []
    for time in (1.0, 2.0, 3.0):
        clock.at(time, seen.append, time)
    assert clock.run(until=2.5)
    assert (seen, clock.now) == ([1.0, 2.0], 2.5)


def test_stop_and_most() -> None:
    clock, seen = Clock(), []
    for number in range(4):
        clock.at(1.0, seen.append, number)
    assert not clock.run(most=1)
    clock.at(1.0, lambda _: clock.stop())
    clock.at(1.0, seen.append, "later")
    assert not clock.run()
    assert seen == [0, 1, 2, 3]
    assert clock.stopped
