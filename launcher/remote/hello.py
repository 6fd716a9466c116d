"""The first thing that a remote host says, found among the text that a login prints.

Shells print, too: a message of the day, an error in a start-up file, a warning. All of that comes on the standard
output that carries the frames of the host process. So the bootstrap begins with a line that nothing else prints: a
newline, the record separator, ``fedfutures`` and facts about the host, as JSON. The text before it is noise, kept for a
report; frames follow it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from fedfutures.host.hello_line import MAGIC as MAGIC

NOISE_AT_MOST_BYTES = 1 << 20
HELLO_AT_MOST_BYTES = 1 << 16


@dataclass(slots=True)
class HostHello:
    """Facts about a host. One without a Python has only `tried` and `prolog`."""

    python: tuple[int, int, int] | None
    executable: str = ""
    fedfutures: str | None = None
    protocol: int | None = None
    cloudpickle: str | None = None
    error: str | None = None  # why fedfutures cannot be imported
    processors: int = 0
    memory: int = 0  # bytes
    host: str = ""
    address: str = ""
    server: str = ""  # the door of the host server, if one has started it
    system: str = ""  # as uname says it: "Linux"
    machine: str = ""  # "x86_64"
    libc: str = ""  # "glibc 2.36"; "" where that is not known
    byteorder: str = ""  # "little" or "big"
    implementation: str = ""  # of Python: "cpython"
    wants: str = ""  # the digest of the installation that it waits for
    unprovided: str = ""  # why it could not take that in
    environment: tuple[str, ...] = ()  # variables that are set there, and may be why fedfutures cannot be imported
    tried: tuple[str, ...] = ()
    prolog: str | None = None  # the file that cannot be read


class HelloReader:
    """Takes the bytes of a session until the hello is complete.

    >>> reader = HelloReader()
    >>> reader.feed(b'Welcome!' + MAGIC + b'{"python": null, "tri'), reader.hello
    (b'', None)
    >>> reader.feed(b'ed": ["python3"]}' + bytes([10, 0, 0]))
    b'\\x00\\x00'
    >>> reader.hello.tried, reader.noise
    (('python3',), b'Welcome!')
    """

    def __init__(self) -> None:
        self.hello: HostHello | None = None
        self.noise = b""
        self.failed: str | None = None  # why there will be no hello
        self._buffer = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return those that follow the hello."""
        if self.failed is not None:
            return b""
        if self.hello is not None:
            return data
        self._buffer += data
        if not self._begun and not self._find():
            return b""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > HELLO_AT_MOST_BYTES:
                self.failed = "what it says of itself has no end"
            return b""
        line, rest = bytes(self._buffer[:end]), bytes(self._buffer[end + 1 :])
        self._buffer.clear()
        try:
            self.hello = parse(line)
        except ValueError as error:
            self.failed = f"what it says of itself makes no sense: {error}"
            return b""
        return rest

    def _find(self) -> bool:
        place = self._buffer.find(MAGIC)
        if place >= 0:
            self.noise += bytes(self._buffer[:place])
            del self._buffer[: place + len(MAGIC)]
            self._begun = True
            return True
        surely = self._buffer.rfind(MAGIC[:1])
        if surely < 0 or not MAGIC.startswith(self._buffer[surely:]):  # else the rest may be the beginning of the magic
            surely = len(self._buffer)
        self.noise += bytes(self._buffer[:surely])
        del self._buffer[:surely]
        if len(self.noise) > NOISE_AT_MOST_BYTES:
            self.failed = f"it printed more than {NOISE_AT_MOST_BYTES >> 20} MiB at login and did not start"
            self.noise = self.noise[:NOISE_AT_MOST_BYTES]
        return False


def parse(line: bytes) -> HostHello:
    """Return what the JSON of a hello says. Raises ValueError."""
    try:
        facts = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(facts, dict):
        raise ValueError("not an object")
    known = {name: _checked(name, facts[name]) for name in _CHECKS if name in facts}
    if "python" not in known:
        raise ValueError("no python")
    return HostHello(**known)


def _checked(name: str, value: Any) -> Any:
    if not _CHECKS[name](value):
        raise ValueError(f"{name} is {value!r}"[:200])
    return tuple(value) if isinstance(value, list) else value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= HELLO_AT_MOST_BYTES


_IS_OF: dict[str, Callable[[Any], bool]] = {
    "tuple[int, int, int] | None": lambda value: (
        value is None or (isinstance(value, list) and len(value) == 3 and all(map(_is_count, value)))
    ),
    "str": _is_text,
    "str | None": lambda value: value is None or _is_text(value),
    "int": _is_count,
    "int | None": lambda value: value is None or _is_count(value),
    "tuple[str, ...]": lambda value: isinstance(value, list) and all(map(_is_text, value)),
}
"""What checks a fact, by the type of its field."""
_CHECKS = {fact.name: _IS_OF[str(fact.type)] for fact in fields(HostHello)}
