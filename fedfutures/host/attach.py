"""What a new ssh session runs to come back to a host process: joins its door to standard input and output."""

from __future__ import annotations

import os
import select
import socket
import sys

from ..wire.control import HostProcessGone
from ..wire.framing import pack
from .reattach import DOOR
from .system import write_all

CHUNK_BYTES = 1 << 16


def main(run_directory: str) -> None:
    """Pass bytes both ways until either side ends; exit with code 4 when the host process is gone."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.connect(os.path.join(run_directory, DOOR))
    except OSError as error:
        os.write(1, pack(HostProcessGone()))
        print(f"fedfutures: the host process is gone: {error.strerror}", file=sys.stderr)
        raise SystemExit(4) from None
    pass_on(door)


def pass_on(connection: socket.socket) -> None:
    """Pass bytes between a connection and standard input and output, until either side ends."""
    ways = {0: connection.fileno(), connection.fileno(): 1}
    while True:
        for source in select.select(list(ways), [], [])[0]:
            try:
                view = memoryview(os.read(source, CHUNK_BYTES))
                if not view:
                    return
                write_all(ways[source], view)
            except OSError:  # one side was killed: as if it had ended
                return
