"""LSF's ``blaunch``, which takes a host and a command as rsh does. Source: the LSF command reference.

It has not run on a real cluster yet: the tests have a stand-in that behaves as the reference says.
"""

from __future__ import annotations

from collections.abc import Mapping

from .launcher import SHELL, Launcher


class Blaunch(Launcher):
    """``-no-shell``: the words are a command of their own, and no login shell reads them."""

    name = "blaunch"
    scheduler = "LSF"
    is_tried = False

    def words(self, host: str, command: str, environ: Mapping[str, str], answer: str = "") -> list[str]:
        """As that of :class:`Launcher`."""
        return ["blaunch", "-no-shell", host, *SHELL, command]

    def by_hand(self, host: str) -> str:
        """As that of :class:`Launcher`."""
        return f"blaunch {host}"
