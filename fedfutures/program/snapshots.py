"""Snapshots: the tokens of all variables that a submitted call can reach, and the values of few bytes. Pure.

The digest of a snapshot travels in front of a Future's payload. Workers ask for the snapshot by it, and for the values
that differ from their own.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgpack

from ..lazy_dataclass import dataclass, field
from .modules import Key
from .postponing import pickles_for_program

pickles_for_program(__name__)

MARK = b"\x02"  # the first byte of a payload with a snapshot's digest
MARKED = MARK[0]
DIGEST_BYTES = 16
HEAD_BYTES = 1 + DIGEST_BYTES
NO_NAME: Key = ("", "")  # the key of a callable that has no name in the program
PREFIXES = (b"state ", b"value ", b"class ")  # how keys of snapshots, of values, and of classes or functions begin


@dataclass(slots=True)
class Seen:
    """A snapshot, as a Worker reads it."""

    tokens: dict[Key, bytes]
    inline: dict[bytes, bytes]  # address -> value
    process: dict[str, Any]  # the settings of its process that the program has changed
    callables: list[bytes]  # tokens of the callables that have no name in the program
    made: frozenset[str] = field(default_factory=frozenset)  # modules that the program has made, without a file


def pack(seen: Seen) -> bytes:
    """Return the body of a snapshot.

    >>> unpack(pack(Seen({("__main__", "X"): b"token"}, {}, {}, []))).tokens
    {('__main__', 'X'): b'token'}
    """
    entries = [[*key, token] for key, token in sorted(seen.tokens.items())]
    body: bytes = msgpack.packb(
        [entries, sorted(seen.inline.items()), seen.process, seen.callables, sorted(seen.made)],
        unicode_errors="surrogatepass",
    )
    return body


def unpack(body: bytes) -> Seen:
    """Return the snapshot of a body; raise ValueError for any other bytes."""
    try:
        entries, inline, process, callables, made = msgpack.unpackb(body, unicode_errors="surrogatepass")
        tokens = {(module, name): token for module, name, token in entries}
        return Seen(tokens, dict(map(tuple, inline)), process, callables, frozenset(made))
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a snapshot: {error}") from error


def address_of(key: Key, token: bytes) -> bytes:
    """Return the name of a value. Two variables may have one token (both are locks), but not one value."""
    return hashlib.blake2b(repr(key).encode("utf-8", "surrogatepass") + token, digest_size=DIGEST_BYTES).digest()


def key_of(kind: str, what: bytes | str, origin: str = "") -> bytes:
    """Return the key by which Workers ask an Origin for one thing.

    `kind` and `what`: "state" and a digest, "value" and an address, "class" and the ``module:name`` of a definition.
    """
    name = origin.encode("utf-8", "surrogatepass")[:255]
    named = what.encode("utf-8", "surrogatepass") if isinstance(what, str) else what
    return kind.encode() + b" " + named + name + bytes([len(name)])


def asked_for(key: bytes) -> tuple[str, bytes, str]:
    """Return (kind, what, origin) of a key; ("", key, "") for one that :func:`key_of` has not made.

    >>> asked_for(key_of("value", b"address", "origin-1")), asked_for(b"import a")
    (('value', b'address', 'origin-1'), ('', b'import a', ''))
    """
    for prefix in PREFIXES:
        if key.startswith(prefix) and len(key) > len(prefix):
            end = len(key) - 1 - key[-1]
            try:
                origin = key[end:-1].decode("utf-8", "surrogatepass")
            except UnicodeDecodeError:
                break
            return prefix[:-1].decode(), key[len(prefix) : end], origin
    return "", key, ""


def split(payload: bytes) -> tuple[bytes, bytes]:
    """Return the digest in front of a payload, or b"", and the payload itself.

    >>> split(MARK + b"d" * 16 + b"payload"), split(b"payload")
    ((b'dddddddddddddddd', b'payload'), (b'', b'payload'))
    """
    if payload[:1] == MARK:
        return payload[1:HEAD_BYTES], payload[HEAD_BYTES:]
    return b"", payload


def join(digest: bytes, payload: bytes) -> bytes:
    """Return a payload with a snapshot's digest, unless b"", in front."""
    return MARK + digest + payload if digest else payload
