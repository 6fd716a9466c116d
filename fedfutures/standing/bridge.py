"""What an ssh session runs to come to a standing Federation: joins standard input and output to its keeper.

The first frame says what for: a program asks for the status, or for a host; a host comes by itself. A keeper that was
killed is started again.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import asdict
from typing import NoReturn

from ..errors import RemoteProtocolError, StartFailed
from ..host import starting
from ..host.attach import pass_on
from ..host.frame_line import read_first
from ..host.greeting import Greeting, line
from ..host.hello_line import SERVER
from ..host.hosts import Hosts
from ..host.system import write_all
from ..lazy_dataclass import replaced
from ..wire.control import (
    AddHost,
    ControlFrame,
    HostComes,
    HostStarted,
    OpenSession,
    ServerStatus,
    StartRefused,
    StatusWanted,
    WatchHosts,
)
from ..wire.framing import FrameReader, pack
from .joining import DoorVisit, reached
from .places import StandingPlace
from .status import Status

KEY = "FEDFUTURES_VISITOR_KEY"
"""The variable that says by which key somebody has come (:mod:`fedfutures_launcher.connector.key_door`)."""
COME_SECONDS = 5.0
AGAIN_SECONDS = 0.05


def main(name: str) -> None:
    """Serve one who has come, until either side ends."""
    frames = read_first(FrameReader())
    if not frames:
        return
    try:
        wanted, place = frames[0], StandingPlace(name)
        status = reached(place)
        if isinstance(wanted, StatusWanted):
            _say(ServerStatus(asdict(status)))
            return
        if isinstance(wanted, OpenSession) and wanted.host == status.host:
            _become(wanted.command, status)
        if not isinstance(wanted, (OpenSession, WatchHosts, HostComes)):
            raise StartFailed(f"{type(wanted).__name__} is not for a keeper", 2)
        if isinstance(wanted, HostComes):
            wanted = replaced(wanted, key=os.environ.get(KEY, ""))
        if not status.request:
            _begin_connector(status)
        connection = _connector(status.sessions)
    except StartFailed as error:
        _say(StartRefused(error.summary, error.exit_code, {}))
    except (OSError, RemoteProtocolError) as error:
        _say(StartRefused(f"the connector of {name} does not answer: {error}", 3, {}))
    else:
        with connection:
            connection.sendall(pack(wanted))
            pass_on(connection)


def _say(frame: ControlFrame) -> None:
    write_all(1, memoryview(pack(frame)))


def _become(command: str, status: Status) -> NoReturn:
    """Be what a program wants on this machine: the keeper is its host server."""
    _say(HostStarted(0))
    os.execve("/bin/sh", ["/bin/sh", "-c", command], {**os.environ, SERVER: status.door})


def _begin_connector(status: Status) -> None:
    """Have the keeper begin the connector to other hosts, of which it has none yet."""
    request, _ = starting.load_launcher().added_hosts(status, Hosts(), [])
    visit = DoorVisit(status.door, status.name)
    try:
        visit.ask(AddHost({}, request))
    finally:
        visit.close()


def _connector(path: str) -> socket.socket:
    """Return a connection to the keeper's connector, behind its greeting. Raises OSError and RemoteProtocolError."""
    deadline = time.monotonic() + COME_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(COME_SECONDS)
        try:
            connection.connect(path)
            connection.sendall(line())
            greeting = Greeting()
            while not greeting.is_over:
                greeting.feed(connection.recv(1) or _end())
        except (ConnectionRefusedError, FileNotFoundError):  # it begins
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_SECONDS)
        except BaseException:
            connection.close()
            raise
        else:
            connection.settimeout(None)
            return connection


def _end() -> bytes:
    raise ConnectionResetError("it has hung up")
