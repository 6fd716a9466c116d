"""Hears what happens in a run, as it happens, from the socket ``watch`` that its program opens for that."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from typing import Any

from ..errors import RemoteProtocolError
from ..host.greeting import Greeting
from ..lazy_dataclass import dataclass
from ..wire.control import RunNews, WatchRun
from ..wire.framing import FrameReader, pack
from .runs import ANSWER_SECONDS, unpacked

SOCKET = "watch"
OPENS_SECONDS = 5.0
"""Within this time a program opens the socket, unless it holds its interpreter or has ended."""
_AGAIN_SECONDS = 0.05


@dataclass(slots=True)
class NewsReport:
    """What a program tells: for :mod:`.spans`, and besides."""

    seconds: float  # since the run began
    dropped: int  # Futures that were not told of so far
    report: dict[str, Any]


def news(path: str) -> Iterator[NewsReport]:
    """Yield what the program of the run behind this socket ``ask`` tells, until it closes. Raises OSError.

    A program that tells nothing, as one does that holds its interpreter in C code, ends it as well: ask again.
    """
    _want(path)
    reader, greeting = FrameReader(), Greeting()
    with _connected(os.path.join(os.path.dirname(path), SOCKET)) as connection:
        while data := connection.recv(1 << 18):
            try:
                frames = reader.feed(greeting.feed(data))
            except RemoteProtocolError as error:
                raise OSError(f"the program does not speak as this one does: {error}") from error
            for frame in frames:
                report = unpacked(frame.report) if isinstance(frame, RunNews) else None
                if isinstance(report, dict):
                    yield NewsReport(frame.seconds, frame.dropped, report)  # type: ignore[union-attr]


def _want(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(path)
        connection.sendall(pack(WatchRun()))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


def _connected(path: str) -> socket.socket:
    """Return a connection as soon as the program has opened its socket."""
    until = time.monotonic() + OPENS_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(OPENS_SECONDS)
        try:
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)
