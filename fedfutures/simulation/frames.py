"""What links carry: the messages that one node has for another at a time, as they are when they arrive.

In processes they are bytes between. The codec takes more time than the machines do, so here most messages are copied,
and those that are checked (:class:`.world.World`) go through the codec as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..lazy_dataclass import field_types, function_of
from ..wire.messages import Message

Frame = list[tuple[int, int, Message]]
"""(sequence, acknowledged, message) of each, as :func:`.codec.decode_all` returns them."""
_COPIERS: dict[type, Callable[[Any], Any]] = {}


def copied(message: Message) -> Message:
    """Return a message of which no list is the sender's: what either end does with its own, the other does not see."""
    copier = _COPIERS.get(type(message)) or _made_copier(type(message))
    found: Message = copier(message)
    return found


def _made_copier(kind: type) -> Callable[[Any], Any]:
    """Make the function that copies a kind of message; one without lists is passed as it is, for nobody changes it."""
    fields = field_types(kind)
    values = [f"list(it.{name})" if written.startswith("list[") else f"it.{name}" for name, written in fields.items()]
    has_lists = any(value.startswith("list(") for value in values)
    source = "copier = lambda it: " + (f"_kind({', '.join(values)})" if has_lists else "it")
    copier: Callable[[Any], Any] = function_of(source, "copier", {"_kind": kind})
    _COPIERS[kind] = copier
    return copier
