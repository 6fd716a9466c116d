"""What the launching side tells a host process, and the frames on its standard input and output.

A frame is four bytes of length, most significant first, and that much msgpack. Settings travel this way and no other:
not in argv, which anyone may read, nor in the environment, which every task inherits.

The settings are the first frame. Others may follow at any time:

``["dial", broker, name, main, meta, ear, key]``
    The Broker of this index is to dial the neighbour `name` at these three addresses, now and whenever it is started
    again; said once more with other addresses, it dials these instead. `key` is the public key that the neighbour has,
    "" for one on the same host.
``["relay", broker, name, key]``
    It is to dial that neighbour through the launching side (:mod:`.relay`).
``["allow", broker, name, key]``
    The Broker of this index is to accept the neighbour `name`, which has this public key.
``["hush", whether]``
    The program does not take in what Workers print: let it wait in their pipes, or no longer.
``["beat"]``, ``["end"]``
    The launching side lives; the run has ended.

What the host process says: ``["ready", facts]``, ``["broker", index, name, places]`` (a Broker's public key, and where
neighbours on other hosts reach it), ``["allowed", index, name]``, ``["link", index, neighbour, up, why]``,
``["output", worker, stream, text]`` (1, 2, or 3 for log records), ``["lost", worker, how]``, ``["broker restarted",
name, how]``, ``["broker lost", why]``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import msgpack

MAX_FRAME_BYTES = 64 << 20
UNICODE_ERRORS = "surrogatepass"  # names of files, and arguments, need be no UTF-8


@dataclass(slots=True)
class Settings:
    """Everything a host process needs to know."""

    host: str  # the name in prefixes and errors
    workers: int
    size: int  # Workers of the whole Federation
    program: tuple[str, str] | None = None  # ("file", path) or ("module", name): what Workers may import
    argv: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)  # sys.path of the Origin
    directory: str | None = None  # working directory
    directory_needed: bool = True  # else Workers stay where they are if there is none of this name
    nice: int = 0
    threads: int = 1  # for BLAS and OpenMP, where the user has set nothing
    initializer: bytes | None = None  # payload of (function, arguments)
    max_tasks_per_child: int | None = None
    profile: str | None = None  # directory for profiles
    debug: bool = False
    verbosity: int = 0
    brokers: int = 1
    dials: list[list[int]] = field(default_factory=list)  # (parent, child): which Broker of this host dials which
    far_address: str | None = None  # where Brokers bind for neighbours on other hosts; None: nowhere
    grace: float = 0.0  # how long the host goes on, in seconds, when the launching side is not heard
    seal: bytes | None = field(default=None, repr=False)  # the run's key for sealing tasks; Brokers let go of it
    authkey: bytes = field(default=b"", repr=False)  # that of the program's multiprocessing; Brokers let go of it
    flags: list[str] = field(default_factory=list)  # of the program's interpreter
    unbuffered: bool = False  # python -u
    descriptors: list[int] = field(default_factory=list)  # that the host process inherits for the initializer
    shadowed: list[str] = field(default_factory=list)  # what the host process has loaded and the program has, too
    code: bool = False  # the program and its modules come from the Origin
    beside: list[str] = field(default_factory=list)  # modules that stand beside the program there


def pack_frame(value: Any) -> bytes:
    """Return the frame of a plain value or of settings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    body: bytes = msgpack.packb(value, unicode_errors=UNICODE_ERRORS)
    return len(body).to_bytes(4, "big") + body


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Take bytes in; return the values of the frames that are complete now. Raises ValueError on nonsense."""
        self._buffer += data
        values = []
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length > MAX_FRAME_BYTES:
                raise ValueError(f"a frame of {length} bytes")
            if len(self._buffer) < 4 + length:
                break
            body = bytes(self._buffer[4 : 4 + length])
            values.append(msgpack.unpackb(body, strict_map_key=True, unicode_errors=UNICODE_ERRORS))
            del self._buffer[: 4 + length]
        return values


def settings_from(value: dict[str, Any]) -> Settings:
    """Return the settings that a frame held."""
    value["program"] = tuple(value["program"]) if value["program"] else None
    return Settings(**value)
