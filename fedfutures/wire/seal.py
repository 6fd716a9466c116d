"""Seals show a Worker that a task is as its submitter made it. Pure.

All nodes of a run that spans hosts have one random key, which came to them over ssh; Brokers do not have it. The
submitter puts 16 bytes of keyed BLAKE2b behind each payload: over the function's digest, the submitter, the Future's
number, and the payload. The Worker checks that *seal* and removes it before it unpickles anything. So a Broker, or an
attacker who controls one, may hold a task back or repeat it (attempts are counted against that), but cannot make or
alter one. The digest of its whole definition names a function, and the Worker checks the definition against it. Texts
of modules and shared constants are sealed as well.

Without a key there are no seals.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest

import msgpack

SEAL_BYTES = 16
_MODULE = "module"
_CONSTANT = "constant"
_TASK = "task"


class Stamp:
    """Seals the payloads of one function and one submitter, and opens them."""

    __slots__ = ("_begun",)

    def __init__(self, begun: hashlib.blake2b) -> None:
        self._begun = begun

    def seal(self, number: int, payload: bytes) -> bytes:
        """Return the payload of the Future of this number with its seal behind it."""
        begun = self._begun.copy()
        begun.update(number.to_bytes(8, "big"))
        begun.update(payload)
        return payload + begun.digest()

    def open(self, number: int, sealed: bytes) -> bytes | None:
        """Return the payload without its seal; None if that is not right."""
        payload = sealed[:-SEAL_BYTES]
        begun = self._begun.copy()
        begun.update(number.to_bytes(8, "big"))
        begun.update(payload)
        return payload if compare_digest(begun.digest(), sealed[-SEAL_BYTES:]) else None


class Seal:
    """The run's key, ready for use.

    >>> stamp = Seal(b"k" * 32).stamp(b"digest", "origin")
    >>> stamp.open(7, stamp.seal(7, b"payload")), stamp.open(8, stamp.seal(7, b"payload"))
    (b'payload', None)
    """

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(key=key, digest_size=SEAL_BYTES)

    def __repr__(self) -> str:
        return "Seal()"

    def _begin(self, *about: object) -> Stamp:
        begun = self._keyed.copy()
        begun.update(msgpack.packb(about, unicode_errors="surrogatepass"))
        return Stamp(begun)

    def stamp(self, function: bytes, submitter: str) -> Stamp:
        """Return what seals and opens the payloads of a function's calls by this submitter."""
        return self._begin(_TASK, function, submitter)

    def stamp_of_module(self, key: bytes) -> Stamp:
        """Return what seals and opens the text of the module of this key, as number 0."""
        return self._begin(_MODULE, key)

    def stamp_of_constant(self, name: str) -> Stamp:
        """The same for a value of the shared constant of this name."""
        return self._begin(_CONSTANT, name)


def digest_of(body: bytes | memoryview) -> bytes:
    """Return the name on the wire of a definition with this body."""
    return hashlib.blake2b(body, digest_size=16).digest()
