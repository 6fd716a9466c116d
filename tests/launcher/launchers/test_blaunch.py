"""LSF's launcher. tests/batch runs it against a stand-in."""

from __future__ import annotations

from fedfutures_launcher.launchers.blaunch import Blaunch


def test_it_is_as_rsh() -> None:
    assert Blaunch().words("n1", "exec x", {}) == ["blaunch", "-no-shell", "n1", "/bin/sh", "-c", "exec x"]
    assert Blaunch().by_hand("n1") == "blaunch n1"
    assert not Blaunch().is_tried
