"""Seals show a Worker that a task, and its submitter that an outcome, is as it was made (docs/security.rst). Pure.

All nodes of a run that spans hosts have one random key; Brokers do not. The submitter puts a *seal* behind each
payload, and the Worker checks and removes it before it unpickles anything. The Worker puts one behind each value and
exception, over the seal of the task as well, and the submitter checks that. Without a key there are no seals.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest

from .codec import pack_plain

SEAL_BYTES = 16
"""Of keyed BLAKE2b over the function's digest, the submitter, the Future's number and the payload."""


def proof_of(payload: bytes) -> bytes:
    """Return what shows that somebody was given a task: its seal, or without seals the end of its payload."""
    return payload[-SEAL_BYTES:]


class OutcomeSeal:
    """Seals the outcomes of tasks, and opens them. An outcome is for one task: its seal is over that of the task."""

    __slots__ = ("_begun",)

    def __init__(self, begun: hashlib.blake2b) -> None:
        self._begun = begun

    def seal(self, task: bytes, kind: int, outcome: bytes) -> bytes:
        """Return an outcome with its seal behind it; `task`: the seal of the task."""
        return outcome + self._digest(task, kind, outcome)

    def open(self, task: bytes, kind: int, sealed: bytes) -> bytes | None:
        """Return the outcome without its seal; None if that is not right."""
        outcome = sealed[:-SEAL_BYTES]
        return outcome if compare_digest(self._digest(task, kind, outcome), sealed[-SEAL_BYTES:]) else None

    def _digest(self, task: bytes, kind: int, outcome: bytes) -> bytes:
        begun = self._begun.copy()
        begun.update(b"%c%b" % (kind, task.ljust(SEAL_BYTES)))
        begun.update(outcome)
        return begun.digest()


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
    """The run's key, ready for use; `outcomes` seals and opens outcomes.

    >>> stamp = Seal(b"k" * 32).stamp(b"digest", "origin")
    >>> stamp.open(7, stamp.seal(7, b"payload")), stamp.open(8, stamp.seal(7, b"payload"))
    (b'payload', None)
    """

    __slots__ = ("_keyed", "outcomes")

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(key=key, digest_size=SEAL_BYTES)
        self.outcomes = OutcomeSeal(self._begun("outcome"))

    def __repr__(self) -> str:
        return "Seal()"

    def _begun(self, *about: object) -> hashlib.blake2b:
        begun = self._keyed.copy()
        begun.update(pack_plain(about))
        return begun

    def _stamp(self, *about: object) -> Stamp:
        return Stamp(self._begun(*about))

    def stamp(self, function: bytes, submitter: str) -> Stamp:
        """Return what seals and opens the payloads of a function's calls by this submitter."""
        return self._stamp("task", function, submitter)

    def stamp_of_module(self, key: bytes) -> Stamp:
        """Return what seals and opens the text of the module of this key, as number 0."""
        return self._stamp("module", key)

    def stamp_of_constant(self, name: str) -> Stamp:
        """Return what seals and opens a value of the shared constant of this name, as number 0."""
        return self._stamp("constant", name)


def digest_of(body: bytes | memoryview) -> bytes:
    """Return the name on the wire of a definition with this body."""
    return hashlib.blake2b(body, digest_size=16).digest()
