"""SIGUSR1: a program says on standard error what takes long in its run, and what waits for what.

Python runs the handler as soon as the main thread is in Python code; the question is asked in a thread of its own, for
the main thread may hold what the answer needs. A program that sets a handler of its own replaces this one.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType


def explain_on_signal() -> None:
    """Have SIGUSR1 do that, except where it is ignored."""
    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        signal.signal(signal.SIGUSR1, _explain)


def _explain(number: int, frame: FrameType | None) -> None:
    threading.Thread(target=_say, name="fedfutures-explain", daemon=True).start()


def _say() -> None:
    from fedfutures.futures.inquiry import explain

    text = "".join(f"fedfutures: {line}\n" for line in explain().splitlines())
    sys.stderr.write(text)  # at once: other threads print, too
    sys.stderr.flush()
