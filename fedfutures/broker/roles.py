"""Which role may say what. Pure.

What a message is about is checked where it is handled. This table comes before that: it matters most for neighbours on
other hosts, which are Brokers, under the names by which they are known, and nothing else.
"""

from __future__ import annotations

from ..wire import messages
from ..wire.messages import Message
from ..wire.modules import is_module
from ..wire.seal import digest_of

_SUBMITS: frozenset[type[Message]] = frozenset({
    messages.Hello, messages.Ack, messages.Demand, messages.Function, messages.Want, messages.Batch, messages.Cancel,
    messages.Constant, messages.Inquire, messages.Answer, messages.Bye, messages.Fetch,
})  # fmt: skip
_WORKS: frozenset[type[Message]] = frozenset({messages.Results, messages.Return, messages.Running, messages.Holding})
_IS_LENT: frozenset[type[Message]] = frozenset({messages.LeaseEnded})
_LINKS: frozenset[type[Message]] = frozenset({
    messages.Welcome, messages.Refused, messages.Stranger, messages.Ping, messages.Pong, messages.State, messages.Get,
    messages.Chunk, messages.Drop, messages.Fetched,
})  # fmt: skip

ALLOWED: dict[str, frozenset[type[Message]]] = {
    "origin": _SUBMITS,
    "worker": _SUBMITS | _WORKS | _IS_LENT,
    "broker": (_SUBMITS | _WORKS | _LINKS) - {messages.Bye},
}
"""What each role may say."""


def may_say(role: str, kind: type[Message]) -> bool:
    """Whether a peer of this role may send messages of this kind.

    >>> may_say("worker", messages.Results), may_say("origin", messages.Results), may_say("intruder", messages.Hello)
    (True, False, False)
    """
    return kind in ALLOWED.get(role, ())


def may_come_from_far(name: str, message: Message) -> bool:
    """Whether a neighbour on another host, whose name its key has shown, may say this.

    >>> may_come_from_far("h2.broker", messages.Hello(3, "worker", "h2.broker", 1, 1))
    False
    """
    if type(message) is messages.Hello:
        return message.role == "broker" and message.name == name
    if type(message) is messages.Function and not is_module(message.digest):
        return digest_of(message.body) == message.digest  # who believed another body would keep it for all others
    return may_say("broker", type(message))
