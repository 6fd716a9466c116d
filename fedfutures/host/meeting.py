"""How a host comes to the launching side where its launcher passes no streams, as PBS's ``pbsdsh``.

The launching side listens, and says in a file in the user's home where that is: an *invitation*. It has the certificate
of the one who listens, and a secret by which that knows the host (:mod:`fedfutures_launcher.launchers.meeting`). Who
comes joins the connection to descriptors 0 and 1 of this process: from there on all is as with any launcher.

A process of its own passes the bytes on. It ends with this process, or with the connection.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from .invitation import Invitation

COME_SECONDS = 8.0
"""So long it takes at most until the host has come, or has not."""
REST_SECONDS = 5.0
"""So long the last bytes may take when this host has ended."""


def come(path: str) -> bool:
    """Join descriptors 0 and 1 to the meeting of which a file tells.

    False: there is no such file, or the connection cannot be made; the descriptors stay as they are. In the second case
    the file says why, behind the invitation.
    """
    try:
        invitation = Invitation.read(path)
    except (OSError, ValueError):
        return False
    input_read, input_write = os.pipe2(os.O_CLOEXEC)
    output_read, output_write = os.pipe2(os.O_CLOEXEC)
    came_read, came_write = os.pipe2(os.O_CLOEXEC)
    ours, theirs = (input_read, output_write, came_read), (output_read, input_write, came_write)
    try:
        if not (child := os.fork()):
            _become_pump(invitation, path, ours, theirs)
        for descriptor in theirs:
            os.close(descriptor)
        os.waitpid(child, 0)  # it has forked once more, so that the pump is no child of the host process
        came = bool(select.select([came_read], [], [], COME_SECONDS)[0] and os.read(came_read, 1))
        if came:
            os.dup2(input_read, 0)
            os.dup2(output_write, 1)
        return came
    finally:
        for descriptor in ours:
            os.close(descriptor)


def _become_pump(invitation: Invitation, path: str, ours: tuple[int, ...], theirs: tuple[int, int, int]) -> None:
    """Fork, and pass bytes on in the child. Never returns."""
    code = 1
    try:
        if not os.fork():
            for descriptor in ours:
                os.close(descriptor)
            _pump(invitation, path, *theirs)
        code = 0
    finally:
        os._exit(code)


def _pump(invitation: Invitation, path: str, source: int, sink: int, came: int) -> None:
    """Connect, write a byte to `came`, and pass on what comes from `source` and what goes to `sink` until both end."""
    from .meeting_dial import dial  # not in the host process, nor in its Workers: TLS takes 3 MB
    from .secure_line import Joint
    from .system import disable_core_dumps, name_process

    disable_core_dumps()
    name_process("fedfut-meeting")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # the host process decides when it ends
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(COME_SECONDS) + 2)  # nothing else ends the look-up of a name
    tried: list[str] = []
    connection = dial(invitation, time.monotonic() + COME_SECONDS, tried)
    if connection is None:
        _leave_word(path, tried)
        return
    signal.alarm(0)
    os.write(came, b"1")
    os.close(came)
    with open(os.devnull, "r+b", buffering=0) as null:
        for standard in (0, 1, 2):
            os.dup2(null.fileno(), standard)
    for descriptor in (source, sink):
        os.set_blocking(descriptor, False)
    joint = Joint(connection, source, sink, lambda: os.close(sink))
    until = None
    while not connection.ended or not joint.sink_ended:
        joint.turn(1.0)
        if joint.source_ended and not connection.unsent:
            until = until or time.monotonic() + REST_SECONDS  # the launching side hangs up when it has read all
            if time.monotonic() > until:
                break
    connection.close()


def _leave_word(path: str, tried: list[str]) -> None:
    """Say behind the invitation why this host could not come."""
    text = f"{os.uname().nodename} could not connect: {'; '.join(tried) or 'no address is known'}\n"
    with contextlib.suppress(OSError):
        descriptor = os.open(os.path.expanduser(path), os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, text.encode())
        os.close(descriptor)
