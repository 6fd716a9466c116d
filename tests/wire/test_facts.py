"""What is known of Futures stays with each of them, however their messages are split and joined on the way."""

from __future__ import annotations

from math import inf, nan
from struct import pack
from typing import Any

from hypothesis import given, strategies as st

from fedfutures.broker.delivery import joined, only
from fedfutures.wire import facts
from fedfutures.wire.messages import Results

from .strategies import NAMES

SECONDS = st.floats(0.0, 1e6, width=32)
ONES = st.lists(st.tuples(NAMES.filter(bool), st.integers(1, 3), SECONDS), max_size=8)


def listed(found: bytes, count: int) -> list[Any]:
    """Worker, attempts and seconds of each of so many Futures."""
    read = facts.Facts((list(range(count)), found))
    each = [read.of(number) for number in range(count)]
    return [None if fact is None else (fact.worker, fact.attempts, fact.seconds) for fact in each]


def packed(ones: list[tuple[str, int, float]]) -> bytes:
    """The facts of Futures that each ran somewhere else."""
    return b"".join(facts.packed(worker, attempts, [seconds]) for worker, attempts, seconds in ones)


def shown(ones: list[tuple[str, int, float]]) -> list[Any]:
    """The same as they come out: a name that is no UTF-8 is for people only."""
    return [
        (name.encode("utf-8", "surrogatepass").decode("utf-8", "replace"), tries, took) for name, tries, took in ones
    ]


@given(st.lists(ONES, min_size=1, max_size=4), st.data())
def test_facts_stay_with_their_futures_when_results_are_split_and_joined(
    several: list[Any], data: st.DataObject
) -> None:
    known, parts, first = {}, [], 0
    for ones in several:
        ids = list(range(first, first := first + len(ones)))
        says = data.draw(st.booleans())  # or comes from who does not know
        known.update(zip(ids, shown(ones) if says else [None] * len(ids)))
        parts.append(Results(1, 1, ids, [b""] * len(ids), facts=packed(ones) if says else b""))
    whole = joined(parts)
    for wanted in (set(range(first)), data.draw(st.sets(st.integers(0, max(0, first - 1))))):
        some = only(whole, wanted)
        assert listed(some.facts, len(some.ids)) == [known[i] for i in some.ids]


@given(ONES)
def test_each_alone_says_what_all_together_say(ones: list[tuple[str, int, float]]) -> None:
    alone = facts.single(packed(ones), len(ones))
    assert [listed(each, 1) for each in alone] == [[one] for one in shown(ones)]
    assert facts.single(b"", 3) == [b""] * 3


@given(st.binary(max_size=40), st.integers(0, 4))
def test_what_is_no_facts_says_nothing(junk: bytes, count: int) -> None:
    if not facts.kept(junk, [True] * count):
        assert listed(junk, count) == [None] * count
        assert facts.single(junk, count) == [b""] * count
    whole = facts.joined([(junk, count), (facts.packed("h.1", 1, [1.0]), 1)])
    assert listed(whole, count + 1)[-1] == ("h.1", 1, 1.0), "nobody else's facts move by it"


def test_seconds_that_nobody_has_measured_are_not_known() -> None:
    assert listed(facts.packed_unmeasured("h.1", 3, 2), 2) == [("h.1", 3, None)] * 2
    for lie in (nan, inf, -5.0):
        lying = facts.packed("h.1", 1, [1.0, 2.0])[:-4] + pack("<f", lie)
        assert listed(lying, 2) == [("h.1", 1, 1.0), ("h.1", 1, None)]


def test_the_host_is_read_off_the_name_of_the_worker() -> None:
    fact = facts.Facts(([7], facts.packed("tower.lab.3+1", 1 << 20, [0.5]))).of(7)
    assert fact == ("tower.lab.3+1", "tower.lab", (1 << 16) - 1, 0.5)
