"""Definitions of functions, modules and constants: which are here, which peers know them, and what waits for them.

A function travels once over each link, in front of the first Batch that needs it; who lacks it says ``Want``. Modules
(:mod:`..wire.modules`) go the same way, but are asked for towards the Origin, whichever Future needs them, and accepted
from there alone. That a module is not to be had is passed on and not kept.
"""

from __future__ import annotations

from ..errors import RemoteProtocolError
from ..program.snapshots import asked_for
from ..wire import messages
from ..wire.manifest import segments_of
from ..wire.messages import MAX_COUNT
from ..wire.modules import is_module
from .files import HandOver
from .ledger import Ledger
from .lots import Lot
from .outbox import Outbox
from .peers import Peer, Peers

FUNCTIONS_AT_MOST = 4096
FUNCTION_BYTES_AT_MOST = 256 << 20


class Functions:
    """The functions and constants of one Broker."""

    def __init__(self, outbox: Outbox, peers: Peers, ledger: Ledger) -> None:
        self._outbox, self._peers, self._ledger = outbox, peers, ledger
        self.definitions: dict[bytes, messages.Function] = {}
        self.constants: dict[str, messages.Constant] = {}
        self.bytes = 0

    def on_function(self, peer: Peer, function: messages.Function, now: float) -> None:
        """A definition came: pass it on to all who want it; Futures that waited for it go into the queue."""
        digest = function.digest
        if is_module(digest):
            _require_towards_origin(peer, digest)
        else:
            peer.knows.add(digest)
        if function.body or not is_module(digest):  # else there is no such module
            if peer.link is not None:  # a Worker may have submitted it, and not know it where it runs others' Futures
                peer.wants.discard(digest)
            self._enter(function)
        for other in self._peers.values():
            if digest in other.wants:
                self._send(other, function, now)
        for lot in list(self._ledger.parked.get(digest, ())):
            self._ledger.unpark(lot)

    def _enter(self, function: messages.Function) -> None:
        if function.digest not in self.definitions:
            self.definitions[function.digest] = function
            self.bytes += len(function.body)
            while len(self.definitions) > FUNCTIONS_AT_MOST or (
                self.bytes > FUNCTION_BYTES_AT_MOST and len(self.definitions) > 1
            ):
                self.forget(next(iter(self.definitions)))

    def forget(self, digest: bytes) -> None:
        """Drop a definition; it is asked for when it is needed again."""
        self.bytes -= len(self.definitions.pop(digest).body)
        for peer in self._peers.values():
            peer.knows.discard(digest)  # else these sets would grow with all that a program ever made

    def send_function(self, peer: Peer, digest: bytes, now: float) -> None:
        """Send a peer the function of Futures that it is given next."""
        self._send(peer, self.definitions[digest], now)

    def _send(self, peer: Peer, function: messages.Function, now: float) -> None:
        peer.wants.discard(function.digest)
        if not is_module(function.digest):  # those that are asked for are never given unasked, and there may be many
            peer.knows.add(function.digest)
        self._outbox.send(peer, function, now)

    def on_want(self, peer: Peer, digest: bytes, now: float) -> None:
        """A peer lacks a definition; ask for it if it is not here."""
        peer.knows.discard(digest)
        function = self.definitions.get(digest)
        if function is not None:
            self._send(peer, function, now)
            return
        is_asked = is_module(digest) and any(digest in other.wants for other in self._peers.values())
        peer.wants.add(digest)
        for source in () if is_asked else self._sources_of(peer, digest):
            self._outbox.send(source, messages.Want(digest), now)

    def _sources_of(self, peer: Peer, digest: bytes) -> list[Peer]:
        """Return whom to ask for what a peer wants: for functions, where its Futures came from.

        For modules that is an Origin, or who is nearer to one. Modules of one Origin are asked of that; where it is not
        here, Futures of it that the peer holds came from its side.
        """
        held = self._ledger.accounts[peer.name].held.values()
        if not is_module(digest):
            givers = {piece.intake.giver for piece in held if piece.terms.function == digest and piece.intake}
            return [self._peers[name] for name in sorted(givers)]
        origin = asked_for(digest)[2]
        if origin in self._peers:
            return [self._peers[origin]]
        for piece in held if origin else ():
            source = self._peers.get(piece.intake.giver) if piece.terms.root == origin and piece.intake else None
            if source is not None and source.link is not None and source is not peer:
                return [source]
        towards = self._peers.towards_origin()
        return [] if towards is None else [towards]

    def on_join(self, peer: Peer, now: float) -> None:
        """A new peer is told all constants, and asked for the modules that are missing if they come from there."""
        self.send_constants(peer, now)
        if peer is self._peers.towards_origin():
            wants = {digest for other in self._peers.values() for digest in other.wants}
            for digest in sorted(filter(is_module, wants)):
                self._outbox.send(peer, messages.Want(digest), now)

    def on_new_session(self, peer: Peer, now: float) -> None:
        """Tell a peer all constants again, and ask it again for what is missing here or at others."""
        self.send_constants(peer, now)
        has_modules = peer is self._peers.towards_origin()
        digests = {
            key
            for key, lots in self._ledger.parked.items()
            if isinstance(key, bytes) and any(lot.intake.giver == peer.name for lot in lots)
        }
        for other in self._peers.values():
            digests.update(other.wants if other is not peer else ())
        for digest in sorted(digests):
            if has_modules or not is_module(digest):
                self._outbox.send(peer, messages.Want(digest), now)

    def defer(self, lot: Lot, now: float) -> None:
        """Let a lot wait for its function, and ask who gave it."""
        digest, giver = lot.terms.function, lot.intake.giver
        known = any(other.intake.giver == giver for other in self._ledger.parked.get(digest, ()))
        self._ledger.park(lot, digest)
        if not known:
            self._outbox.send(self._peers[giver], messages.Want(digest), now)

    def on_constant(self, peer: Peer, constant: messages.Constant, now: float) -> None:
        """The newest value wins; between Brokers, of equally new ones the greater, so that all come to the same."""
        known = self.constants.get(constant.name)
        if known == constant:
            return
        if peer.link is None and (names := segments_of(constant.body)):
            self._outbox.act(HandOver(names))  # others need them when their maker is gone
        late = known is not None and (known.version, known.body) >= (constant.version, constant.body)
        if late and peer.link is not None:
            return
        if known is not None and known.version >= constant.version and peer.link is None:
            late, constant = True, messages.Constant(constant.name, min(known.version + 1, MAX_COUNT), constant.body)
        self.constants[constant.name] = constant
        for other in self._peers.values():
            if late or other is not peer:  # its sender may have taken the other's value for the newer one
                self._outbox.send(other, constant, now)

    def send_constants(self, peer: Peer, now: float) -> None:
        """Tell a peer all constants."""
        for constant in self.constants.values():
            self._outbox.send(peer, constant, now)


def _require_towards_origin(peer: Peer, module: bytes) -> None:
    if asked_for(module)[2] and peer.link is not None:
        return  # several Origins may be anywhere
    if peer.role != "origin" and not peer.is_parent:
        raise RemoteProtocolError(f"modules come from the Origin, not from {peer.name}")
