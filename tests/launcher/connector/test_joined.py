"""How the connector of a joined program begins; what it does is in test_growing.py and in tests/hosts."""

from __future__ import annotations

import dataclasses
import os
import select

from fedfutures.host.frame_line import FrameLine
from fedfutures_launcher.connector.joined import JoinedConnector, begin

from .requests import request_of


def test_it_begins_with_what_a_program_asks_for() -> None:
    read, write = os.pipe()
    try:
        request = dataclasses.replace(request_of("h1"), sessions="/run/sessions", at_most=3)
        connector = begin(dataclasses.asdict(request), FrameLine(read, write, poller := select.poll()), poller)
        assert isinstance(connector, JoinedConnector)
        assert (connector.request.at_most, list(connector.logins)) == (3, ["h1"])
    finally:
        os.close(read)
        os.close(write)
