"""``fedfutures up NAME --foreground``: stays, for those who start and end services: systemd, containers."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType

from fedfutures.errors import StartFailed
from fedfutures.standing.joining import reached
from fedfutures.standing.log import followed, size_of
from fedfutures.standing.places import StandingPlace

from .down import take_down


class Foreground:
    """Stays until a standing Federation ends, and prints what its keeper says; ends it when it is to end itself.

    Made before the keeper is started: a signal that comes meanwhile is obeyed as soon as it has been.
    """

    def __init__(self, place: StandingPlace) -> None:
        self._place, self._is_over = place, False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._is_over = True

    def stay(self) -> None:
        """Return when nothing stands any more."""
        for line in followed(self._place.log, size_of(self._place.log), self._goes_on):
            print(line, flush=True)
        if self._place.stands() or self._place.is_taken():
            take_down(self._place)

    def _goes_on(self) -> bool:
        """Whether it stands, and is to; a keeper that was killed is started again."""
        if self._is_over or not (self._place.stands() or self._place.is_taken()):
            return False
        if not self._place.is_taken():
            with contextlib.suppress(StartFailed):  # it was taken down meanwhile; else the next look tries again
                reached(self._place)
        return True
