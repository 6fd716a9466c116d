"""What every node of the Federation may need to know: definitions of functions, and shared constants.

A function travels once over each link, in front of the first Batch that needs it. Who has dropped it, or never had it,
says ``Want``; a Broker that does not have it either passes the question on to where the Futures came from, and the
definition back. Constants go to everybody, and to everybody who comes later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages
from .ledger import Lot, Peer

if TYPE_CHECKING:
    from .machine import BrokerMachine

FUNCTIONS_KEPT = 4096
FUNCTION_BYTES_KEPT = 256 << 20


class Definitions:
    """The functions and constants of one Broker."""

    def __init__(self, broker: BrokerMachine) -> None:
        self._broker = broker
        self.functions: dict[bytes, messages.Function] = {}
        self.constants: dict[str, messages.Constant] = {}
        self.waiting: dict[bytes, list[Lot]] = {}  # for their function
        self._bytes = 0

    def learn(self, peer: Peer, function: messages.Function, now: float) -> None:
        """A definition came: what waits for it goes on."""
        digest = function.digest
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

    def forget(self, digest: bytes) -> None:
        """Drop a definition; it is asked for when it is needed again."""
        self._bytes -= len(self.functions.pop(digest).body)

    def tell(self, peer: Peer, function: messages.Function, now: float) -> None:
        """Send a definition."""
        peer.wants.discard(function.digest)
        peer.knows.add(function.digest)
        self._broker.send(peer, function, now)

    def wanted(self, peer: Peer, digest: bytes, now: float) -> None:
        """A peer lacks a definition; ask where its Futures came from if it is not here."""
        peer.knows.discard(digest)
        function = self.functions.get(digest)
        if function is not None:
            self.tell(peer, function, now)
            return
        peer.wants.add(digest)
        sources = {piece.source[0] for piece in peer.held.values() if piece.function == digest and piece.source}
        for name in sorted(sources):
            self._broker.send(self._broker.peers[name], messages.Want(digest), now)

    def wait_for(self, lot: Lot, now: float) -> None:
        """Let a lot wait for its function, and ask who gave it."""
        lots = self.waiting.setdefault(lot.function, [])
        if all(other.giver[0] != lot.giver[0] for other in lots):
            self._broker.send(self._broker.peers[lot.giver[0]], messages.Want(lot.function), now)
        lots.append(lot)

    def ask_again(self, peer: Peer, now: float) -> None:
        """In a new session, ask for what is lacking here or at others."""
        digests = {digest for digest, lots in self.waiting.items() if any(lot.giver[0] == peer.name for lot in lots)}
        for other in self._broker.peers.values():
            digests.update(other.wants if other is not peer else ())
        for digest in sorted(digests):
            self._broker.send(peer, messages.Want(digest), now)

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
                self._broker.send(other, constant, now)

    def send_constants(self, peer: Peer, now: float) -> None:
        """Tell a peer all constants."""
        for constant in self.constants.values():
            self._broker.send(peer, constant, now)
