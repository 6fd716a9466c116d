"""Workers that use more than they may: who is ended, for what, and who is not."""

from __future__ import annotations

from hypothesis import given, strategies as st

from fedfutures.supervision.memory_use import GROWN, LEAVE_SECONDS, Overuse, Overuses, Usage
from fedfutures.supervision.overruns import ABORT_SECONDS

ALONE = Usage(150, 20, (1, 7), (1, 7), begun=30, may_use=100)


def test_a_future_may_use_so_much_from_its_start_on() -> None:
    watch = Overuses()
    assert watch.look({0: ALONE._replace(used=130)}, 1.0) == {}
    assert watch.look({0: ALONE._replace(used=131)}, 1.1) == {0: "abort"}
    assert watch.end(0, ALONE) == Overuse(1, 7, 101, 0)
    assert watch.end(0, ALONE) is None


def test_without_limits_nobody_is_ended() -> None:
    watch = Overuses()
    assert watch.look({0: Usage(1 << 40, 0, (1, 7))}, 1.0) == {}
    assert watch.end(0, Usage(1 << 40, 0, (1, 7))) is None


def test_what_runs_has_used_too_much_of_a_worker() -> None:
    watch = Overuses(100)
    assert watch.look({0: Usage(100, 20, (1, 7)), 1: Usage(101, 20, (2, 8))}, 1.0) == {1: "abort"}
    assert watch.end(0, Usage(0, 20, (1, 7))) is None
    assert watch.end(1, Usage(0, 20, (2, 8))) == Overuse(2, 8, 101, 100)


def test_what_does_not_end_is_killed_even_if_it_frees_its_memory() -> None:
    watch = Overuses(100)
    assert watch.look({0: Usage(101, 20, (2, 8))}, 1.0) == {0: "abort"}
    assert watch.look({0: Usage(50, 20, (2, 8))}, 1.0 + ABORT_SECONDS / 2) == {}
    assert watch.look({0: Usage(50, 20, (2, 8))}, 1.0 + ABORT_SECONDS) == {0: "kill"}
    assert watch.look({0: Usage(50, 20, (2, 8))}, 2.0) == {0: "kill"}


def test_the_next_future_is_not_ended_for_the_one_before() -> None:
    watch = Overuses(100)
    watch.look({0: Usage(101, 20, (2, 8))}, 1.0)
    assert watch.look({0: Usage(50, 20, (2, 9))}, 1.0 + ABORT_SECONDS) == {}
    assert watch.end(0, Usage(50, 20, (2, 9))) is None
    watch.look({0: Usage(101, 20, (2, 9))}, 2.0)
    assert watch.end(0, Usage(50, 20, (2, 10))) is None, "it has just ended in its own way"


def test_a_worker_that_has_grown_and_rests_is_to_leave() -> None:
    watch = Overuses(100)
    rests = Usage(150, 20)
    assert watch.look({0: rests}, 1.0) == {0: "leave"}
    assert watch.is_told(0)
    assert watch.look({0: rests}, 1.1) == {}
    assert watch.look({0: rests}, 1.0 + LEAVE_SECONDS) == {0: "kill"}
    assert watch.end(0, rests) == Overuse(0, 0, 150, 100)
    assert not watch.is_told(0)


def test_one_that_was_as_large_from_the_start_stays() -> None:
    """Another one would be no smaller: it would be replaced for ever."""
    watch = Overuses(100)
    assert watch.look({0: Usage(150, 150)}, 1.0) == {}
    assert watch.look({0: Usage(int(150 * GROWN) + 1, 150)}, 1.1) == {0: "leave"}


def test_both_limits_hold() -> None:
    watch = Overuses(140)
    assert watch.look({0: ALONE._replace(used=130), 1: ALONE._replace(used=150, may_use=1000)}, 1.0) == {1: "abort"}
    assert watch.end(1, ALONE) == Overuse(1, 7, 150, 140)


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans(), st.integers(1, 3)), max_size=30))
def test_nobody_is_told_who_was_never_over_a_limit(looks: list[tuple[int, bool, int]]) -> None:
    watch, now, over = Overuses(100), 0.0, set()
    for used, runs, number in looks:
        now += ABORT_SECONDS
        usage = Usage(used, 10, (1, number) if runs else None)
        if used > 100:
            over.add(usage.running)
        for verdict in watch.look({0: usage}, now).values():
            assert usage.running in over
            assert (verdict == "leave") <= (usage.running is None)
