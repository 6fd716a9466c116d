"""The first line at the door of a host server, both ways: fedfutures of any version reads that of any other.

>>> Greeting().feed(line()), Greeting().feed(line() + b"more")
(b'', b'more')
"""

from __future__ import annotations

from ..errors import RemoteProtocolError
from ..version import __version__
from ..wire.messages import PROTOCOL

_BEGIN = b"fedfutures-door "
LINE_BYTES_AT_MOST = 200


class OtherVersion(RemoteProtocolError):
    """Who speaks is fedfutures of another version, `theirs`."""

    def __init__(self, theirs: str) -> None:
        super().__init__(f"fedfutures {theirs} is there, and {ours()} here")
        self.theirs = theirs


def ours() -> str:
    """Return the version that has to agree, and that of the protocol."""
    return f"{__version__} (protocol {PROTOCOL})"


def line() -> bytes:
    """Return the line that this side sends first."""
    return _BEGIN + ours().encode() + b"\n"


class Greeting:
    """Reads the other side's line; what follows it is given back."""

    def __init__(self) -> None:
        self._read = bytearray()
        self.is_over = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes in, and return those behind the line. Raises RemoteProtocolError for anything but our line."""
        if self.is_over:
            return data
        self._read += data
        text, end, rest = bytes(self._read).partition(b"\n")
        if not text.startswith(_BEGIN[: None if end else len(text)]) or len(text) > LINE_BYTES_AT_MOST:
            raise RemoteProtocolError("no fedfutures is there")
        if not end:
            return b""
        if text + end != line():
            raise OtherVersion(text[len(_BEGIN) :].decode("utf-8", "replace"))
        self.is_over = True
        return rest
