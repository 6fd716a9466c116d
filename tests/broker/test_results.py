"""Results and returned Futures: what is news goes on to the submitter, what is missing runs again."""

from __future__ import annotations

import pytest

from fedfutures.broker.adoption import Adoption
from fedfutures.broker.claims import Claims
from fedfutures.broker.delivery import Delivery
from fedfutures.broker.files import Discard, HandOver
from fedfutures.broker.ledger import Ledger
from fedfutures.broker.outbox import Outbox
from fedfutures.broker.recovery import Recovery
from fedfutures.broker.results import Settlement
from fedfutures.broker.segment_cache import SegmentCache
from fedfutures.errors import RemoteProtocolError
from fedfutures.federation.schedule import Durations
from fedfutures.federation.terms import Terms
from fedfutures.wire.messages import CANCELLED, ERROR, Cancel, Holding, Results, Return, Running

from . import nodes
from .hosts import manifest


class Counter:
    """Where Worker "w" and neighbour "n" bring what Origin "o" has submitted."""

    def __init__(self) -> None:
        self.outbox, self.ledger, self.durations = Outbox(), Ledger(), Durations()
        self.w, self.n = nodes.worker("w"), nodes.neighbour("n")
        self.peers = nodes.table(self.w, nodes.origin("o"), self.n)
        for name in self.peers:
            self.ledger.open(name)
        cache = SegmentCache(self.outbox, 100)
        delivery = Delivery(self.peers, self.outbox, cache, lambda report: repr(report).encode(), self.ledger.is_owed)
        self.claims = Claims()
        self.recovery = Recovery(self.peers, self.ledger, delivery, cache, self.claims, self.outbox)
        self.adoption = Adoption(self.peers, self.ledger, delivery, self.claims, self.outbox)
        self.settlement = Settlement(
            self.peers, self.ledger, self.durations, delivery, self.recovery, self.adoption, self.outbox
        )

    def give(self, holder: str, *ids: int, number: int = 8) -> int:
        """Have a peer hold Futures of the Origin's Batch `number`; return the number of its piece."""
        terms = Terms("o", b"f", "o", 0, 1, 0)
        lot = self.ledger.admit("o", number, terms, list(ids), [b"p"] * len(ids))
        return self.ledger.give(lot, len(ids), holder, 0.0)[0]

    def bring(self, name: str, piece: int, *ids: int, odd: list[tuple[int, int]] | None = None) -> None:
        results = Results(piece, 1, list(ids), [b"r%d" % i for i in ids], odd or [], 3.0, len(ids))
        self.settlement.on_results(name, results, 0.0)
        self.ledger.check()

    def segments_of(self, name: str, piece: int, *outcomes: bytes) -> list[Discard | HandOver]:
        """Return what becomes of the segments of outcomes of Futures 1, 2, …"""
        self.outbox.take()
        ids = list(range(1, len(outcomes) + 1))
        self.settlement.on_results(name, Results(piece, 1, ids, list(outcomes)), 0.0)
        return [action for action in self.outbox.take() if isinstance(action, Discard | HandOver)]

    def told(self) -> list[tuple[str, int, list[int], list[tuple[int, int]]]]:
        """Return (peer, Batch, Futures, kinds) of the Results that were sent."""
        said = nodes.said(self.outbox)
        return [(name, each.piece, each.ids, each.odd) for name, each in said if isinstance(each, Results)]

    def waiting(self) -> list[tuple[list[int], int, int]]:
        self.ledger.check()
        return [(lot.ids, lot.terms.attempt, lot.terms.crashes) for lot in self.ledger.queue]


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_results_go_on_once_under_the_number_of_the_submitters_batch(counter: Counter) -> None:
    piece = counter.give("w", 1, 2, 3)
    counter.bring("w", piece, 1)
    counter.bring("w", piece, 1, 2, odd=[(2, ERROR)])
    assert counter.told() == [("o", 8, [1], []), ("o", 8, [2], [(2, ERROR)])]
    counter.bring("w", piece, 3)
    counter.bring("w", piece, 3)
    assert counter.told() == [("o", 8, [3], [])]
    assert not counter.ledger.accounts["o"].intakes


def test_durations_are_learnt_from_futures_that_this_broker_has_given(counter: Counter) -> None:
    piece = counter.give("w", 1, 2)
    with pytest.raises(RemoteProtocolError, match="was given none after 1"):
        counter.bring("w", piece + 1, 9)
    assert counter.durations.of(b"f") is None
    counter.bring("w", piece, 1, 2)
    assert counter.durations.of(b"f") == 1.5


def test_a_cancelled_future_that_nobody_cancelled_is_queued_again(counter: Counter) -> None:
    piece = counter.give("w", 1, 2, 3)
    counter.recovery.cancel("o", Cancel(8, [2]), 0.0)
    nodes.said(counter.outbox)
    counter.bring("w", piece, 1, 2, 3, odd=[(1, CANCELLED), (2, CANCELLED)])
    assert counter.told() == [("o", 8, [2, 3], [(2, CANCELLED)])]
    assert counter.waiting() == [([1], 1, 0)]


def test_results_for_a_submitter_that_has_left_are_dropped(counter: Counter) -> None:
    piece = counter.give("w", 1)
    counter.ledger.close("o")
    counter.bring("w", piece, 1)
    assert counter.told() == []
    assert counter.ledger.accounts["w"].pending == 0


def test_segments_that_nobody_is_handed_are_discarded(counter: Counter) -> None:
    piece = counter.give("w", 1, 2)
    outcomes = manifest("a"), manifest("b")
    counter.bring("w", piece, 2)
    # The storage passes over "a", which was handed over before.
    assert counter.segments_of("w", piece, *outcomes) == [HandOver(["a"]), Discard(["a", "b"])]
    assert counter.segments_of("w", piece, *outcomes) == [Discard(["a", "b"])]
    assert counter.segments_of("w", piece, b"small") == []


def test_segments_of_other_hosts_and_for_a_broker_that_was_started_again_are_not_discarded(counter: Counter) -> None:
    counter.ledger.note_number("n", 7)
    assert counter.segments_of("n", 7, manifest("a")) == []
    counter.claims.on_restart(0.0)
    counter.claims.on_first_session("w")
    counter.adoption.on_holding(counter.w, Holding(7, "o", b"f", 1, 0, [1]), 0.0)
    assert counter.segments_of("w", 7, manifest("a")) == []


def test_the_submitter_is_told_what_runs(counter: Counter) -> None:
    piece, orphaned = counter.give("w", 1, 2), counter.give("n", 3, number=9)
    counter.settlement.on_running("w", Running(piece, [2]), 0.0)
    counter.settlement.on_running("w", Running(piece, [3, 7]), 0.0)
    with pytest.raises(RemoteProtocolError, match="speaks of piece"):
        counter.settlement.on_running("w", Running(piece + 7, [2]), 0.0)
    assert nodes.said(counter.outbox) == [("o", Running(8, [2]))]
    counter.ledger.close("o")
    counter.settlement.on_running("n", Running(orphaned, [3]), 0.0)
    assert nodes.said(counter.outbox) == []


def test_outcomes_that_cannot_be_had_are_computed_as_the_next_attempt(counter: Counter) -> None:
    piece = counter.give("w", 1, 2)
    counter.settlement.run_again("w", Results(piece, 1, [2], [b"r"], []), 0.0)
    assert counter.waiting() == [([2], 2, 0)]
    assert counter.ledger.accounts["w"].held[piece].pending.keys() == {1}


def test_a_neighbour_that_returns_futures_says_how_often_they_were_tried(counter: Counter) -> None:
    at_n, at_w = counter.give("n", 1, 2), counter.give("w", 3, number=9)
    assert counter.settlement.on_return(counter.n, Return(at_n, [1, 2], 4, 2), 0.0)
    assert counter.waiting() == [([1, 2], 4, 2)]
    assert counter.settlement.on_return(counter.w, Return(at_w, [3], 9, 2), 0.0)
    assert ([3], 1, 0) in counter.waiting(), "a Worker is not believed: it has none but its own tries"
    assert not counter.settlement.on_return(counter.w, Return(at_w, [3], 1, 0), 0.0)


def test_outcomes_for_an_earlier_broker_are_awaited_until_they_are_given_back(counter: Counter) -> None:
    piece = counter.give("n", 1)
    counter.claims.on_restart(0.0)
    counter.claims.on_first_session("w")
    counter.adoption.on_holding(counter.w, Holding(5, "o", b"f", 1, 0, [6, 7]), 0.0)
    held, orphans = Results(piece, 1, [1, 2], [b"", b""], []), Results(5, 1, [6], [b""], [])
    assert counter.settlement.awaited("n", held) == {1}
    assert counter.settlement.awaited("w", orphans) == {6, 7}
    counter.settlement.on_return(counter.w, Return(5, [7], 1, 0), 0.0)
    assert counter.settlement.awaited("w", orphans) == {6}
    counter.recovery.doubt("n")
    counter.recovery.take_back_all("n", 1, 0.0)
    assert counter.settlement.awaited("n", held) == {1}, "a silent neighbour may still bring it"
    counter.bring("n", piece, 1)
    assert counter.told() == [("o", 8, [1], [])]
    assert counter.settlement.awaited("n", held) == set()
