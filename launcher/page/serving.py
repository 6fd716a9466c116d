"""The process of a page: told by a line of JSON what to serve, it says where, and ends when who started it ends."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from typing import Any

import uvicorn

from .app import app_for
from .feed import PageFeed


def main() -> None:
    """Serve until standard input ends."""
    asked = json.loads(sys.stdin.buffer.readline() or b"null")
    if asked is None:
        return
    try:
        door = opened(int(asked["port"]))
    except OSError as error:
        _say({"problem": f"port {asked['port']} cannot be used: {error.strerror}"})
        return
    server = server_of(asked["path"], bytes.fromhex(asked["secret"]), controls=asked["controls"])
    threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    _say({"port": door.getsockname()[1]})
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody reads what it says from now on
    server.run([door])


def server_of(path: str, secret: bytes, reader: str = "", *, controls: bool) -> uvicorn.Server:
    """Return the server of the run behind this socket ``ask``; `reader`: the token of programs that only read."""
    feed = PageFeed(path)
    feed.start()
    return uvicorn.Server(uvicorn.Config(
        app_for(feed, secret, reader, controls=controls), log_level="error", access_log=False, lifespan="off",
        server_header=False, limit_concurrency=100, ws="none", timeout_graceful_shutdown=1,
    ))  # fmt: skip


def opened(port: int) -> socket.socket:
    """Return a socket of this machine alone; 0: the system chooses the port. Raises OSError."""
    door = socket.socket()
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", port))
        door.listen()  # so who comes before the server is there waits for it
    except OSError:
        door.close()
        raise
    return door


def _say(facts: dict[str, Any]) -> None:
    print(json.dumps(facts), flush=True)


def _end_with_parent(server: uvicorn.Server) -> None:
    while os.read(0, 4096):
        pass
    server.should_exit = True
