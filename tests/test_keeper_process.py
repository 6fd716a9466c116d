"""What a keeper is begun with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fedfutures.wire.control import Heartbeat
from fedfutures.wire.framing import pack

pytestmark = pytest.mark.host


@pytest.mark.parametrize(("said", "code"), [(b"", 0), (pack(Heartbeat()), 1)])
def test_nobody_and_somebody_else_begin_it(said: bytes, code: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "fedfutures.keeper_process"], input=said, capture_output=True, timeout=60, check=False
    )  # fmt: skip
    assert ended.returncode == code
    assert ended.stdout == b""
    assert (b"a keeper is not begun by Heartbeat" in ended.stderr) is bool(code)
