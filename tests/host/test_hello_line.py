"""A host process that a host server has forked says the hello that the launcher reads of all others."""

from __future__ import annotations

import sys

from fedfutures.host.hello_line import hello
from fedfutures_launcher.remote.hello import HelloReader


def test_the_launcher_reads_it() -> None:
    reader = HelloReader()
    assert reader.feed(b"Welcome!\n" + hello("/run/server", "10.0.0.1") + b"rest") == b"rest"
    assert reader.hello is not None
    assert (reader.hello.server, reader.hello.address) == ("/run/server", "10.0.0.1")
    assert reader.hello.executable == sys.executable
    assert reader.hello.error is None
