"""Losses: crashes are counted, what a silent neighbour held is in doubt, what a submitter gave is dropped."""

from __future__ import annotations

import pytest

from fedfutures.broker.claims import Claims
from fedfutures.broker.delivery import Delivery
from fedfutures.broker.events import EndedFor, PeerLost
from fedfutures.broker.files import Sweep
from fedfutures.broker.ledger import Ledger
from fedfutures.broker.lots import Lot
from fedfutures.broker.outbox import Outbox
from fedfutures.broker.recovery import ANNOUNCE_SECONDS, CRASH_LIMIT, EXPECT_SECONDS, Recovery
from fedfutures.broker.segment_cache import SegmentCache
from fedfutures.federation.terms import FREE, Conditions, Terms
from fedfutures.wire.facts import packed_unmeasured
from fedfutures.wire.messages import (
    ALONE_FLAG,
    APART_FLAG,
    BELOW_FLAG,
    CANCELLED,
    LOST,
    OF_FUTURE,
    OF_KERNEL,
    OF_WORKER,
    OUT_OF_MEMORY,
    POISONED,
    Cancel,
    Results,
)

from . import nodes


class Ward:
    """The losses among Worker "w", Origin "o" and neighbour "n", to whom Futures were given or lent."""

    def __init__(self) -> None:
        self.outbox, self.ledger, self.n = Outbox(), Ledger(), nodes.neighbour("n")
        peers = nodes.table(nodes.worker("w"), nodes.origin("o"), self.n)
        for name in peers:
            self.ledger.open(name)
        cache = SegmentCache(self.outbox, 100)
        delivery = Delivery(peers, self.outbox, cache, lambda report: repr(report).encode(), self.ledger.is_owed)
        self.recovery = Recovery(peers, self.ledger, delivery, cache, Claims(), self.outbox)
        self.batches = 0

    def queue(self, *ids: int, crashes: int = 0, conditions: Conditions = FREE) -> Lot:
        self.batches += 1
        terms = Terms("o", b"f", "o", 0, 1, crashes, conditions=conditions)
        return self.ledger.admit("o", self.batches, terms, list(ids), [b"p"] * len(ids))

    def give(self, holder: str, *ids: int, crashes: int = 0) -> int:
        return self.ledger.give(self.queue(*ids, crashes=crashes), len(ids), holder, 0.0)[0]

    def waiting(self) -> list[tuple[list[int], int, int]]:
        self.ledger.check()
        return [(lot.ids, lot.terms.attempt, lot.terms.crashes) for lot in self.ledger.queue]

    def flags(self) -> list[tuple[list[int], int]]:
        return [(lot.ids, lot.terms.conditions.flags) for lot in self.ledger.queue]

    def said(self) -> list[tuple[str, object]]:
        return nodes.said(self.outbox)

    def outcomes(self) -> list[tuple[int, bytes]]:
        found = [said for _, said in nodes.said(self.outbox) if isinstance(said, Results)]
        return [(one.odd[0][1], one.outcomes[0]) for one in found]

    def odd(self) -> list[tuple[str, list[int], list[tuple[int, int]]]]:
        return [(name, said.ids, said.odd) for name, said in nodes.said(self.outbox) if isinstance(said, Results)]


@pytest.fixture
def ward() -> Ward:
    return Ward()


def lost(number: int, culprit: int, *, blame: bool = True, nested: bool = False) -> PeerLost:
    return PeerLost("w", "signal SIGSEGV", blame, (number, culprit), "dump", "host", None, nested)


def test_the_culprit_alone_is_blamed(ward: Ward) -> None:
    number = ward.give("w", 1, 2)
    ward.recovery.blame(lost(number, 2), 1, 0.0)
    ward.recovery.take_back_all("w", 1, 0.0)
    assert ward.waiting() == [([1], 2, 0), ([2], 2, 1)]
    assert (ward.recovery.crashes, ward.said()) == (1, [])


def test_at_the_limit_it_is_poisoned(ward: Ward) -> None:
    number = ward.give("w", 1, crashes=CRASH_LIMIT - 1)
    ward.recovery.blame(lost(number, 1), 1, 0.0)
    [(peer, results)] = ward.said()
    assert (peer, results.ids, results.odd) == ("o", [1], [(1, POISONED)])
    assert results.facts == packed_unmeasured("w", CRASH_LIMIT, 1)
    assert ward.ledger.intakes == []


def test_a_parent_is_not_blamed_for_what_ran_inside_of_it(ward: Ward) -> None:
    number = ward.give("w", 1, 2, crashes=CRASH_LIMIT - 1)
    ward.recovery.blame(lost(number, 1, nested=True), 1, 0.0)
    ward.recovery.take_back_all("w", 1, 0.0)
    assert sorted(ward.waiting()) == [([1], 2, 2), ([2], 2, 2)]
    assert sorted(ward.flags()) == [([1], APART_FLAG), ([2], 0)]
    assert (ward.recovery.crashes, ward.odd()) == (0, [])


def test_what_waits_for_own_futures_is_set_apart_when_another_crashes(ward: Ward) -> None:
    first, second, third = ward.give("w", 1), ward.give("w", 2, 3, 4), ward.give("w", 5)
    ward.ledger.admit("w", 1, Terms("w", b"f", "w", 0, 1, 0), [1], [b"p"])
    ward.recovery.blame(lost(second, 3), 1, 0.0)
    ward.recovery.take_back_all("w", 1, 0.0)
    ward.recovery.drop_submissions("w", 0.0)
    found = sorted((lot.ids, lot.terms.conditions.flags, lot.terms.crashes) for lot in ward.ledger.queue)
    assert found == [([1], APART_FLAG, 0), ([2], APART_FLAG, 0), ([3], ALONE_FLAG, 1), ([4], 0, 0), ([5], 0, 0)]
    assert (first, third) == (1, 3)


def test_if_that_does_not_help_all_below_it_is(ward: Ward) -> None:
    lot = ward.queue(1)
    lot.terms = lot.terms.after_crash_of_another()
    number = ward.ledger.give(lot, 1, "w", 0.0)[0]
    ward.ledger.admit("w", 1, Terms("w", b"f", "w", 0, 1, 0), [1], [b"p"])
    ward.recovery.blame(lost(ward.give("w", 2), 2), 1, 0.0)
    ward.recovery.drop_submissions("w", 0.0)
    assert sorted(ward.flags()) == [([1], APART_FLAG | BELOW_FLAG), ([2], ALONE_FLAG)]
    assert number == 1


@pytest.mark.parametrize(
    ("memory", "bound", "whose"), [(500, 0, OF_FUTURE), (500, 900, OF_WORKER), (0, 900, OF_WORKER)]
)
def test_what_used_too_much_memory_fails_at_once(ward: Ward, memory: int, bound: int, whose: int) -> None:
    lot = ward.queue(1, 2, conditions=Conditions(memory=memory) if memory else FREE)
    number = ward.ledger.give(lot, 2, "w", 0.0)[0]
    why = EndedFor(OUT_OF_MEMORY, number, 2, 1000, bound)
    ward.recovery.blame(PeerLost("w", "over", False, (number, 1), "dump", "host", why), 1, 0.0)
    ward.recovery.take_back_all("w", 1, 0.0)
    report = ("host", "w", "over", 1, "dump", 1000, bound or memory, whose)
    assert ward.outcomes() == [(OUT_OF_MEMORY, repr(report).encode())]
    assert ward.waiting() == [([1], 2, 0)]


def test_a_parent_is_not_blamed_for_what_was_used_inside_of_it(ward: Ward) -> None:
    number = ward.give("w", 1, 2)
    event = PeerLost("w", "over", False, (number, 1), "", "host", EndedFor(OUT_OF_MEMORY, number, 1, 9, 8), True)
    ward.recovery.blame(event, 1, 0.0)
    ward.recovery.take_back_all("w", 1, 0.0)
    assert (ward.outcomes(), sorted(ward.flags())) == ([], [([1], APART_FLAG), ([2], 0)])
    lot = ward.queue(3, conditions=Conditions(flags=APART_FLAG))
    last = ward.ledger.give(lot, 1, "w", 0.0)[0]
    why = EndedFor(OUT_OF_MEMORY, last, 3, 9, 8)
    ward.recovery.blame(PeerLost("w", "over", False, (last, 3), "", "host", why, True), 1, 0.0)
    assert [kind for kind, _ in ward.outcomes()] == [OUT_OF_MEMORY]


def test_without_a_limit_nobody_has_used_too_much(ward: Ward) -> None:
    number = ward.give("w", 1)
    why = EndedFor(OUT_OF_MEMORY, number, 1, 1000, 0)
    ward.recovery.blame(PeerLost("w", "over", False, (number, 1), "", "host", why), 1, 0.0)
    ward.recovery.take_back_all("w", 1, 0.0)
    assert (ward.outcomes(), ward.waiting()) == ([], [([1], 2, 0)])


def test_what_the_kernel_has_killed_runs_again_until_it_is_poisoned(ward: Ward) -> None:
    number, why = ward.give("w", 1), EndedFor(OUT_OF_MEMORY, 1, 1, 1000, 4000)
    ward.recovery.blame(PeerLost("w", "SIGKILL", True, (number, 1), "", "host", why), 1, 0.0)
    assert (ward.outcomes(), ward.waiting()) == ([], [([1], 2, 1)])
    last = ward.give("w", 2, crashes=CRASH_LIMIT - 1)
    ward.recovery.blame(PeerLost("w", "SIGKILL", True, (last, 2), "", "host", why._replace(piece=last)), 1, 0.0)
    report = ("host", "w", "SIGKILL", CRASH_LIMIT, "", 1000, 4000, OF_KERNEL)
    assert ward.outcomes() == [(OUT_OF_MEMORY, repr(report).encode())]


def test_what_the_culprit_has_printed_stands_behind_the_rest(ward: Ward) -> None:
    for culprit, more in ((1, [["out", "err"]]), (2, [])):
        number = ward.give("w", culprit, crashes=CRASH_LIMIT - 1)
        event = lost(number, culprit)
        event.printed = ([number, 1], ["out", "err"])
        ward.recovery.blame(event, 1, 0.0)
        [(_, results)] = ward.said()
        report = ["host", "w", "signal SIGSEGV", CRASH_LIMIT, "dump", *more]
        assert results.outcomes == [repr(tuple(report)).encode()]


def test_without_blame_nobody_is(ward: Ward) -> None:
    number = ward.give("w", 1)
    ward.recovery.blame(lost(number, 1, blame=False), 1, 0.0)
    ward.recovery.blame(lost(number, 9), 1, 0.0)
    assert (ward.recovery.crashes, ward.waiting()) == (0, [])


def test_what_was_cancelled_does_not_run_again(ward: Ward) -> None:
    number = ward.give("w", 1, 2, 3)
    ward.recovery.cancel("o", Cancel(1, [1, 2]), 0.0)
    assert ward.said() == [("w", Cancel(number, [1, 2]))]
    ward.recovery.blame(lost(number, 1), 1, 0.0)
    assert ward.odd() == [("o", [1], [(1, CANCELLED)])]
    ward.recovery.take_back_all("w", 1, 0.0)
    assert ward.odd() == [("o", [2], [(2, CANCELLED)])]
    assert ward.waiting() == [([3], 2, 0)]


def test_of_a_silent_neighbour_the_first_result_counts(ward: Ward) -> None:
    number = ward.give("n", 1, 2, 3)
    ward.recovery.doubt("n")
    ward.recovery.take_back_all("n", 1, 0.0)
    ward.ledger.give(ward.ledger.queue.head(), 1, "w", 0.0)
    ward.recovery.recall_doubtful(ward.n, 0.0)
    assert ward.said() == [("n", Cancel(number, [1, 2, 3]))]
    late = Results(number, 1, [1, 2, 3], [b"a", b"b", b""], [(3, CANCELLED)])
    ward.recovery.settle_doubtful("n", late, 0.0)
    assert ward.said() == [("w", Cancel(1, [1])), ("o", Results(1, 1, [1, 2], [b"a", b"b"], []))]
    assert ward.waiting() == [([3], 2, 0)], "what it dropped as asked is run by others"
    assert ward.recovery.doubtful == {}
    ward.recovery.settle_doubtful("n", late, 0.0)
    assert ward.said() == []


def test_of_a_stopped_worker_others_run_what_it_has_not_started(ward: Ward) -> None:
    first, second = ward.give("w", 1, 2, 3), ward.give("w", 4, 5)
    before = ward.give("w", 6)
    ward.recovery.set_aside("w", (second, 4), 1, 0.0)
    assert ward.waiting() == [([5], 2, 0), ([6], 2, 0)], "of the first piece nobody knows what it has started"
    late = Results(before, 1, [6], [b"r"], [])
    ward.recovery.settle_doubtful("w", late, 0.0)
    assert ward.odd() == [("o", [6], [])], "its result counts, as it is the first"
    assert ward.waiting() == [([5], 2, 0)]
    assert list(ward.ledger.accounts["w"].held[first].pending) == [1, 2, 3]


def test_a_worker_that_is_stopped_while_it_runs_nothing_has_started_nothing(ward: Ward) -> None:
    number = ward.give("w", 1, 2)
    ward.recovery.cancel("o", Cancel(1, [1]), 0.0)
    assert ward.said() == [("w", Cancel(number, [1]))]
    ward.recovery.set_aside("w", None, 1, 0.0)
    assert ward.odd() == [("o", [1], [(1, CANCELLED)])], "what was cancelled is not run by anybody"
    assert ward.waiting() == [([2], 2, 0)]


def test_a_stopped_worker_that_has_submitted_futures_keeps_what_it_has(ward: Ward) -> None:
    number = ward.give("w", 1, 2)
    ward.ledger.admit("w", 1, Terms("w", b"f", "w", 0, 1, 0), [1], [b"p"])
    ward.recovery.set_aside("w", (number, 1), 1, 0.0)
    assert ward.waiting() == [([1], 1, 0)]
    assert ward.recovery.doubtful == {}


def test_what_a_submitter_gave_goes_with_it(ward: Ward) -> None:
    number = ward.give("w", 1)
    ward.queue(2)
    ward.recovery.take_back_all("o", 1, 0.0)
    ward.recovery.drop_submissions("o", 0.0)
    assert ward.said() == [("w", Cancel(number, [1]))]
    assert (ward.waiting(), ward.ledger.intakes) == ([], [])


def test_a_worker_that_has_ended_is_not_waited_for_and_its_segments_go(ward: Ward) -> None:
    ward.recovery.expect({"w", "v"}, [], 0.0)
    ward.recovery.on_end("w")
    assert ward.recovery.expected == {"v": EXPECT_SECONDS}
    assert ward.outbox.take() == [Sweep("w")]


def test_where_nobody_will_come_what_waits_fails(ward: Ward) -> None:
    ward.queue(1, 2)
    ward.recovery.give_up("no Worker starts")
    ward.recovery.fail_queued(0.0)
    assert ward.odd() == [("o", [1, 2], [(1, LOST), (2, LOST)])]


def test_workers_that_are_expected_hear_of_this_broker_until_it_is_too_late(ward: Ward) -> None:
    recovery = ward.recovery
    assert not recovery.is_to_announce(0.0)
    recovery.expect({"v", "w"}, ["n"], 0.0)
    told = [recovery.is_to_announce(now) for now in (0.0, 0.01, ANNOUNCE_SECONDS, EXPECT_SECONDS)]
    assert told == [True, False, True, False]
    assert recovery.expected == {}
