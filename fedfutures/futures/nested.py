"""The end of what Futures have submitted and have not waited for: only their Workers know of it.

At an end the Origin asks all Workers until each has said, twice in a row, that it has nothing: nothing given to it,
nothing of its own in its queue or with others, nothing that runs. An idle Worker answers at once, so this costs two
round trips. A Worker that does not answer for :data:`SILENT_SECONDS` is not waited for.
"""

from __future__ import annotations

import time
from typing import Any

from ..program import safe_points
from ..wire.codec import unpack_plain
from .ends import say

ANSWER_SECONDS = 1.0
SILENT_SECONDS = 2.0
NOTICE_SECONDS = 2.0
NOTICE_GROWTH = 5.0
PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.25


def wait_until_idle(origin: Any) -> None:
    """Return when no Worker has anything to run."""
    if not origin.machine.own.made:
        return
    idle, pause = 0, PAUSE_SECONDS
    began = heard = time.monotonic()
    notice = began + NOTICE_SECONDS
    while idle < 2 and origin.lost is None and not origin.closed:
        busy, silent = _look(origin)
        now = time.monotonic()
        if not silent:
            heard = now
        elif now - heard > SILENT_SECONDS and not busy:
            return
        idle = idle + 1 if not (busy or silent) else 0
        if busy and now > notice:
            notice = began + NOTICE_GROWTH * (now - began)
            say(
                f"waiting for {busy:,} Future{'s' * (busy != 1)} that Futures have submitted and not waited for, since "
                f"{now - began:.0f} s. Ctrl-C ends the wait"
            )
        if not idle:
            safe_points.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _look(origin: Any) -> tuple[int, bool]:
    """Return how many Futures all Workers that answer have, and whether some machine does not answer."""
    answers, complete = origin.submissions.ask("statistics", "", 0, ANSWER_SECONDS)
    count, silent = 0, not complete
    for _, packed in answers:
        if not packed:
            silent = True
            continue
        try:
            report = unpack_plain(packed)
            if "busy" in report:  # a Worker
                count += max(report["held"] + report["own"] + report["given"], report["busy"])
        except (ValueError, TypeError, KeyError):  # what it says makes no sense
            silent = True
    return count, silent
