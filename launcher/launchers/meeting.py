"""A meeting: where a host comes to by itself, because its launcher passes no streams.

The launching side listens at a TCP port, and writes an :class:`~fedfutures.host.invitation.Invitation` into the user's
home, which hosts of a cluster share. Who comes has to say the secret of that file, under TLS and to the holder of the
key of its certificate. The key is in memory alone. The command on the host names the file and nothing of what it has.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import select
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from fedfutures.host.invitation import WELCOME, Invitation
from fedfutures.host.secure_line import SecureLine

from .addresses import addresses_here
from .certificate import listening_context

FOLDER = "~/.cache/fedfutures"
SECRET_BYTES = 32
VISITORS_AT_MOST = 16
OLD_SECONDS = 24 * 3600.0
"""A file that is older belongs to a connector that was killed."""
VISITOR_SECONDS = 5.0
"""So long somebody who has connected may take to say the secret."""
WORDS_AT_MOST_BYTES = 1 << 13


def new_place() -> str:
    """Return the path of a file that is not there yet; hosts find it as well if their home is the same."""
    return f"{FOLDER}/meeting-{secrets.token_hex(8)}"


@dataclass(slots=True)
class Visitor:
    """Somebody who has connected, and is still to say the secret."""

    line: SecureLine
    until: float
    said: bytes = b""


class Meeting:
    """A meeting at which one host is awaited. `close` removes the file, and ends what was not taken."""

    def __init__(self, place: str) -> None:
        """Listen, and write the file. Raises OSError."""
        self.path = Path(place).expanduser()
        self._secret = secrets.token_hex(SECRET_BYTES).encode()
        certificate, self._context = listening_context()
        self._listener = _listen()
        self._visitors: list[Visitor] = []
        try:
            port = self._listener.getsockname()[1]
            names = [socket.gethostname()]  # the full one would be a question to a server that may not answer
            self._write(Invitation(addresses_here(), names, port, certificate, self._secret.decode()))
        except BaseException:
            self._listener.close()
            raise

    def wait(self, seconds: float, *others: int) -> tuple[SecureLine | None, list[int]]:
        """Wait until the host has come, at most so long; return its line, and which of `others` can be read."""
        poller = select.poll()
        for descriptor in (self._listener.fileno(), *others):
            poller.register(descriptor, select.POLLIN)
        for visitor in self._visitors:
            poller.register(visitor.line.number, visitor.line.events)
        ready = [descriptor for descriptor, _ in poller.poll(max(0.0, seconds) * 1000)]
        found = next(
            (visitor.line for visitor in self._visitors if visitor.line.number in ready and self._hear(visitor)), None
        )
        if self._listener.fileno() in ready:
            self._admit()
        self._visitors = [visitor for visitor in self._visitors if visitor.line is not found and not _is_over(visitor)]
        return found, [descriptor for descriptor in others if descriptor in ready]

    def words(self) -> bytes:
        """Return what the host has written behind the invitation: why it could not come, or start."""
        with contextlib.suppress(OSError), open(self.path, "rb") as file:
            file.readline()
            return file.read(WORDS_AT_MOST_BYTES)
        return b""

    def close(self) -> None:
        """Admit nobody any more."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        for visitor in self._visitors:
            visitor.line.close()
        self._visitors.clear()
        self._listener.close()

    def __enter__(self) -> Meeting:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, invitation: Invitation) -> None:
        self.path.parent.mkdir(0o700, parents=True, exist_ok=True)
        _remove_old(self.path.parent)
        draft = self.path.with_name(f".{self.path.name}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w") as file:
                file.write(json.dumps(asdict(invitation)) + "\n")
            draft.rename(self.path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def _admit(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            line = SecureLine(connection, self._context, listens=True)
            self._visitors.append(Visitor(line, time.monotonic() + VISITOR_SECONDS))
            if len(self._visitors) > VISITORS_AT_MOST:
                self._visitors.pop(0).line.close()

    def _hear(self, visitor: Visitor) -> bool:
        """Whether this is the host: it has said the secret."""
        visitor.said += visitor.line.receive()
        if visitor.line.ended or len(visitor.said) < len(self._secret):
            return False
        if hmac.compare_digest(visitor.said, self._secret):
            visitor.line.send(WELCOME)
            return not visitor.line.ended
        visitor.line.close()
        return False


def _is_over(visitor: Visitor) -> bool:
    if visitor.line.ended or time.monotonic() > visitor.until:
        visitor.line.close()
        return True
    return False


def _remove_old(folder: Path) -> None:
    for path in folder.glob("*meeting-*"):
        with contextlib.suppress(OSError):  # another run may do the same
            if path.lstat().st_mtime < time.time() - OLD_SECONDS:
                path.unlink()


def _listen() -> socket.socket:
    try:
        listener = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError):  # no IPv6 here
        listener = socket.create_server(("", 0))
    listener.setblocking(False)
    return listener
