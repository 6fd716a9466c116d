"""How the process of a connector begins: it is asked for something over standard input, before anything else."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from fedfutures.host.frame_line import FrameLine, read_first
from fedfutures.host.system import disable_core_dumps, name_process, raise_descriptor_limit
from fedfutures.wire.control import BeginRun, ControlFrame, EndRun
from fedfutures.wire.framing import FrameReader


class HasRun(Protocol):
    """A connector."""

    def run(self, early: Iterable[ControlFrame] = ()) -> None:
        """Serve until the end; `early` are frames that came with the request."""


def run(begin: Callable[[dict[str, Any], FrameLine, select.poll], HasRun]) -> None:
    """Run a connector on standard input and output; `begin` makes it from what is asked for."""
    name_process("fedfut-connect")
    for meant_for_the_program in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(meant_for_the_program, signal.SIG_IGN)  # in ssh clients, too: they inherit it
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # by which ssh clients are ended
    disable_core_dumps()
    raise_descriptor_limit()
    reader = FrameReader()
    frames = read_first(reader)
    if not frames or not isinstance(frames[0], BeginRun):  # the end has come already
        raise SystemExit(0)
    has_ended, notes = EndRun() in frames, frames[0].request.get("notes")
    if has_ended and not notes:
        raise SystemExit(0)
    poller = select.poll()
    begin(frames[0].request, FrameLine(0, 1, poller, reader), poller).run(frames[1:])
    os._exit(0)  # an ssh library may still have threads
