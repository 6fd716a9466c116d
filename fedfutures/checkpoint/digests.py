"""Digests by which a checkpoint knows a call again: of its function with all that it reads, and of its arguments.

The digest of a function covers its code and name, its defaults and cells, and the values of all variables of the
program that it, or what it calls, reads by name. It covers neither files nor lines of code, nor the versions of
packages, nor what a function finds elsewhere: files, the environment, the clock.

>>> call = CallDigests(function_digest(pow))
>>> call.of((2, 5)) == call.of((2, 5)), call.of((2, 5)) == call.of((5, 2))
(True, False)
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from ..program.modules import MISSING, Key, describe, lookup
from ..program.reach import Reach, keys_in_modules
from .encoding import DIGEST_BYTES, PLAIN, Encoder, digest_of_bytes

WHAT_IT_HOLDS = "what it holds"
_FORMAT = b"fedfutures call 1\0"  # another one makes all calls new


def function_digest(function: Callable[..., Any]) -> bytes:
    """Return the digest of a function and all that it reads of the program.

    Raises :class:`~fedfutures.errors.NotCheckpointable` if a part of that has no content.
    """
    return digest_of_parts(function_parts(function))


def function_parts(function: Callable[..., Any]) -> dict[str, bytes]:
    """Return what :func:`function_digest` is made of: for each variable, as ``module:name``, a digest."""
    encoder = Encoder()
    root = encoder.encoded(function, "the function")
    reached = _reached(encoder)
    named = {f"{module}:{name}": digest_of_bytes(part) for (module, name), part in reached.items()}
    return {WHAT_IT_HOLDS: digest_of_bytes(root), **named}


def digest_of_parts(parts: dict[str, bytes]) -> bytes:
    """Return the digest of a function with these parts."""
    return digest_of_bytes(_FORMAT, *(part for name in sorted(parts) for part in (name.encode(), b"\0", parts[name])))


def _reached(encoder: Encoder) -> dict[Key, bytes]:
    """Return what says the values of all variables within reach."""
    found: dict[Key, bytes] = {}
    while True:
        reach = encoder.reach
        new = (reach.reads | reach.parts | keys_in_modules(reach, ())) - found.keys()
        if not new:
            break
        for key in sorted(new):
            found[key] = _of_variable(encoder, key)
    return found


def _of_variable(encoder: Encoder, key: Key) -> bytes:
    value = lookup(key)
    return b"missing" if value is MISSING else encoder.encoded(value, describe(key), key)


class CallDigests:
    """The digests of calls of one function."""

    def __init__(self, of_function: bytes) -> None:
        self._begun = blake2b(of_function, digest_size=DIGEST_BYTES)

    def of(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, stream: bytes = b"") -> bytes:
        """Return the digest of a call; `stream`: of random numbers, packed.

        Raises :class:`~fedfutures.errors.NotCheckpointable`.
        """
        made = self._begun.copy()
        if not kwargs and PLAIN.issuperset(map(type, args)):
            made.update(marshal.dumps(args, 0))
        else:
            made.update(_arguments(args, kwargs or {}))
        if stream:
            made.update(b"stream" + stream)
        return made.digest()


def _arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    encoder = Encoder()
    parts = [encoder.encoded(value, f"argument {place}") for place, value in enumerate(args, 1)]
    for name, value in sorted(kwargs.items()):
        parts += [encoder.encoded(name, ""), encoder.encoded(value, f"argument {name!r}")]
    head = b"%d %d" % (len(args), len(kwargs))
    reached = _reached(encoder) if _reaches(encoder.reach) else {}
    named = [part for key in sorted(reached) for part in (repr(key).encode(), reached[key])]
    return digest_of_bytes(head, *parts, *named)


def _reaches(reach: Reach) -> bool:
    return bool(reach.reads or reach.parts or reach.modules or reach.whole)


def repeated(digest: bytes, count: int) -> bytes:
    """Return the key of the call that is the same as `count` calls before it in the same run.

    >>> repeated(b"x" * 16, 0) == b"x" * 16
    True
    """
    return digest if not count else digest_of_bytes(digest, b"again", count.to_bytes(8, "little"))
