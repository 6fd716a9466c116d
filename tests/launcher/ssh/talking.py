"""Sessions that are talked to, and ssh configs that differ from that of the hosts."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lab import Rootless
from lab.machines import wait_until

from fedfutures_launcher.ssh.client import Client
from fedfutures_launcher.ssh.session import LoginTarget, Session

LIMIT_SECONDS = 40.0


class FunctionClient(Client):
    """Its sessions run a function in the place of a command on another host."""

    def begin(self, serve: Callable[[Session], None]) -> Session:
        """Start a session that this function serves."""
        self._function = serve
        return self.start(LoginTarget("vm", "vm.example", command="true"))

    def serve(self, session: Session) -> None:
        self._function(session)


def talk(session: Session, data: bytes = b"", *, end: bool = True) -> tuple[bytes, bytes]:
    """Write to a session and read from it, both at a time, until it is over; then close it."""
    view, came = memoryview(data), {session.read_fd: bytearray(), session.error_fd: bytearray()}
    results, left = list(came.values()), set(came)
    deadline = time.monotonic() + LIMIT_SECONDS
    if not data and end:
        session.close_input()
    while left:
        writers = [session.write_fd] if view else []
        ready, writable, _ = select.select(left, writers, [], max(0.0, deadline - time.monotonic()))
        assert ready or writable, "the session does not end"
        for descriptor in ready:
            got = os.read(descriptor, 1 << 18)
            came[descriptor] += got
            if not got:
                left.remove(descriptor)
        if writable:
            view = view[os.write(session.write_fd, view[: 1 << 18]) :]
            if not view and end:
                session.close_input()
    session.close()
    return bytes(results[0]), bytes(results[1])


def lets_in(door: Path) -> bool:
    """Whether somebody listens at a socket; that has a name before."""
    with socket.socket(socket.AF_UNIX) as visitor:
        return visitor.connect_ex(str(door)) == 0


@contextlib.contextmanager
def agent(key: Path, path: Path) -> Iterator[Path]:
    """An agent that holds a key; the socket, which is in this directory."""
    door = path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", door], stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: lets_in(door), "the agent is there")
            environment = {**os.environ, "SSH_AUTH_SOCK": str(door)}
            subprocess.run(["ssh-add", "-q", key], env=environment, check=True, timeout=20)
            yield door
        finally:
            process.kill()


def altered(hosts: Rootless, path: Path, **lines: str) -> Path:
    """Return an ssh config like that of the hosts, but with these settings, which come first."""
    said = "".join(f"{key} {value}\n" for key, value in lines.items())
    text = hosts.config.read_text()
    for key in lines:
        text = re.sub(rf"^ *{key} .*\n", "", text, flags=re.MULTILINE)
    config = path / "config"
    config.write_text(said + text)
    return config
