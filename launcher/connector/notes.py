"""What a connector writes down for the one that follows it, should it be killed; the program keeps the notes.

They say which hosts can take part, where their host processes are, and where Brokers are reached. The program knows
nothing of that: it keeps each note (frame ``KeepNote``) and gives all of them to the next connector.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from fedfutures.standing.late_hosts import LATE_HOST
from fedfutures.wire.control import BrokerBound, KeepNote

FACTS = "facts"
WORKERS = "workers"
SLOTS = "slots"
_HOST = "host "
_BROKER = "broker "


class Notes:
    """The notes so far; `kept` are those of the connector before this one. `send` sends a frame to the program."""

    def __init__(self, kept: Mapping[str, dict[str, Any]], send: Callable[[KeepNote], object]) -> None:
        self._kept, self._send = dict(kept), send

    @property
    def facts(self) -> dict[str, Any] | None:
        """The facts of the hosts that can take part, by name; None: no run was planned yet."""
        return self._kept.get(FACTS)

    def directory(self, host: str) -> str | None:
        """The private directory of a host's process; None: it has not become ready."""
        found: str | None = self._kept.get(_HOST + host, {}).get("directory")
        return found

    def is_gone(self, host: str) -> bool:
        """Whether a host was given up, or has left."""
        return bool(self._kept.get(_HOST + host, {}).get("gone"))

    @property
    def workers(self) -> int:
        """How many Workers the program has asked for since it began; 0: it has not."""
        return int(self._kept.get(WORKERS, {}).get("count", 0))

    def places(self) -> list[BrokerBound]:
        """Where Brokers are reached, and their keys."""
        return [BrokerBound(**value) for name, value in self._kept.items() if name.startswith(_BROKER)]

    def keep_facts(self, facts: dict[str, Any]) -> None:
        """The run is planned with these hosts; the program is told again if it knows that already."""
        self._kept.pop(FACTS, None)
        self._keep(FACTS, facts)

    def slots(self) -> dict[str, int]:
        """How many Workers may live on each host of a standing Federation, over all programs."""
        return dict(self._kept.get(SLOTS, {}))

    def slots_there(self) -> dict[str, int]:
        """The same, of hosts that are reached now."""
        noted = {host: self._kept.get(_HOST + host, {}) for host in self.slots()}
        return {host: count for host, count in self.slots().items() if not {"gone", "away"} & noted[host].keys()}

    def keep_slots(self, slots: dict[str, int]) -> None:
        """So many Workers may live on each host of a standing Federation."""
        self._keep(SLOTS, slots)

    def keep_directory(self, host: str, directory: str) -> None:
        """A host process is ready."""
        self._keep(_HOST + host, {"directory": directory})

    def keep_away(self, host: str) -> None:
        """A host of a standing Federation is not reached now; it may come back."""
        self._keep(_HOST + host, {**self._kept.get(_HOST + host, {}), "away": True})

    def keep_late(self, host: str, spec: dict[str, Any]) -> None:
        """A host comes while others are there, and is reached so; nothing is known of one of this name before it."""
        self._keep(LATE_HOST + host, spec)
        self._keep(_HOST + host, {})

    def keep_gone(self, host: str) -> None:
        """A host was given up, or has left."""
        self._keep(_HOST + host, {"gone": True})

    def keep_workers(self, count: int) -> None:
        """The program has asked for so many Workers."""
        self._keep(WORKERS, {"count": count})

    def keep_place(self, frame: BrokerBound) -> None:
        """A Broker is reached there, with this key."""
        self._keep(_BROKER + frame.broker, dataclasses.asdict(frame))

    def _keep(self, name: str, value: dict[str, Any]) -> None:
        if self._kept.get(name) != value:
            self._kept[name] = value
            self._send(KeepNote(name, value))
