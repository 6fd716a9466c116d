"""Grid Engine's launcher. tests/batch runs it in a real Grid Engine."""

from __future__ import annotations

from fedfutures_launcher.launchers.qrsh import Qrsh


def test_the_command_line_is_one_word() -> None:
    assert Qrsh().words("n1", "exec /bin/sh -c 'x'", {})[-2:] == ["n1", "exec /bin/sh -c 'x'"]
    assert Qrsh().by_hand("n1") == "qrsh -inherit n1"
