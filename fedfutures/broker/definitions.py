"""What every node of the Federation may need to know: definitions of functions, and shared constants.

A function travels once over each link, in front of the first Batch that needs it. Who has dropped it, or never had it,
says ``Want``; a Broker that does not have it either passes the question on to where the Futures came from, and the
definition back. Constants go to everybody, and to everybody who comes later.

Modules (:mod:`..wire.modules`) go the same way, but are asked for towards the Origin, whichever Future needs them: of
an Origin that is here, else of the neighbour that dials this Broker. They are accepted from there alone. That a module
is not to be had is passed on and not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RemoteProtocolError
from ..program.snapshots import asked_for
from ..wire import messages
from ..wire.modules import is_module
from .ledger import Lot, Peer

if TYPE_CHECKING:
    from .machine import BrokerMachine

FUNCTIONS_KEPT = 4096
FUNCTION_BYTES_KEPT = 256 << 20


class Definitions:
    """The functions and constants of one Broker."""

    def __init__(self, broker: BrokerMachine) -> None:
        self._broker = broker
        self._outbox = broker.outbox
        self.functions: dict[bytes, messages.Function] = {}
        self.constants: dict[str, messages.Constant] = {}
        self.waiting: dict[bytes, list[Lot]] = {}  # for their function
        self._bytes = 0

    def learn(self, peer: Peer, function: messages.Function, now: float) -> None:
        """A definition came: what waits for it goes on."""
        digest = function.digest
        if is_module(digest):
            self._check_module(peer, digest)
            if not function.body:
                self._deny(function, now)
                return
        else:
            peer.knows.add(digest)
        peer.wants.discard(digest)
        if digest not in self.functions:
            self.functions[digest] = function
            self._bytes += len(function.body)
            while len(self.functions) > FUNCTIONS_KEPT or (
                self._bytes > FUNCTION_BYTES_KEPT and len(self.functions) > 1
            ):
                self.forget(next(iter(self.functions)))
        for other in self._broker.peers.values():
            if digest in other.wants:
                self.tell(other, function, now)
        for lot in self.waiting.pop(digest, ()):
            self._broker.enqueue(lot)

    def _check_module(self, peer: Peer, key: bytes) -> None:
        if asked_for(key)[2] and peer.link is not None:
            return  # several Origins may be anywhere
        if peer.role != "origin" and (peer.link is None or peer.link.dials):
            raise RemoteProtocolError(f"modules come from the Origin, not from {peer.name}")

    def _deny(self, function: messages.Function, now: float) -> None:
        """Tell all who wait for a module that there is none."""
        for other in self._broker.peers.values():
            if function.digest in other.wants:
                other.wants.discard(function.digest)
                self._outbox.send(other, function, now)

    def forget(self, digest: bytes) -> None:
        """Drop a definition; it is asked for when it is needed again."""
        self._bytes -= len(self.functions.pop(digest).body)

    def tell(self, peer: Peer, function: messages.Function, now: float) -> None:
        """Send a definition."""
        peer.wants.discard(function.digest)
        if not is_module(function.digest):  # those that are asked for are never given unasked, and there may be many
            peer.knows.add(function.digest)
        self._outbox.send(peer, function, now)

    def wanted(self, peer: Peer, digest: bytes, now: float) -> None:
        """A peer lacks a definition; ask where its Futures came from if it is not here."""
        peer.knows.discard(digest)
        function = self.functions.get(digest)
        if function is not None:
            self.tell(peer, function, now)
            return
        known = any(digest in other.wants for other in self._broker.peers.values())
        peer.wants.add(digest)
        if is_module(digest):
            origin = self._towards_origin(peer, digest)
            if origin is not None and not known:
                self._outbox.send(origin, messages.Want(digest), now)
            return
        sources = {piece.source[0] for piece in peer.held.values() if piece.function == digest and piece.source}
        for name in sorted(sources):
            self._outbox.send(self._broker.peers[name], messages.Want(digest), now)

    def _towards_origin(self, peer: Peer | None = None, key: bytes = b"") -> Peer | None:
        """Return who is, or is nearer to, the Origin that has what is asked for: any for modules, one by its name else.

        Futures of that Origin that `peer` holds came from its side.
        """
        broker = self._broker
        name = asked_for(key)[2]
        if peer is not None and name:
            if name in broker.peers:
                return broker.peers[name]
            for piece in peer.held.values():
                source = broker.peers.get(piece.source[0]) if piece.root == name and piece.source else None
                if source is not None and source.link is not None and source is not peer:
                    return source
        dialling = (peer for peer in broker.neighbours if peer.link is not None and not peer.link.dials)
        return broker.origins[0] if broker.origins else next(dialling, None)

    def meet(self, peer: Peer, now: float) -> None:
        """A new peer is told all constants, and asked for the modules that are lacking if they come from there."""
        self.send_constants(peer, now)
        if peer is self._towards_origin():
            wants = {digest for other in self._broker.peers.values() for digest in other.wants}
            for digest in sorted(filter(is_module, wants)):
                self._outbox.send(peer, messages.Want(digest), now)

    def wait_for(self, lot: Lot, now: float) -> None:
        """Let a lot wait for its function, and ask who gave it."""
        lots = self.waiting.setdefault(lot.function, [])
        if all(other.giver[0] != lot.giver[0] for other in lots):
            self._outbox.send(self._broker.peers[lot.giver[0]], messages.Want(lot.function), now)
        lots.append(lot)

    def withdraw(self, lot: Lot, ids: set[int]) -> Lot:
        """Take Futures out of a lot that waits here."""
        part = lot.part(ids)
        if not lot.ids:
            lots = self.waiting[lot.function]
            del lots[next(index for index, other in enumerate(lots) if other is lot)]
            if not lots:
                del self.waiting[lot.function]
        return part

    def ask_again(self, peer: Peer, now: float) -> None:
        """In a new session, ask for what is lacking here or at others."""
        digests = {digest for digest, lots in self.waiting.items() if any(lot.giver[0] == peer.name for lot in lots)}
        for other in self._broker.peers.values():
            digests.update(other.wants if other is not peer else ())
        if peer is not self._towards_origin():
            digests = {digest for digest in digests if not is_module(digest)}
        for digest in sorted(digests):
            self._outbox.send(peer, messages.Want(digest), now)

    def share(self, peer: Peer, constant: messages.Constant, now: float) -> None:
        """The newest value wins; between Brokers, of equally new ones the greater, so that all come to the same."""
        known = self.constants.get(constant.name)
        if known == constant:
            return
        late = known is not None and (known.version, known.body) >= (constant.version, constant.body)
        if late and peer.link is not None:
            return
        if known is not None and known.version >= constant.version and peer.link is None:
            late, constant = True, messages.Constant(constant.name, known.version + 1, constant.body)
        self.constants[constant.name] = constant
        for other in self._broker.peers.values():
            if late or other is not peer:  # its sender may have taken the other's value for the newer one
                self._outbox.send(other, constant, now)

    def send_constants(self, peer: Peer, now: float) -> None:
        """Tell a peer all constants."""
        for constant in self.constants.values():
            self._outbox.send(peer, constant, now)
