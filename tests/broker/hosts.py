"""The segments of hosts, played in memory: their bytes follow from their names, so that any copy can be judged."""

from __future__ import annotations

import msgpack

from fedfutures.broker import files
from fedfutures.wire import codec
from fedfutures.wire.manifest import MANIFEST, segments_of
from fedfutures.wire.messages import Chunk

COPIES = 13


def manifest(*names: str, alone: bool = False) -> bytes:
    """Return a payload that needs these segments, `alone` or as others may, too."""
    return MANIFEST + bytes(msgpack.packb([b"pickle", list(names), alone]))


def bytes_of(name: str) -> bytes:
    """Return what a segment of this name holds."""
    return b"".join(b"%s:%d " % (name.encode(), number) for number in range(COPIES))


class Host:
    """The shared directory of one host."""

    def __init__(self) -> None:
        self.segments: dict[str, bytes] = {}
        self.makers: dict[str, str] = {}  # of segments that were not handed over
        self.coming: dict[str, bytearray] = {}
        self.full = False

    def write(self, name: str, maker: str = "") -> str:
        """A process of this host writes a segment."""
        self.segments[name], self.makers[name] = bytes_of(name), maker
        return name

    def size_of(self, name: str) -> int:
        return len(self.segments[name]) if name in self.segments else -1

    def do(self, action: files.Action) -> files.Event | None:
        """Do what a Broker wants done, reading aside."""
        if isinstance(action, files.Begin):
            if self.full:
                return files.Unwritable(action.name, "no space")
            self.coming[action.name] = bytearray(action.size)
        elif isinstance(action, files.Write):
            if action.name in self.coming:
                self.coming[action.name][action.offset : action.offset + len(action.data)] = action.data
        elif isinstance(action, files.Finish):
            if action.name not in self.coming:
                return None
            self.segments[action.name] = bytes(self.coming.pop(action.name))
            assert self.segments[action.name] == bytes_of(action.name)
            return files.Stored(action.name)
        elif isinstance(action, files.Abandon):
            self.coming.pop(action.name, None)
        elif isinstance(action, files.Remove):
            self._remove(action.names)
        elif isinstance(action, files.HandOver):
            for name in action.names:
                self.makers.pop(name, None)
        elif isinstance(action, files.Discard):
            self._remove([name for name in action.names if name in self.makers])
        elif isinstance(action, files.Sweep):
            self._remove([name for name, maker in self.makers.items() if maker == action.worker])
        return None

    def _remove(self, names: list[str]) -> None:
        for name in names:
            self.segments.pop(name, None)
            self.makers.pop(name, None)

    def read(self, action: files.Read) -> tuple[bytes, bytes]:
        """Return the frame and the data that answer a neighbour."""
        size = self.size_of(action.name)
        data = self.segments.get(action.name, b"")[action.offset :][: action.count]
        return codec.encode(Chunk(action.name, action.offset, size)), data

    def opens(self, payload: bytes) -> None:
        """A process of this host uses a payload."""
        for name in segments_of(payload):
            assert self.segments.get(name) == bytes_of(name), f"{name} is not here"

    def forget(self, payload: bytes) -> None:
        """Its owner is done with a payload."""
        self._remove(segments_of(payload))
