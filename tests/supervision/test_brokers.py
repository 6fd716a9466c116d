"""Which Broker of a host is whose, who dials whom, and what a host is known by."""

from __future__ import annotations

from hypothesis import given, strategies as st

from fedfutures.supervision.brokers import FAN_OUT, broker_of, broker_places, facts_of, usual_dials
from fedfutures.wire.control import HostReady
from fedfutures.wire.names import host_of


@given(st.integers(1, 70), st.integers(0, 200))
def test_brokers_have_equal_shares_of_the_workers(brokers: int, more: int) -> None:
    workers = brokers + more
    owners = [broker_of(slot, workers, brokers) for slot in range(workers)]
    assert owners == sorted(owners)
    counts = [owners.count(index) for index in range(brokers)]
    assert sum(counts) == workers
    assert max(counts) - min(counts) <= 1
    dials = usual_dials(brokers)
    assert sorted(child for _, child in dials) == list(range(1, brokers))
    assert all(parent < child for parent, child in dials)
    assert max(map([parent for parent, _ in dials].count, range(brokers)), default=0) <= FAN_OUT


def test_facts_are_of_one_broker_and_of_the_host() -> None:
    places = broker_places("h", 2, "/d")
    assert [host_of(place.name) for place in places] == ["h", "h"]
    rows = [[place.name, place.main, place.meta, place.subscriber, place.key] for place in places]
    facts = facts_of(HostReady("/run", "/shared", "", 7, [3, 11, 2], rows, 4), 1)
    assert (facts["name"], facts["main"]) == ("h.broker2", "ipc:///d/main2")
    assert [place["name"] for place in facts["brokers"]] == ["h.broker", "h.broker2"]
    assert (facts["run"], facts["shared"], facts["disk"], facts["mark"]) == ("/run", "/shared", "", 4)
