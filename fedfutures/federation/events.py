"""What goes into machines and what comes out of them, where Broker and Worker have it in common."""

from __future__ import annotations

from ..lazy_dataclass import dataclass
from ..wire.messages import Message


@dataclass(slots=True)
class Arrived:
    """Event: a message came from `peer`, with its header."""

    peer: str
    sequence: int
    acknowledged: int
    message: Message


@dataclass(slots=True)
class Tick:
    """Event: time has passed; due at the machine's ``next_deadline()``, harmless at any other time."""


@dataclass(slots=True)
class Send:
    """Action: send a message to `peer` with this header."""

    peer: str
    message: Message
    sequence: int
    acknowledged: int
