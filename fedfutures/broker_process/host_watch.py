"""The Broker's thread that looks whether its host process is stopped, as that looks whether its Brokers are.

A host process that is stopped replaces nobody that ends and passes nothing on. Unlike a Worker it holds no Futures: to
continue it loses nothing, and to kill it would end all that is below it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

from ..host.system import state_of
from ..supervision.stops import STOP_GRACE, Vigil


def watch(host: str, pid: int, *, says: bool) -> None:
    """Look at the host process from now on; with `says` tell people."""
    threading.Thread(target=_watch, args=(host, pid, says), name="fedfutures-host-watch", daemon=True).start()


def _watch(host: str, pid: int, says: bool) -> None:
    vigil, state = Vigil(), "S"
    while state:
        time.sleep(vigil.pause())
        state = state_of(pid)
        todo = vigil.look(state == "T", time.monotonic())
        if todo == "say" and says:
            with contextlib.suppress(OSError, ValueError):
                print(
                    f"fedfutures: the host process of {host} (pid {pid}) is stopped: nobody replaces Workers that end. "
                    f"Unless somebody continues it before (kill -CONT {pid}), its Broker does after {STOP_GRACE}",
                    file=sys.stderr, flush=True,
                )  # fmt: skip
        elif todo == "continue":
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)
