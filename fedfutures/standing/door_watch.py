"""What a host process does when the door of its host server is shut: the keeper was killed, or taken down.

The run goes on meanwhile with the Workers that it has. After some tries the host process starts the keeper again from
what is recorded; of several that try at once, the lock chooses one (:mod:`.start`). Without a record the Federation was
taken down while it had no keeper, so the run ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ..errors import StartFailed
from .places import StandingPlace
from .start import start_again

TRIES = 3
"""So often the door has to be shut before the keeper is started again: it may be starting already."""
PAUSE_SECONDS = 2.0
PAUSE_SECONDS_AT_MOST = 60.0
"""Between two starts; the pause doubles, as the fault may be one that another start does not mend."""


class DoorWatch:
    """Watches the door of the standing Federation that is recorded at `path`; `start` starts its keeper."""

    def __init__(self, path: str, start: Callable[[StandingPlace], bool] = start_again) -> None:
        self._place, self._start = StandingPlace.at(path), start
        self._tries, self._pause, self._start_at = 0, PAUSE_SECONDS, 0.0

    def on_open(self) -> None:
        """The keeper is there."""
        self._tries, self._pause, self._start_at = 0, PAUSE_SECONDS, 0.0

    def on_shut(self, now: float) -> str:
        """The keeper is not there; return why there will be none, "" if there may be one."""
        self._tries += 1
        if self._place.is_taken():  # it begins, or ends
            return ""
        if not self._place.stands():
            return f"the standing Federation {self._place.name} has ended: it was taken down"
        if self._tries >= TRIES and now >= self._start_at:
            self._start_at, self._pause = now + self._pause, min(2 * self._pause, PAUSE_SECONDS_AT_MOST)
            with contextlib.suppress(OSError, StartFailed):  # the run needs no keeper to go on
                self._start(self._place)
        return ""

    def door(self) -> str:
        """Return where the door is now."""
        record = self._place.record()
        return record["door"] if record is not None else ""
