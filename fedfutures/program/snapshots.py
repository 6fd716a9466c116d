"""Snapshots: what a Future sees of the program's variables, as tokens, and where their values are. Pure.

A snapshot names each variable that the submitted call can reach, with the token of its value. It is named by its own
digest, which travels in front of a Future's payload; Workers ask for the snapshot, and for the values that differ from
what they have. Values of few bytes stand in the snapshot itself.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgpack

from ..lazy_dataclass import dataclass, field
from .modules import Key
from .postponing import pickles_for_program

pickles_for_program(__name__)

MARK = b"\x02"
"""The first byte of a payload that a snapshot's digest follows."""
MARKED = MARK[0]
DIGEST_BYTES = 16
HEAD_BYTES = 1 + DIGEST_BYTES
_STATE, _VALUE, _CLASS = b"state ", b"value ", b"class "
NO_NAME: Key = ("", "")
"""Stands for the key of a callable that has no name in the program."""
PREFIXES = (_STATE, _VALUE, _CLASS)


@dataclass(slots=True)
class Seen:
    """A snapshot, as a Worker reads it."""

    tokens: dict[Key, bytes]
    inline: dict[bytes, bytes]  # address -> value
    process: dict[str, Any]  # what the program has changed in its process
    callables: list[bytes]  # tokens of the callables themselves, where they have no name in the program
    made: frozenset[str] = field(default_factory=frozenset)  # modules that the program has made, of no file


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
    """Return the snapshot of a body; raises ValueError when it is none."""
    try:
        entries, inline, process, callables, made = msgpack.unpackb(body, unicode_errors="surrogatepass")
        tokens = {(module, name): token for module, name, token in entries}
        return Seen(tokens, dict(map(tuple, inline)), process, callables, frozenset(made))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not a snapshot: {error}") from error


def address_of(key: Key, token: bytes) -> bytes:
    """Return the name of a value: two variables may have one token, of two locks say, and yet other values."""
    return hashlib.blake2b(repr(key).encode("utf-8", "surrogatepass") + token, digest_size=DIGEST_BYTES).digest()


def key_of_snapshot(digest: bytes, origin: str = "") -> bytes:
    """Return the key by which a snapshot is asked for; `origin` is the name of who has taken it."""
    return _key(_STATE, digest, origin)


def key_of_value(address: bytes, origin: str = "") -> bytes:
    """Return the key by which a value is asked for."""
    return _key(_VALUE, address, origin)


def key_of_class(module: str, name: str, origin: str = "") -> bytes:
    """Return the key by which what is missing in a module is asked for."""
    return _key(_CLASS, f"{module}:{name}".encode("utf-8", "surrogatepass"), origin)


def _key(prefix: bytes, what: bytes, origin: str) -> bytes:
    name = origin.encode("utf-8", "surrogatepass")[:255]
    return prefix + what + name + bytes([len(name)])


def asked_for(key: bytes) -> tuple[str, bytes, str]:
    """Return the kind ("state", "value" or "class"), what of that, and whose; ("", key, "") for another key.

    >>> asked_for(key_of_value(b"address", "origin-1")), asked_for(b"import a")
    (('value', b'address', 'origin-1'), ('', b'import a', ''))
    """
    for prefix in PREFIXES:
        if key.startswith(prefix) and len(key) > len(prefix):
            end = len(key) - 1 - key[-1]
            return prefix[:-1].decode(), key[len(prefix) : end], key[end:-1].decode("utf-8", "surrogatepass")
    return "", key, ""


def split(payload: bytes) -> tuple[bytes, bytes]:
    """Return the digest in front of a payload, b"" if there is none, and the payload itself.

    >>> split(MARK + b"d" * 16 + b"payload"), split(b"payload")
    ((b'dddddddddddddddd', b'payload'), (b'', b'payload'))
    """
    if payload[:1] == MARK:
        return payload[1:HEAD_BYTES], payload[HEAD_BYTES:]
    return b"", payload


def join(digest: bytes, payload: bytes) -> bytes:
    """Put a snapshot's digest in front of a payload."""
    return MARK + digest + payload if digest else payload
