"""What a keeper says of its standing Federation."""

from __future__ import annotations

from typing import Any

from ..lazy_dataclass import dataclass, field


@dataclass(slots=True)
class Status:
    """A standing Federation as it is now."""

    name: str
    pid: int  # of the keeper
    host: str  # of the keeper
    since: float  # when it was started, in seconds since 1970
    door: str  # where programs come to
    hosts: dict[str, int] = field(default_factory=dict)  # slots of those that are reached, by name
    runs: list[dict[str, Any]] = field(default_factory=list)  # program, pid, workers, wanted, since of each
    idle: float = 0.0  # after how many seconds without programs it ends; 0: never
    request: dict[str, Any] = field(default_factory=dict)  # what its connector was asked for; {}: no other hosts
    sessions: str = ""  # the socket that leads to other hosts
    away: list[str] = field(default_factory=list)  # hosts that are not reached now, and may come back
    scale: dict[str, Any] = field(default_factory=dict)  # the command that submits jobs, and how many have not come


def status_from(value: dict[str, Any]) -> Status:
    """Return the status that a frame held."""
    return Status(**value)
