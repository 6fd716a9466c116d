"""What a neighbour may say that was let in and lies: messages of every kind, well-formed, about anything."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgpack

from fedfutures.wire import messages
from fedfutures.wire.messages import MAX_COUNT, MAX_PIECE, PROTOCOL

Dice = random.Random
NAMES = ("o", "w", "n", "m", "x", "")
SEGMENTS = ("a-1", "a-2", "o-1", "file-x", "\ud800", ".x", "", "../x")
DIGESTS = (b"f", b"g", b"", b"import a", b"value x\xff\x01", b"state abc\x00", b"class q\x09")
COUNTS = (0, 1, 2, 3, 4, 5, 6, 7, 11, 100, 1 << 32, MAX_COUNT)
SECONDS = (0.0, 0.1, 1e308)
OFTEN = (messages.Batch, messages.Holding, messages.Results, messages.Return, messages.Cancel)
"""Most is to be broken by what moves Futures."""


def _ids(dice: Dice, least: int = 1) -> list[int]:
    return dice.sample(range(1, 12), dice.randrange(least, 5))


def _payload(dice: Dice) -> bytes:
    held = dice.choice([b"p", "a-3", 1])
    manifest = [held, dice.sample(SEGMENTS[:4], dice.randrange(3)), dice.choice([True, False])]
    packed = b"\1" + msgpack.packb(manifest[: dice.choice([1, 2, 3, 3])])
    return dice.choice([b"\0x", b"\x80p", packed, b"\2" + b"d" * 16 + packed, dice.randbytes(dice.randrange(6))])


FIELDS: dict[str, Callable[[Dice], Any]] = {
    "int": lambda dice: dice.choice(COUNTS),
    "Signed": lambda dice: dice.choice([-3, -1, 0, 1, 2, 1 << 62]),
    "str": lambda dice: dice.choice(NAMES),
    "bool": lambda dice: dice.random() < 0.5,
    "float": lambda dice: dice.choice(SECONDS),
    "bytes": lambda dice: dice.choice(DIGESTS),
    "list[int]": _ids,
    "list[str]": lambda dice: [dice.choice(SEGMENTS) for _ in range(dice.randrange(3))],
    "list[tuple[int, int]]": lambda dice: [(i, dice.randrange(7)) for i in _ids(dice, 0)],
}
"""By the annotation of a field."""
BY_NAME: dict[str, Callable[[Dice], Any]] = {
    "piece": lambda dice: dice.choice([1, 1, 2, 3, 4, 100, MAX_PIECE]),
    "attempt": lambda dice: dice.choice([0, 1, 20, MAX_COUNT]),
    "crashes": lambda dice: dice.choice([0, 1, 3, MAX_COUNT]),
    "session": lambda dice: dice.randrange(4),
    "incarnation": lambda dice: dice.randrange(3),
    "round": lambda dice: dice.randrange(2),
    "protocol": lambda dice: dice.choice([PROTOCOL, PROTOCOL, 3]),
    "role": lambda dice: dice.choice(["broker", "broker", "worker", "origin", "x"]),
    "subject": lambda dice: dice.choice(["explain", "statistics", "generators", "?"]),
    "name": lambda dice: dice.choice(["n", "m", "c"]),
    "body": _payload,
    "report": _payload,
}


def a_lie(dice: Dice) -> Any:
    """Return a message that anybody might have sent."""
    kind = dice.choice(OFTEN) if dice.random() < 0.5 else dice.choice(list(messages.CODES.values()))
    return made(kind, dice)


def made(kind: type[Any], dice: Dice) -> Any:
    """Return a message of a kind."""
    values: dict[str, Any] = {}
    for name, written in messages_fields(kind).items():
        values[name] = BY_NAME.get(name, FIELDS.get(written, lambda dice: None))(dice)
    if kind in (messages.Get, messages.Chunk, messages.Fetch, messages.Fetched):
        values["name"] = dice.choice(SEGMENTS)
    for several in {"payloads", "outcomes", "proofs"} & values.keys():
        values[several] = [_payload(dice) for _ in values["ids"]]
    return kind(**values)


def messages_fields(kind: type[Any]) -> dict[str, str]:
    return {name: str(field.type) for name, field in kind.__dataclass_fields__.items()}
