"""The Broker's books: which Futures came from whom, wait here, or are with whom.

Every unresolved Future that the Broker knows of is in exactly one place: in a :class:`Lot` that waits (in the queue, or
parked under a key until something has come that it needs), or in the ``pending`` of one :class:`Piece` that a peer
holds. Only the methods of :class:`Ledger` move a Future, and each leaves the books whole (:meth:`Ledger.check`). The
ledger sends nothing and knows peers by their names alone: what has to be said it returns.

A submitter that leaves takes its intakes with it; pieces of them that others hold have no intake from then on, and
their results are dropped.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from ..errors import RemoteProtocolError
from ..federation.session import remember
from ..federation.terms import Terms
from .lots import SHARD, Intake, Lot, Piece, Source
from .queue import WorkQueue

ELSEWHERE = ("elsewhere",)
"""Futures that are not to run on this host are parked under this key while neighbours could run them."""


class Account:
    """What one peer has given to this Broker, and what it holds for it."""

    __slots__ = ("finished", "given", "held", "intakes", "last_piece", "name", "pending", "shards")

    def __init__(self, name: str) -> None:
        self.name = name
        self.intakes: dict[int, Intake] = {}  # by the numbers of its Batches
        self.finished: list[tuple[int, Terms]] = []  # intakes that resolved last
        self.held: dict[int, Piece] = {}
        self.shards: dict[int, list[int]] = {}  # piece number -> keys in `held` beside the number
        self.last_piece = 0  # the last number given to a piece
        self.pending = 0  # how many Futures it holds
        self.given = 0  # how many it was ever given

    def find(self, number: int, ids: list[int]) -> list[tuple[Piece, list[int]]]:
        """Return the pieces that a message about piece `number` speaks of, and which Futures of each."""
        found = []
        for key in (number, *self.shards.get(number, ())):
            piece = self.held.get(key)
            if piece is not None and (here := [i for i in ids if i in piece.pending]):
                found.append((piece, here))
        return found

    def require_given(self, number: int) -> None:
        """Raise for a message about a piece that the peer was never given; late messages are no offence."""
        if number > self.last_piece:
            raise RemoteProtocolError(
                f"{self.name} speaks of piece {number}, and was given none after {self.last_piece}"
            )


Recall = tuple[Piece, list[int]]
"""Futures that their holder is to be asked to drop."""
Cancelled = tuple[Intake, list[int]]
"""Futures that were taken out of the books because their submitter has cancelled them: it is to be told."""


class Ledger:
    """The books of one Broker."""

    def __init__(self) -> None:
        self.queue = WorkQueue()
        self.accounts: dict[str, Account] = {}
        self.parked: dict[Hashable, list[Lot]] = {}
        self.resolved = 0
        self.changed: set[str] = set()  # peers that hold less, or adopted more, since :meth:`take_changed`
        self.vacated: list[Hashable] = []  # keys under which nothing waits any more, see :meth:`take_vacated`
        self._parkings = 0

    # -- accounts ----------------------------------------------------------------------------------------------------

    def open(self, name: str) -> None:
        """A peer is new."""
        self.accounts[name] = Account(name)

    def close(self, name: str) -> list[Recall]:
        """A peer that holds nothing is gone, and what it gave with it; return what others hold of that."""
        recalls: list[Recall] = []
        account = self.accounts[name]
        for intake in account.intakes.values():
            for lot in list(intake.lots):
                self._withdraw(lot, set(lot.ids))
        for intake in account.intakes.values():
            for piece in intake.sorted_pieces():
                piece.lose_submitter()
                recalls.append((piece, list(piece.pending)))
        del self.accounts[name]
        self.changed.discard(name)
        return recalls

    def note_number(self, name: str, number: int) -> Account:
        """A peer uses a number for a piece that this Broker has not given."""
        account = self.accounts[name]
        account.last_piece = max(account.last_piece, number)
        return account

    def find_intake(self, source: Source) -> Intake | None:
        """Return the intake of this Batch of a peer, if Futures of it have not resolved."""
        account = self.accounts.get(source[0])
        return None if account is None else account.intakes.get(source[1])

    def is_open(self, source: Source) -> bool:
        """Whether Futures of this Batch of a peer have not resolved."""
        return self.find_intake(source) is not None

    # -- moves -------------------------------------------------------------------------------------------------------

    def admit(
        self, giver: str, number: int, terms: Terms, ids: list[int], payloads: list[bytes], key: Hashable = None
    ) -> Lot:  # fmt: skip
        """Take in a Batch: its Futures wait in the queue, or, with a `key`, are parked under it."""
        intakes = self.accounts[giver].intakes
        if number in intakes or not ids:
            raise RemoteProtocolError("a piece number was used twice, or a Batch is empty")
        intake = intakes[number] = Intake(giver, number, terms, len(ids))
        return self._wait(Lot(intake, terms, ids, payloads, key))

    def give(
        self, lot: Lot, count: int, holder: str, seconds: float, to: str = ""
    ) -> tuple[int, list[int], list[bytes]]:
        """Give a peer the first Futures of a lot; return the number of the new piece, and what is in it.

        In the queue their root is charged with `seconds` for each (:meth:`.WorkQueue.take`).
        """
        ids, payloads = self._cut(lot, count, seconds, to)
        account = self.accounts[holder]
        account.last_piece += 1
        account.given += len(ids)
        self._hold(account, account.last_piece, lot, lot.terms, ids, payloads)
        return account.last_piece, ids, payloads

    def settle(self, piece: Piece, ids: Iterable[int]) -> list[int]:
        """Futures of a piece have outcomes; return which of them had none before."""
        pending = piece.pending
        fresh = [i for i in ids if pending.pop(i, None) is not None]
        account = self.accounts[piece.holder]
        account.pending -= len(fresh)
        self.changed.add(piece.holder)
        if fresh:
            intake = piece.intake
            if not pending:
                self._strike_out(account, piece)
            if intake is not None:
                self._resolve(intake, len(fresh))
        return fresh

    def settle_waiting(self, lot: Lot, ids: set[int]) -> list[int]:
        """Futures of a lot that waits have outcomes; return them in their order."""
        settled, _ = self._withdraw(lot, ids)
        self._resolve(lot.intake, len(settled))
        return settled

    def settle_late(self, intake: Intake, ids: list[int]) -> tuple[set[int], list[Recall]]:
        """Futures have outcomes that were taken back from a peer; return those that had none, and who runs them now."""
        wanted = set(ids)
        found: set[int] = set()
        for lot in intake.sorted_lots():
            if not wanted.isdisjoint(lot.ids):
                found.update(self.settle_waiting(lot, wanted))
        recalls: list[Recall] = []
        for piece in intake.sorted_pieces():
            if fresh := self.settle(piece, ids):
                found.update(fresh)
                recalls.append((piece, fresh))
        return found, recalls

    def cancel(self, intake: Intake, ids: list[int]) -> tuple[list[list[int]], list[Recall]]:
        """A submitter does not want Futures any more; return those that waited, and those that are with others."""
        wanted = set(ids)
        settled = [self.settle_waiting(lot, wanted) for lot in intake.sorted_lots() if not wanted.isdisjoint(lot.ids)]
        recalls: list[Recall] = []
        for piece in intake.sorted_pieces():
            if held := [i for i in ids if i in piece.pending]:
                piece.cancel(held)
                recalls.append((piece, held))
        return settled, recalls

    def take_back(
        self, piece: Piece, ids: list[int], terms: Terms, parts: int, key: Hashable = None
    ) -> list[Cancelled]:  # fmt: skip
        """Take Futures from their holder, to be given out first, in `parts`; park them where there is a `key`.

        Those that were cancelled meanwhile are settled and returned.
        """
        pending, account, intake = piece.pending, self.accounts[piece.holder], piece.intake
        taken = [(i, pending.pop(i)) for i in ids if i in pending]
        account.pending -= len(taken)
        self.changed.add(piece.holder)
        if taken and not pending:
            self._strike_out(account, piece)
        if intake is None:
            return []
        unwanted = [i for i, _ in taken if i in piece.unwanted]
        if unwanted:
            taken = [(i, payload) for i, payload in taken if i not in piece.unwanted]
            self._resolve(intake, len(unwanted))
        if taken:
            together = -(-len(taken) // max(1, parts))
            lot = Lot(intake, terms, [i for i, _ in taken], [payload for _, payload in taken], key, together)
            self._wait(lot, first=True)
        return [(intake, unwanted)] if unwanted else []

    def take_back_all(
        self, name: str, parts: int, key: Hashable = None, *, keeps_once: bool = False
    ) -> list[Cancelled]:  # fmt: skip
        """Take back all that a peer holds, what was given last first, except what it had submitted itself.

        With `keeps_once` it keeps what starts once at most, and may have.
        """
        account = self.accounts[name]
        cancelled: list[Cancelled] = []
        held = sorted(account.held.values(), key=lambda piece: -piece.key)
        kept = [piece for piece in held if piece.terms.is_once and piece.intake is not None] if keeps_once else []
        for piece in held:
            if piece in kept:
                continue
            if piece.intake is not None and piece.intake.giver == name:
                del piece.intake.pieces[name, piece.key]
                self._release(piece.intake, len(piece.pending))
            elif piece.intake is not None:
                cancelled += self.take_back(piece, list(piece.pending), piece.terms.after_loss(), parts, key)
        account.held = {piece.key: piece for piece in reversed(kept)}
        shards = {piece.number for piece in kept}
        account.shards = {number: keys for number, keys in account.shards.items() if number in shards}
        account.pending = sum(len(piece.pending) for piece in kept)
        self.changed.add(name)
        return cancelled

    def give_back(self, lot: Lot, count: int, seconds: float) -> list[int]:
        """Return Futures of a lot to the neighbour that gave them; return which."""
        ids, _ = self._cut(lot, count, seconds, lot.intake.giver)
        self._release(lot.intake, len(ids))
        return ids

    def adopt(self, lot: Lot, ids: set[int], holder: str, number: int, crashes: int) -> None:
        """A peer holds Futures of a lot, under a number of its own, since before this Broker began."""
        found, payloads = self._withdraw(lot, ids)
        account, key = self.accounts[holder], number
        if number in account.held or number in account.shards:
            keys = account.shards.setdefault(number, [])
            key = number + SHARD * (len(keys) + 1)
            keys.append(key)
        terms = lot.terms._replace(crashes=max(lot.terms.crashes, crashes))
        self._hold(account, key, lot, terms, found, payloads)
        self.changed.add(holder)

    def park(self, lot: Lot, key: Hashable, ids: set[int] | None = None) -> Lot:
        """Let a lot, or some of its Futures, wait under a key for something else than a Worker; return what does."""
        if ids is not None and len(ids) < len(lot.ids):
            return self._wait(Lot(lot.intake, lot.terms, *self._withdraw(lot, ids), key))
        if lot.key is None:
            self.queue.remove(lot)
        else:
            self._unlist(lot)
        lot.move_to(key)
        return self._wait(lot)

    def park_parts(self, lot: Lot, parts: dict[Hashable, list[int]]) -> list[Lot]:
        """Let Futures of a lot wait under several keys; return the new lots. One pass over the lot, however many."""
        taken = dict(zip(*self._withdraw(lot, {i for ids in parts.values() for i in ids})))
        return [self._wait(Lot(lot.intake, lot.terms, ids, [taken[i] for i in ids], key)) for key, ids in parts.items()]

    def unpark(self, lot: Lot) -> None:
        """What a parked lot waits for has come: it goes into the queue."""
        self._unlist(lot)
        lot.move_to(None)
        self._wait(lot)

    def count_parked(self, key: Hashable) -> int:
        """Return how many Futures wait under a key."""
        return sum(len(lot.ids) for lot in self.parked.get(key, ()))

    def take_changed(self) -> set[str]:
        """Return the peers that hold something else than before, what was given to them aside, and begin anew."""
        changed, self.changed = self.changed, set()
        return changed

    def take_vacated(self) -> list[Hashable]:
        """Return the keys under which nothing waits any more, though what was waited for has not come."""
        vacated, self.vacated = self.vacated, []
        return vacated

    # -- steps of moves ----------------------------------------------------------------------------------------------

    def _wait(self, lot: Lot, *, first: bool = False) -> Lot:
        """Let a lot that is nowhere wait in the queue, or under its key."""
        lot.intake.lots.add(lot)
        if lot.key is None:
            self.queue.add(lot, first=first)
        else:
            self._parkings += 1
            lot.line_up(self._parkings)
            self.parked.setdefault(lot.key, []).append(lot)
        return lot

    def _unlist(self, lot: Lot) -> None:
        lots = self.parked[lot.key]
        lots.remove(lot)
        if not lots:
            del self.parked[lot.key]

    def _cut(self, lot: Lot, count: int, seconds: float, to: str) -> tuple[list[int], list[bytes]]:
        """Take the first Futures out of a lot."""
        if lot.key is None:
            found = self.queue.take(lot, count, seconds, to)
            if not lot.ids:
                lot.intake.lots.discard(lot)
            return found
        found = lot.cut(count)
        if not lot.ids:
            self._vacate(lot)
        return found

    def _withdraw(self, lot: Lot, ids: set[int]) -> tuple[list[int], list[bytes]]:
        """Take these Futures out of a lot."""
        found = self.queue.withdraw(lot, ids) if lot.key is None else lot.part(ids)
        if not lot.ids:
            self._vacate(lot)
        return found

    def _vacate(self, lot: Lot) -> None:
        """Nothing is left of a lot."""
        lot.intake.lots.discard(lot)
        if lot.key is not None:
            self._unlist(lot)
            if lot.key not in self.parked:
                self.vacated.append(lot.key)

    def _hold(self, account: Account, key: int, lot: Lot, terms: Terms, ids: list[int], payloads: list[bytes]) -> None:
        piece = Piece(lot.intake, terms, account.name, key, dict(zip(ids, payloads)))
        account.held[key] = lot.intake.pieces[account.name, key] = piece
        account.pending += len(ids)

    def _strike_out(self, account: Account, piece: Piece) -> None:
        """A peer holds nothing of a piece any more."""
        del account.held[piece.key]
        if account.shards:
            number = piece.number
            keys = account.shards.get(number, ())
            if keys and not any(key in account.held for key in (number, *keys)):
                del account.shards[number]
        if piece.intake is not None:
            del piece.intake.pieces[account.name, piece.key]

    def is_owed(self, name: str) -> bool:
        """Whether Futures that a peer has given are not resolved."""
        account = self.accounts.get(name)
        return account is not None and bool(account.intakes)

    def _resolve(self, intake: Intake, count: int) -> None:
        """So many Futures of an intake have resolved."""
        self.resolved += count
        if intake.leave(count):
            account = self.accounts[intake.giver]
            del account.intakes[intake.number]
            remember(account.finished, intake.number, intake.terms)

    def _release(self, intake: Intake, count: int) -> None:
        """So many Futures of an intake are here no more."""
        if intake.leave(count):
            del self.accounts[intake.giver].intakes[intake.number]

    # -- for people and tests ----------------------------------------------------------------------------------------

    @property
    def intakes(self) -> list[Intake]:
        """All that has not resolved, by whoever gave it."""
        return [intake for account in self.accounts.values() for intake in account.intakes.values()]

    def lots(self) -> list[Lot]:
        """Return all that waits here."""
        return [*self.queue, *(lot for lots in self.parked.values() for lot in lots)]

    def held(self, submitter: str, number: int) -> Iterator[Piece]:
        """Find the pieces that a Future is in: one at most."""
        for account in self.accounts.values():
            for piece in account.held.values():
                if piece.terms.submitter == submitter and number in piece.pending:
                    yield piece

    def check(self) -> None:
        """Assert that every Future is in one place, that counts are sums, and that the books agree."""
        lots = pieces = 0
        for account in self.accounts.values():
            pending = 0
            for key, piece in account.held.items():
                pending += len(piece.pending)
                assert piece.pending, f"{account.name} holds an empty piece"
                assert (piece.holder, piece.key) == (account.name, key), "a piece is in another's account"
                if piece.intake is not None:
                    pieces += 1
                    assert piece.intake.pieces.get((account.name, key)) is piece, "an intake lacks a piece"
            assert account.pending == pending, f"the count of what {account.name} holds is off"
            for number, keys in account.shards.items():
                assert any(key in account.held for key in (number, *keys)), "shards of nothing"
            for intake in account.intakes.values():
                lots -= len(intake.lots)
                pieces -= len(intake.pieces)
                ids = [i for lot in intake.lots for i in lot.ids]
                for piece in intake.pieces.values():
                    ids += piece.pending
                assert len(ids) == len(set(ids)) == intake.left > 0, "a Future is in two places, or in none"
        places: list[tuple[Hashable, Iterable[Lot]]] = [(None, self.queue), *self.parked.items()]
        for place, waiting in places:
            for lot in waiting:
                lots += 1
                assert lot.key == place, "a lot is not where it says"
                assert lot in lot.intake.lots, "an intake lacks a lot"
                assert len(lot.ids) == len(lot.payloads) > 0, "a lot is empty or uneven"
        assert all(self.parked.values()), "nothing is parked under a key"
        assert lots == pieces == 0, "an intake knows a lot or a piece that is nowhere"
        self.queue.check()
