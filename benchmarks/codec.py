"""``python -m benchmarks.codec``: what a message costs both ends, and beside it with msgspec, if that is installed.

Decision 0050 has the figures. msgspec speaks msgpack, and checks types while it decodes; what no type can say (numbers
that are not negative, lists of one length, no number twice) it leaves to Python, as here.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from typing import Any

from fedfutures.wire import codec
from fedfutures.wire.messages import Batch, Demand, Message, Results

NUMBER, REPEAT = 20_000, 5
MESSAGES: tuple[Message, ...] = (
    Batch(1, "origin-1", b"f" * 16, 1, 0, 0, False, [1], [b"x" * 60], "origin-1", 0),
    Results(1, 1, [1], [b"x" * 10], [], 0.001, 1),
    Demand(3, 1, 1),
)


def microseconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes at best."""
    return min(timeit.repeat(call, number=NUMBER, repeat=REPEAT)) / NUMBER * 1e6


def with_msgspec() -> list[tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return what encodes and what decodes each of the messages; ImportError where msgspec is missing."""
    from typing import Annotated

    import msgspec

    count = Annotated[int, msgspec.Meta(ge=0)]
    name = Annotated[str, msgspec.Meta(max_length=512)]
    kinds: dict[str, list[tuple[str, Any]]] = {
        "Batch": [
            ("piece", count), ("submitter", name), ("function", bytes), ("attempt", count), ("crashes", count),
            ("backlog", count), ("spent", bool), ("ids", list[int]), ("payloads", list[bytes]), ("root", name),
            ("priority", int),
        ],
        "Results": [
            ("piece", count), ("attempt", count), ("ids", list[int]), ("outcomes", list[bytes]),
            ("odd", list[tuple[count, count]]), ("seconds", float), ("count", count),  # type: ignore[valid-type]
        ],
        "Demand": [("count", count), ("idle", count), ("workers", count)],
    }  # fmt: skip
    header = [("sequence", count), ("acknowledged", count)]
    structs = {
        kind: msgspec.defstruct(kind, [*header, *fields], array_like=True, tag=code)
        for code, (kind, fields) in enumerate(kinds.items(), 1)
    }
    encoder = msgspec.msgpack.Encoder()
    decoder = msgspec.msgpack.Decoder(structs["Batch"] | structs["Results"] | structs["Demand"])

    def decode(frame: bytes) -> Any:
        found = decoder.decode(frame)
        ids = getattr(found, "ids", None)
        if ids is not None and not len(set(ids)) == len(ids):
            raise ValueError
        return found

    found = []
    for message in MESSAGES:
        kind = type(message).__name__
        value = structs[kind](5, 4, *(getattr(message, field) for field, _ in kinds[kind]))
        frame = encoder.encode(value)
        assert decode(frame) == value
        found.append((lambda value=value: encoder.encode(value), lambda frame=frame: decode(frame)))
    return found


def main() -> None:
    """Print both tables."""
    print("microseconds        encode  decode")
    for message in MESSAGES:
        frame = codec.encode(message, 5, 4)
        encode, decode = (lambda m=message: codec.encode(m, 5, 4)), (lambda f=frame: codec.decode_all(f))
        print(f"{type(message).__name__:18} {microseconds(encode):7.2f} {microseconds(decode):7.2f}")
    try:
        others = with_msgspec()
    except ImportError:
        return
    for message, (encode, decode) in zip(MESSAGES, others):
        print(f"{type(message).__name__ + ', msgspec':18} {microseconds(encode):7.2f} {microseconds(decode):7.2f}")


if __name__ == "__main__":
    main()
