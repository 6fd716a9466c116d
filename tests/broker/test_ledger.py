"""The ledger against a naive twin: a dict from each Future to its place."""

from __future__ import annotations

import random

import pytest
from effort import scaled
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fedfutures.broker.ledger import Ledger
from fedfutures.broker.lots import SHARD, Lot, Piece
from fedfutures.errors import RemoteProtocolError
from fedfutures.federation.terms import Terms

PEERS = ("a", "b", "c")
KEYS = ("function", "segments")
PEER, KEY, DICE = st.sampled_from(PEERS), st.sampled_from(KEYS), st.randoms(use_true_random=False)
Future = tuple[str, int, int]  # giver, Batch, id


class Books(RuleBasedStateMachine):
    """The twin says where each Future is: "queue", a key, or (holder, key of the piece)."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.places: dict[Future, object] = {}
        self.unwanted: set[Future] = set()
        self.adrift: dict[tuple[str, int], set[int]] = {}  # pieces whose submitter is gone
        self.batches = self.resolved = 0
        for name in PEERS:
            self.ledger.open(name)

    # -- what there is -----------------------------------------------------------------------------------------------

    def lots(self) -> list[Lot]:
        return self.ledger.lots()

    def pieces(self) -> list[Piece]:
        return [piece for account in self.ledger.accounts.values() for piece in account.held.values()]

    def futures(self, of: Lot | Piece, ids: object) -> list[Future]:
        assert of.intake is not None
        return [(*of.intake.source, i) for i in ids]  # type: ignore[attr-defined]

    def resolve(self, futures: list[Future]) -> None:
        self.resolved += len(futures)
        for future in futures:
            del self.places[future]
            self.unwanted.discard(future)

    def some(self, dice: random.Random, ids: object) -> list[int]:
        return [i for i in ids if dice.random() < 0.6]  # type: ignore[attr-defined]

    # -- moves -------------------------------------------------------------------------------------------------------

    @rule(giver=PEER, count=st.integers(1, 5), key=st.none() | KEY, priority=st.integers(0, 1))
    def admit(self, giver: str, count: int, key: str | None, priority: int) -> None:
        self.batches += 1
        terms = Terms(giver, b"f", giver, priority, 1, 0)
        lot = self.ledger.admit(giver, self.batches, terms, list(range(count)), [b"%d" % i for i in range(count)], key)
        self.places.update(dict.fromkeys(self.futures(lot, lot.ids), key or "queue"))
        with pytest.raises(RemoteProtocolError):
            self.ledger.admit(giver, self.batches, terms, [1], [b""])

    @precondition(lambda self: self.lots())
    @rule(dice=DICE, holder=PEER, count=st.integers(1, 5))
    def give(self, dice: random.Random, holder: str, count: int) -> None:
        if lots := self.lots():
            lot = dice.choice(lots)
            futures = self.futures(lot, lot.ids[:count])
            number, ids, payloads = self.ledger.give(lot, min(count, len(lot.ids)), holder, 0.1)
            assert [future[2] for future in futures] == ids
            assert payloads == [b"%d" % i for i in ids]
            self.places.update(dict.fromkeys(futures, (holder, number)))

    @precondition(lambda self: self.pieces())
    @rule(dice=DICE)
    def settle(self, dice: random.Random) -> None:
        if pieces := self.pieces():
            piece = dice.choice(pieces)
            ids = self.some(dice, piece.pending)
            intake = piece.intake
            futures = [] if intake is None else self.futures(piece, ids)
            assert self.ledger.settle(piece, [*ids, 77]) == ids
            self.resolve(futures)
            self.adrift.get((piece.holder, piece.key), set()).difference_update(ids)

    @precondition(lambda self: self.lots())
    @rule(dice=DICE)
    def settle_what_waits(self, dice: random.Random) -> None:
        if lots := self.lots():
            lot = dice.choice(lots)
            ids = self.some(dice, lot.ids)
            futures = self.futures(lot, ids)
            assert self.ledger.settle_waiting(lot, set(ids)) == ids
            self.resolve(futures)

    @precondition(lambda self: self.ledger.intakes)
    @rule(dice=DICE)
    def settle_late(self, dice: random.Random) -> None:
        if intakes := self.ledger.intakes:
            intake = dice.choice(intakes)
            ids = self.some(dice, range(5))
            there = {i for i in ids if (*intake.source, i) in self.places}
            held = {i for i in there if isinstance(self.places[(*intake.source, i)], tuple)}
            found, recalls = self.ledger.settle_late(intake, ids)
            assert (found, {i for _, asked in recalls for i in asked}) == (there, held)
            self.resolve([(*intake.source, i) for i in there])

    @precondition(lambda self: self.ledger.intakes)
    @rule(dice=DICE)
    def cancel(self, dice: random.Random) -> None:
        if intakes := self.ledger.intakes:
            intake = dice.choice(intakes)
            ids = self.some(dice, range(5))
            there = [(*intake.source, i) for i in ids if (*intake.source, i) in self.places]
            waiting = [future for future in there if not isinstance(self.places[future], tuple)]
            settled, recalls = self.ledger.cancel(intake, ids)
            assert sorted(i for each in settled for i in each) == [i for _, _, i in waiting]
            self.resolve(waiting)
            asked = {(*intake.source, i) for _, each in recalls for i in each}
            assert asked == set(there) - set(waiting)
            self.unwanted |= asked

    @precondition(lambda self: self.pieces())
    @rule(dice=DICE, key=st.none() | KEY, parts=st.integers(0, 3))
    def take_back(self, dice: random.Random, key: str | None, parts: int) -> None:
        if pieces := self.pieces():
            piece = dice.choice(pieces)
            self.taken(piece, self.some(dice, piece.pending), piece.terms.after_loss(), parts, key)

    def taken(self, piece: Piece, ids: list[int], terms: Terms, parts: int, key: str | None) -> None:
        intake, futures = piece.intake, [] if piece.intake is None else self.futures(piece, ids)
        cancelled = [future for future in futures if future in self.unwanted]
        found = self.ledger.take_back(piece, ids, terms, parts, key)
        assert found == ([(intake, [i for _, _, i in cancelled])] if cancelled else [])
        self.places.update(dict.fromkeys(futures, key or "queue"))
        self.resolve(cancelled)
        self.adrift.get((piece.holder, piece.key), set()).difference_update(ids)

    @rule(name=PEER, key=st.none() | KEY)
    def take_back_all(self, name: str, key: str | None) -> None:
        held = [future for future, place in self.places.items() if isinstance(place, tuple) and place[0] == name]
        own = [future for future in held if future[0] == name]
        cancelled = [future for future in held if future in self.unwanted and future not in own]
        found = self.ledger.take_back_all(name, 2, key)
        assert sorted((*intake.source, i) for intake, ids in found for i in ids) == sorted(cancelled)
        self.places.update(dict.fromkeys(held, key or "queue"))
        self.resolve(cancelled)
        self.resolved -= len(own)  # what it submitted itself is nobody's any more, and has no outcome
        self.resolve(own)
        self.adrift = {place: ids for place, ids in self.adrift.items() if place[0] != name}

    @precondition(lambda self: self.ledger.queue.count)
    @rule(dice=DICE, count=st.integers(1, 5))
    def give_back(self, dice: random.Random, count: int) -> None:
        if lots := [lot for lot in self.lots() if lot.key is None]:
            lot = dice.choice(lots)
            futures = self.futures(lot, lot.ids[:count])
            assert self.ledger.give_back(lot, min(count, len(lot.ids)), 0.1) == [i for _, _, i in futures]
            self.resolved -= len(futures)
            self.resolve(futures)

    @precondition(lambda self: self.lots())
    @rule(dice=DICE, holder=PEER, number=st.integers(1, 3))
    def adopt(self, dice: random.Random, holder: str, number: int) -> None:
        lots = self.lots()
        if lots and (ids := self.some(dice, (lot := dice.choice(lots)).ids)):
            futures = self.futures(lot, ids)
            self.ledger.note_number(holder, number)
            self.ledger.adopt(lot, set(ids), holder, number, 0)
            keys = [piece.key for piece in self.pieces() if piece.holder == holder and piece.number == number]
            self.places.update(dict.fromkeys(futures, (holder, max(keys))))

    @precondition(lambda self: self.lots())
    @rule(dice=DICE, key=KEY)
    def park(self, dice: random.Random, key: str) -> None:
        if lots := self.lots():
            lot = dice.choice(lots)
            ids = self.some(dice, lot.ids)
            futures = self.futures(lot, ids)
            if ids:
                assert self.ledger.park(lot, key, set(ids)).key == key
                self.places.update(dict.fromkeys(futures, key))

    @precondition(lambda self: self.ledger.parked)
    @rule(dice=DICE)
    def unpark(self, dice: random.Random) -> None:
        if lots := [lot for lot in self.lots() if lot.key is not None]:
            lot = dice.choice(lots)
            self.places.update(dict.fromkeys(self.futures(lot, lot.ids), "queue"))
            self.ledger.unpark(lot)

    @rule(name=PEER)
    def close(self, name: str) -> None:
        """A peer leaves, and comes again."""
        self.take_back_all(name, None)
        recalls = self.ledger.close(name)
        gone = [future for future in self.places if future[0] == name]
        held = {self.places[future] for future in gone if isinstance(self.places[future], tuple)}
        assert {(piece.holder, piece.key) for piece, _ in recalls} == held
        self.adrift.update({(piece.holder, piece.key): set(ids) for piece, ids in recalls})
        self.resolved -= len(gone)
        self.resolve(gone)
        self.ledger.open(name)

    # -- the two agree -----------------------------------------------------------------------------------------------

    @invariant()
    def equal(self) -> None:
        self.ledger.check()
        found: dict[Future, object] = {}
        for lot in self.lots():
            found.update(dict.fromkeys(self.futures(lot, lot.ids), lot.key or "queue"))
        for piece in self.pieces():
            if piece.intake is None:
                assert self.adrift[piece.holder, piece.key] == set(piece.pending)
            else:
                found.update(dict.fromkeys(self.futures(piece, piece.pending), (piece.holder, piece.key)))
        assert found == self.places
        assert self.ledger.resolved == self.resolved
        for future, place in self.places.items():
            intake = self.ledger.find_intake(future[:2])
            assert intake is not None
            assert future[2] in intake.ids(), place


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=scaled(40), stateful_step_count=40, deadline=None)


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger()
    for name in PEERS:
        made.open(name)
    return made


def admitted(ledger: Ledger, *ids: int, number: int = 1, key: object = None) -> Lot:
    terms = Terms("a", b"f", "a", 0, 1, 0)
    return ledger.admit("a", number, terms, list(ids), [b"p"] * len(ids), key)


def test_what_is_taken_back_is_spread(ledger: Ledger) -> None:
    lot = admitted(ledger, 1, 2, 3, 4, 5)
    ledger.give(lot, 5, "b", 0.0)
    (piece,) = ledger.accounts["b"].held.values()
    ledger.take_back(piece, [1, 2, 3, 4, 5], piece.terms.after_crash(), 2)
    back = ledger.queue.head()
    assert (back.together, back.terms.attempt, back.terms.crashes) == (3, 2, 1)


def test_what_was_given_first_is_the_first_again(ledger: Ledger) -> None:
    for number, ids in enumerate(([1], [2, 3], [4]), 1):
        ledger.give(admitted(ledger, *ids, number=number), len(ids), "b", 0.0)
    ledger.take_back_all("b", 1)
    assert [lot.ids for lot in ledger.queue] == [[1], [2, 3], [4]]


def test_keys_are_vacated_when_nothing_waits_though_nothing_came(ledger: Ledger) -> None:
    first, second = admitted(ledger, 1, key="k"), admitted(ledger, 2, number=2, key="k")
    ledger.settle_waiting(first, {1})
    assert ledger.take_vacated() == []
    ledger.settle_waiting(second, {2})
    assert (ledger.take_vacated(), ledger.take_vacated()) == (["k"], [])
    ledger.unpark(admitted(ledger, 3, number=3, key="k"))
    assert ledger.take_vacated() == []


def test_several_pieces_may_have_one_number(ledger: Ledger) -> None:
    lot = admitted(ledger, 1, 2, 3)
    for i in (1, 2):
        ledger.adopt(lot, {i}, "b", 7, 2)
    account = ledger.accounts["b"]
    assert [(piece.key, ids) for piece, ids in account.find(7, [1, 2, 9])] == [(7, [1]), (7 + SHARD, [2])]
    assert account.held[7].terms.crashes == 2
    for piece, ids in account.find(7, [1, 2]):
        ledger.settle(piece, ids)
    assert (account.held, account.shards, account.find(7, [1])) == ({}, {}, [])


def test_the_last_batches_that_resolved_are_remembered(ledger: Ledger) -> None:
    lot = admitted(ledger, 1, number=5)
    ledger.settle_waiting(lot, {1})
    assert list(ledger.accounts["a"].finished) == [(5, lot.terms)]


def test_check_finds_a_future_in_two_places(ledger: Ledger) -> None:
    lot = admitted(ledger, 1, 2)
    ledger.give(lot, 1, "b", 0.0)
    ledger.check()
    lot.ids.append(1)
    lot.payloads.append(b"p")
    with pytest.raises(AssertionError, match="two places"):
        ledger.check()
