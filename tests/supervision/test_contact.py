"""When a host takes the run for ended: a table of what has happened, and the same by a list of all that was seen."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given, strategies as st

from fedfutures.supervision.contact import (
    BELOW_SECONDS,
    IN_JOB_SECONDS,
    IN_ORDER_SECONDS,
    LOOK_SECONDS,
    SILENT_SECONDS,
    Contact,
    ParentLink,
)

GRACE = 30.0
END = 100.0
"""When the connection ends, in the examples."""


def ended(*links: tuple[float, ParentLink], in_job: bool = False, heard: float = END, by_other: bool = True) -> float:
    """Return when a host ends: its connection ended at END, it was heard before, and the link was seen so since."""
    contact = Contact(GRACE, 0.0, in_job=in_job)
    contact.on_heard(heard)
    contact.on_end(END, by_other=by_other)
    now, index = END, 0
    while not contact.is_over(now):
        while index + 1 < len(links) and links[index + 1][0] <= now:
            index += 1
        if contact.wants_look(now) and links:
            contact.on_link(links[index][1], now)
        contact.check()
        due = contact.next_deadline()
        assert due is not None
        now = max(now, due) if links else due
    return now


@pytest.mark.parametrize("link", [ParentLink.LIVES, ParentLink.UNKNOWN, ParentLink.SILENT, ParentLink.RELAYED])
def test_a_connection_that_ends_alone_may_come_back_within_the_grace(link: ParentLink) -> None:
    assert ended((END, link)) == pytest.approx(END + GRACE)


def test_where_both_ways_have_ended_nobody_is_waited_for() -> None:
    assert ended((END, ParentLink.GONE)) == pytest.approx(END + IN_ORDER_SECONDS)


def test_a_link_that_ends_a_moment_later_has_ended_with_the_connection() -> None:
    later = END + 2 * LOOK_SECONDS
    assert ended((END, ParentLink.LIVES), (later, ParentLink.GONE)) == pytest.approx(END + IN_ORDER_SECONDS)


def test_below_a_host_that_has_ended_for_want_of_its_own_parent_little_time_is_left() -> None:
    later = END + IN_ORDER_SECONDS + LOOK_SECONDS
    assert ended((END, ParentLink.LIVES), (later, ParentLink.GONE)) <= later + BELOW_SECONDS + LOOK_SECONDS + 1e-6


@pytest.mark.parametrize("link", [ParentLink.SILENT, ParentLink.RELAYED])
def test_what_this_host_closes_itself_says_nothing_new(link: ParentLink) -> None:
    assert ended((END, link), (END + 3.0, ParentLink.GONE)) == pytest.approx(END + GRACE)


def test_in_a_batch_job_a_link_through_the_connection_ends_with_it() -> None:
    assert ended((END, ParentLink.RELAYED), in_job=True) == pytest.approx(END + IN_JOB_SECONDS)
    assert ended((END, ParentLink.LIVES), in_job=True) == pytest.approx(END + GRACE)


def test_a_connection_that_was_silent_before_it_ended_was_cut() -> None:
    heard = END - SILENT_SECONDS - 1.0
    assert ended((END, ParentLink.GONE), heard=heard) == pytest.approx(heard + GRACE)


def test_a_connection_that_this_host_ends_says_nothing() -> None:
    assert ended((END, ParentLink.GONE), by_other=False) == pytest.approx(END + GRACE)


def test_without_grace_the_end_of_the_connection_is_the_end() -> None:
    contact = Contact(0.0, 0.0)
    assert contact.next_deadline() is None
    assert not contact.is_over(1e9)
    contact.on_end(2.0, by_other=True)
    contact.check()
    assert contact.is_over(2.0)
    assert not contact.wants_look(2.0)


def test_who_comes_back_is_waited_for_anew() -> None:
    contact = Contact(GRACE, 0.0)
    contact.on_end(1.0, by_other=True)
    contact.on_link(ParentLink.GONE, 1.0)
    contact.on_heard(2.0)
    contact.check()
    assert not contact.is_lost
    assert not contact.wants_look(1e9)
    assert contact.next_deadline() == 2.0 + GRACE


STEP = st.one_of(
    st.just("heard"), st.sampled_from(["ended", "hung up"]), st.sampled_from(list(ParentLink)),
)  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from([0.01, 0.05, 0.3, 1.3, 4.0, 11.0]), STEP), max_size=30),
    st.booleans(), st.sampled_from([1.0, GRACE]),
)  # fmt: skip
def test_a_host_ends_when_a_naive_reader_of_all_that_has_happened_says_so(
    steps: list[tuple[float, str | ParentLink]], in_job: bool, grace: float
) -> None:
    contact, now, history = Contact(grace, 0.0, in_job=in_job), 0.0, [(0.0, "heard")]
    for pause, step in steps:
        now += pause
        assert contact.is_over(now) == naive(history, now, grace, in_job=in_job), (history, now)
        if contact.is_over(now):
            return
        if step == "heard":
            contact.on_heard(now)
        elif isinstance(step, ParentLink):
            if not contact.wants_look(now):
                continue
            contact.on_link(step, now)
        elif not contact.is_lost:
            contact.on_end(now, by_other=step == "ended")
        else:
            continue
        history.append((now, step))
        contact.check()
        due = contact.next_deadline()
        assert due is not None, "a host never waits without an end"
        assert due <= max(at for at, step in history if step == "heard") + grace


def naive(history: list[tuple[float, str | ParentLink]], now: float, grace: float, *, in_job: bool) -> bool:
    """Say the same from the list of all that has happened."""
    last = max(index for index, (_, step) in enumerate(history) if step == "heard")
    heard = history[last][0]
    since = history[last + 1 :]
    if now >= heard + grace:
        return True
    if not since or since[0][1] != "ended" or since[0][0] - heard > min(SILENT_SECONDS, grace / 2):
        return False
    seen = [(at, step) for at, step in since[1:] if isinstance(step, ParentLink)]
    own = (ParentLink.SILENT, ParentLink.RELAYED)
    gone_at, relayed, before = inf, False, None
    for at, link in seen:
        if link is ParentLink.GONE and before in own:
            continue
        gone_at = min(gone_at, at) if link is ParentLink.GONE else inf
        relayed, before = link is ParentLink.RELAYED, link
    if gone_at < inf and now >= since[0][0] + IN_ORDER_SECONDS and now >= gone_at + BELOW_SECONDS:
        return True
    return relayed and in_job and now >= since[0][0] + IN_JOB_SECONDS
