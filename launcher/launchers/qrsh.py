"""Grid Engine's ``qrsh -inherit``: a task of the job on one of its hosts. Source: qrsh(1).

The parallel environment must have ``control_slaves TRUE``; else the execution daemon refuses.
"""

from __future__ import annotations

from collections.abc import Mapping

from .launcher import Launcher


class Qrsh(Launcher):
    """It gives its words, joined by blanks, to a shell there."""

    name = "qrsh"
    scheduler = "Grid Engine"

    def words(self, host: str, command: str, environ: Mapping[str, str]) -> list[str]:
        """As that of :class:`Launcher`."""
        return ["qrsh", "-inherit", host, command]

    def by_hand(self, host: str) -> str:
        """As that of :class:`Launcher`."""
        return f"qrsh -inherit {host}"
