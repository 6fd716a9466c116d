"""The way back to a host process whose ssh connection was lost: its door, joined to standard input and output.

What a new ssh session runs instead of a host process; it ends when either side does.
"""

from __future__ import annotations

import os
import select
import socket
import sys

from ..wire.control import HostProcessGone
from ..wire.framing import pack
from .reattach import DOOR

CHUNK_BYTES = 1 << 16


def main(run_directory: str) -> None:
    """Pass bytes between the door of the host process of this private directory and standard input and output.

    Says so, and exits with code 4, when there is no such host process any more.
    """
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.connect(os.path.join(run_directory, DOOR))
    except OSError as error:
        os.write(1, pack(HostProcessGone()))
        print(f"fedfutures: the host process is gone: {error.strerror}", file=sys.stderr)
        raise SystemExit(4) from None
    ways = {0: door.fileno(), door.fileno(): 1}
    while True:
        for source in select.select(list(ways), [], [])[0]:
            data = os.read(source, CHUNK_BYTES)
            if not data:
                return
            view = memoryview(data)
            while view:
                view = view[os.write(ways[source], view) :]
