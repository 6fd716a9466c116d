"""What a Broker says of itself: counts, and where a Future is."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fedfutures.broker.deferrals import Deferrals, Deferred
from fedfutures.broker.delivery import Delivery
from fedfutures.broker.downloads import Downloads
from fedfutures.broker.functions import Functions
from fedfutures.broker.ledger import Ledger
from fedfutures.broker.load import Load
from fedfutures.broker.lots import Lot
from fedfutures.broker.outbox import Outbox
from fedfutures.broker.recovery import Recovery
from fedfutures.broker.report import Report
from fedfutures.broker.segment_cache import SegmentCache
from fedfutures.broker.sessions import Sessions
from fedfutures.federation.schedule import Durations
from fedfutures.federation.terms import Terms
from fedfutures.wire.messages import Demand, Function

from . import nodes


class Desk:
    """The parts of Broker "b", which knows Origin "o", Worker "w" and neighbour "n"."""

    def __init__(self) -> None:
        outbox, self.ledger = Outbox(), Ledger()
        self.peers = nodes.table(nodes.origin("o"), nodes.worker("w"), nodes.neighbour("n"))
        self.load = Load(1, 4, self.ledger, Durations(), outbox)
        for peer in self.peers.values():
            self.ledger.open(peer.name)
            self.load.join(peer)
        cache = SegmentCache(outbox, 100)
        delivery = Delivery(self.peers, outbox, cache, lambda report: b"")
        self.functions = Functions(outbox, self.peers, self.ledger)
        downloads: Downloads[Deferred] = Downloads(outbox, lambda name: True)
        self.deferrals = Deferrals(self.ledger, outbox, downloads, cache, lambda name: -1)
        self.sessions = Sessions("b", 1, 4, random.Random(1), self.peers, delivery, outbox)
        recovery = Recovery(self.peers, self.ledger, delivery, cache, outbox)
        self.report = Report(
            "b", self.ledger, self.load, self.functions, downloads, self.deferrals, recovery, self.sessions
        )

    def admit(self, *ids: int, number: int, key: Any = None, submitter: str = "o", crashes: int = 0) -> Lot:
        terms = Terms(submitter, b"\xab\xcd\xef\x01\x23", "o", 0, 2, crashes)
        return self.ledger.admit("o", number, terms, list(ids), [b"p"] * len(ids), key)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def changes(desk: Desk, before: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in desk.report.statistics().items() if count != before[name]}


def test_counts_follow_what_the_parts_hold(desk: Desk) -> None:
    before = desk.report.statistics()
    assert {name: count for name, count in before.items() if count} == {"peers": 3, "workers": 1, "neighbours": 1}
    lot = desk.admit(1, 2, 3, number=8)
    desk.admit(4, number=9, key=b"digest")
    assert changes(desk, before) == {"queued": 3}
    number, _, _ = desk.ledger.give(lot, 2, "w", 0.0)
    assert changes(desk, before) == {"queued": 1, "held": 2}
    desk.ledger.settle(desk.ledger.accounts["w"].held[number], [1])
    assert changes(desk, before) == {"queued": 1, "held": 1, "resolved": 1}
    desk.functions.on_function(desk.peers["o"], Function(b"digest", "f", b"body"), 0.0)
    desk.sessions.note_violation()
    assert changes(desk, before) == {"queued": 2, "held": 1, "resolved": 1, "functions": 1, "violations": 1}


def test_a_queued_future_is_explained_by_the_room_of_workers(desk: Desk) -> None:
    desk.admit(1, 2, number=8)
    assert desk.report.explain("o", 2) == "queued at Broker b, 2 in all; Workers have room for 0"
    desk.load.on_demand("w", Demand(3, 0))
    assert desk.report.explain("o", 2) == "queued at Broker b, 2 in all; Workers have room for 3"


def test_a_parked_future_is_explained_by_what_it_waits_for(desk: Desk) -> None:
    desk.admit(1, number=8, key=b"\xab\xcd\xef\x01\x23")
    assert desk.report.explain("o", 1) == "waits at Broker b for the definition of function abcdef01"


def test_a_given_future_is_explained_by_its_holder(desk: Desk) -> None:
    desk.ledger.give(desk.admit(1, 2, number=8, crashes=1), 2, "n", 0.0)
    assert desk.report.explain("o", 2) == "with n, attempt 2, 1 crashes"


def test_a_future_is_known_by_submitter_and_number_together(desk: Desk) -> None:
    desk.admit(1, number=8)
    desk.ledger.give(desk.admit(2, number=9), 1, "w", 0.0)
    asked = [("o", 3), ("w", 1), ("w", 2)]
    assert [desk.report.explain(*each) for each in asked] == ["not known to Broker b"] * 3
