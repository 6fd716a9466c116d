"""Grid Engine's launcher. tests/batch runs it in a real Grid Engine."""

from __future__ import annotations

import subprocess

import pytest

from fedfutures_launcher.launchers.qrsh import Qrsh


def test_the_command_line_is_one_word() -> None:
    words = Qrsh().words("n1", "exec /bin/sh -c 'x'", {})
    assert words == ["qrsh", "-inherit", "n1", "exec /bin/sh -c '/bin/sh -c \"$0\"; exit $?' 'x'"]
    assert Qrsh().by_hand("n1") == "qrsh -inherit n1"


@pytest.mark.parametrize(("script", "code"), [("kill -9 $$", 137), ("exit 3", 3), ('test "$(cat)" = "a b"', 0)])
def test_no_signal_ends_what_the_daemon_has_started(script: str, code: int) -> None:
    command = Qrsh().words("n1", f"exec /bin/sh -c '{script}'", {})[-1]
    assert subprocess.run(["/bin/sh", "-c", command], input=b"a b", timeout=10).returncode == code
