"""Requests for tests."""

from __future__ import annotations

from typing import Any

from fedfutures import Hosts
from fedfutures.host.settings import Settings
from fedfutures_launcher.hosts.spec import HostSpec
from fedfutures_launcher.hosts.words import from_word
from fedfutures_launcher.layout.assemble import Request


def request_of(*words: str, **ssh: Any) -> Request:
    """What a program asks for that names these hosts."""
    specs = [from_word(word) for word in words]
    for spec in specs:
        spec.name = spec.host
    return Request(HostSpec("localhost", name="here"), specs, Settings(host="here", workers=1, size=1), Hosts(**ssh))
