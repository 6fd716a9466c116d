"""How the process of a connector begins."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fedfutures.wire.control import BeginRun, EndRun, Heartbeat
from fedfutures.wire.framing import pack

pytestmark = pytest.mark.host
PROGRAM = """
from fedfutures_launcher.connector import beginning

class Says:
    def __init__(self, request, line, poller): self.request = request
    def run(self, early=()): print(sorted(self.request), [type(frame).__name__ for frame in early], flush=True)

beginning.run(Says)
"""


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"", ""),
        (pack(Heartbeat()), ""),
        (pack(BeginRun({"a": 1})) + pack(Heartbeat()), "['a'] ['Heartbeat']\n"),
        (pack(BeginRun({"a": 1})) + pack(EndRun()), ""),
        (pack(BeginRun({"notes": {"b": {}}})) + pack(EndRun()), "['notes'] ['EndRun']\n"),
    ],
    ids=["nothing", "another frame", "begins", "over", "over, and hosts are to be told"],
)
def test_what_is_said_first(said: bytes, answer: str) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], input=said, capture_output=True, timeout=20)
    assert (ended.stdout.decode(), ended.returncode) == (answer, 0), ended.stderr
