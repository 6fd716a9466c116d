"""Why something cannot start, in two lines, and the exit code."""

from __future__ import annotations

import pytest

from fedfutures.errors import StartFailed
from fedfutures_launcher.verbs.refusals import say


def test_two_lines_and_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert say(StartFailed("no host", 3, {"h": "a reason that the table has shown"})) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "fedfutures: no host\nAbout this error: python -m fedfutures error StartFailed\n"
