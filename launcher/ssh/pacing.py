"""How many logins are under way at a time, and how long to pause after one that the server dropped.

sshd drops logins at random once ten are under way that have not been let in (MaxStartups), and a hundred key exchanges
at a time would only slow each other. So each login waits for a *slot*: one ssh server has few, all together some more.
A server that drops a login gets half as many slots from then on.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

AT_ONE_SERVER = 8
IN_ALL = 64
LEAST = 2
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.5


class Pace:
    """Slots for logins; any thread may ask for one."""

    def __init__(self, at_one: int = AT_ONE_SERVER, in_all: int = IN_ALL) -> None:
        self._at_one, self._in_all = at_one, in_all
        self._free = threading.Condition()
        self._under_way: dict[str, int] = {}
        self._widths: dict[str, int] = {}  # of servers that have dropped logins

    @contextlib.contextmanager
    def slot(self, server: str) -> Iterator[None]:
        """Wait for a slot at this server and hold it."""
        with self._free:
            self._free.wait_for(lambda: self._has_room(server))
            self._under_way[server] = self._under_way.get(server, 0) + 1
        try:
            yield
        finally:
            with self._free:
                self._under_way[server] -= 1
                if not self._under_way[server]:
                    del self._under_way[server]
                self._free.notify_all()

    def dropped(self, server: str) -> None:
        """Halve the slots of a server that has dropped a login."""
        with self._free:
            self._widths[server] = max(LEAST, self._widths.get(server, self._at_one) // 2)

    def _has_room(self, server: str) -> bool:
        mine = self._under_way.get(server, 0)
        return mine < self._widths.get(server, self._at_one) and sum(self._under_way.values()) < self._in_all


def pause(tries: int) -> float:
    """Return how many seconds to wait after so many tries: longer each time, at random, so that logins spread."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 1.7**tries) * random.uniform(0.3, 1.0)
