"""Hosts that came while a Federation stood, or a run went on: a connector notes them for the one that follows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LATE_HOST = "late "
"""The beginning of a note's name; the name of the host follows, and the note's value is how it is reached."""


def with_late_hosts(request: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a connector is asked for, with the hosts that have come since; a name stands for the latest of it.

    >>> with_late_hosts({"hosts": [{"name": "a"}]}, {"late b": {"name": "b"}, "late a": {"name": "a", "count": 2}})
    {'hosts': [{'name': 'a', 'count': 2}, {'name': 'b'}]}
    """
    hosts = {host["name"]: host for host in request["hosts"]}
    hosts |= {name.removeprefix(LATE_HOST): value for name, value in notes.items() if name.startswith(LATE_HOST)}
    return {**request, "hosts": list(hosts.values())}
