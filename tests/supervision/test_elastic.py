"""When Workers come, and when they go."""

from __future__ import annotations

from hypothesis import given, strategies as st

from fedfutures.supervision.elastic import IDLE_SECONDS, ElasticWorkers
from fedfutures.wire.control import ResizeHost


def told(elastic: ElasticWorkers, wanted: int, now: float) -> list[int]:
    return [frame.workers for frame in elastic.report(wanted, 0, now) if isinstance(frame, ResizeHost)]


def test_they_come_at_once_and_no_more_than_may() -> None:
    elastic = ElasticWorkers(1, 4)
    assert [told(elastic, wanted, 0.0) for wanted in (0, 1, 3, 3, 9)] == [[], [], [3], [], [4]]


def test_they_go_when_they_had_nothing_to_do_for_a_while() -> None:
    elastic = ElasticWorkers(1, 4)
    told(elastic, 4, 0.0)
    assert told(elastic, 0, 1.0) == []
    assert elastic.next_deadline() == 1.0 + IDLE_SECONDS
    assert told(elastic, 0, 1.0 + IDLE_SECONDS) == [1]
    assert elastic.next_deadline() is None


def test_as_many_stay_as_had_something_meanwhile() -> None:
    elastic = ElasticWorkers(1, 4)
    told(elastic, 4, 0.0)
    told(elastic, 0, 1.0)
    told(elastic, 2, 2.0)
    told(elastic, 0, 3.0)
    assert told(elastic, 0, 1.0 + IDLE_SECONDS) == [2]
    assert told(elastic, 0, 1.1 + IDLE_SECONDS) == []
    assert told(elastic, 0, 1.1 + 2 * IDLE_SECONDS) == [1]


def test_who_has_all_to_do_again_loses_none() -> None:
    elastic = ElasticWorkers(1, 4)
    told(elastic, 4, 0.0)
    told(elastic, 0, 1.0)
    assert told(elastic, 4, 2.0) == []
    assert elastic.next_deadline() is None


@given(st.integers(1, 4), st.integers(0, 4), st.lists(st.tuples(st.integers(0, 12), st.floats(0.0, 9.0))))
def test_there_are_never_too_few_for_what_is_wanted_nor_too_many(
    least: int, more: int, steps: list[tuple[int, float]]
) -> None:
    elastic, now = ElasticWorkers(least, least + more), 0.0
    for wanted, seconds in steps:
        now += seconds
        news = told(elastic, wanted, now)
        assert min(wanted, least + more) <= elastic.workers
        assert least <= elastic.workers <= least + more
        assert news in ([], [elastic.workers])
    for step in range(1, 4):
        told(elastic, 0, now + step * (IDLE_SECONDS + 0.1))
    assert elastic.workers == least
