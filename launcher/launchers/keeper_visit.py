"""The way to a standing Federation on another machine: an ssh session to its keeper, on which frames go.

What runs there is :mod:`fedfutures.standing.bridge`. The reading here blocks, for a bounded time, and takes nothing of
what follows an answer: from there on the session belongs to whoever has asked.
"""

from __future__ import annotations

import os
import re
import select
import sys
import time
from dataclasses import dataclass

from fedfutures.errors import RemoteProtocolError, StartFailed
from fedfutures.host.system import write_all
from fedfutures.wire.control import ControlFrame
from fedfutures.wire.framing import decode, pack

from ..hosts.spec import BadHosts
from ..hosts.words import from_word
from ..remote.hello import HelloReader
from ..remote.preflight import check_compatible, local_versions
from ..ssh.client import Client
from ..ssh.known_hosts import FINGERPRINT
from ..ssh.session import LoginTarget, Session
from ..ssh.texts.command import bridge_command, default_pythons

ANSWER_SECONDS = 30.0
"""For so long a keeper may take: it may have to be started again."""
_BY_KEY = re.compile(
    r"tcp://(?P<host>\[[^]]+\]|[^][:/#@]+):(?P<port>\d{1,5})/(?P<name>[^:/#]+)"
    rf"#(?P<key>{FINGERPRINT})"
)
_ADDRESS = re.compile(r"(?P<login>.+):(?P<name>[^:]+)")


@dataclass(slots=True)
class FarPlace:
    """A standing Federation on another machine: ``[user@]host:NAME``, or ``tcp://HOST:PORT/NAME#SHA256:...``."""

    word: str
    target: LoginTarget
    name: str
    key: str = ""  # the fingerprint of the server where one comes by TCP; "": one comes by ssh


def far_place(word: str) -> FarPlace:
    """Return what a word means. Raises BadHosts for what can be none.

    >>> place = far_place("ann@login:lab")
    >>> place.name, place.target.user, place.target.host
    ('lab', 'ann', 'login')
    """
    if word.startswith("tcp:"):
        return _by_key(word)
    found = _ADDRESS.fullmatch(word)
    if found is None:
        raise BadHosts(f"{word} names no standing Federation of another machine; write [user@]host:NAME")
    spec, name = from_word(found["login"]), found["name"]
    target = LoginTarget(
        spec.host, spec.host, spec.user, spec.port, command=bridge_command(default_pythons(sys.executable), name)
    )
    return FarPlace(word, target, name)


def address_by_key(host: str, port: int, name: str, key: str) -> str:
    """Return the word for a standing Federation that listens; `key` is the fingerprint of its server.

    >>> far_place(address_by_key("::1", 7070, "lab", "SHA256:" + 43 * "k")).target.host
    '::1'
    """
    return f"tcp://{f'[{host}]' if ':' in host else host}:{port}/{name}#{key}"


def _by_key(word: str) -> FarPlace:
    found = _BY_KEY.fullmatch(word)
    if found is None:
        raise BadHosts(
            f"{word} names no standing Federation; write tcp://HOST:PORT/NAME#SHA256:..., as fedfutures status NAME "
            "shows it there"
        )
    host, name = found["host"].strip("[]"), found["name"]
    return FarPlace(word, LoginTarget(host, host, name, int(found["port"]), command=name), name, found["key"])


class KeeperVisit:
    """A session to the keeper. `seconds`: how long the login may take. Raises StartFailed."""

    def __init__(self, client: Client, place: FarPlace, seconds: float) -> None:
        self._place = place
        self.session: Session = client.start(place.target)
        for descriptor in (self.session.read_fd, self.session.write_fd):
            os.set_blocking(descriptor, True)
        try:
            self._hear_hello(time.monotonic() + seconds)
        except BaseException:
            self.session.close()
            raise

    def ask(self, frame: ControlFrame) -> ControlFrame:
        """Send a frame, and return the one that answers. Raises StartFailed."""
        deadline = time.monotonic() + ANSWER_SECONDS
        try:
            write_all(self.session.write_fd, memoryview(pack(frame)))
            size = int.from_bytes(self._exactly(4, deadline), "big")
            return decode(self._exactly(size, deadline))
        except (OSError, RemoteProtocolError) as error:
            raise StartFailed(f"{self._place.word} does not answer: {error}", 3) from None

    def finish(self, seconds: float) -> None:
        """Say nothing more; return when the other side has heard all and hung up, or after so many seconds."""
        self.session.close_input()
        deadline, poller = time.monotonic() + seconds, select.poll()
        poller.register(self.session.read_fd, select.POLLIN)
        while poller.poll(max(0.0, deadline - time.monotonic()) * 1000) and os.read(self.session.read_fd, 1 << 16):
            pass

    def _hear_hello(self, deadline: float) -> None:
        host, reader = self._place.target.host, HelloReader()
        try:
            while reader.hello is None and reader.failed is None:
                reader.feed(self._exactly(1, deadline))
        except OSError as error:
            raise self._failed(reader, str(error) or "it was silent") from None
        if reader.hello is None:
            raise self._failed(reader, str(reader.failed))
        failure, _ = check_compatible(host, reader.hello, local_versions())
        if failure is not None:
            raise StartFailed(str(failure), 3)

    def _failed(self, reader: HelloReader, why: str) -> StartFailed:
        if self.session.failure is not None:
            return StartFailed(str(self.session.failure), 3)
        said = reader.noise.decode("utf-8", "replace").strip().splitlines()[-1:]
        return StartFailed(f"{self._place.word} cannot be reached: {' '.join([why, *said])}", 3)

    def _exactly(self, count: int, deadline: float) -> bytes:
        data = b""
        poller = select.poll()
        poller.register(self.session.read_fd, select.POLLIN)
        while len(data) < count:
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError("it was silent for too long")
            more = os.read(self.session.read_fd, count - len(data))
            if not more:
                raise ConnectionResetError("the session has ended")
            data += more
        return data
