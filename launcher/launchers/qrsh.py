"""Grid Engine's ``qrsh -inherit``: a task of the job on one of its hosts. Source: qrsh(1).

The parallel environment must have ``control_slaves TRUE``; else the execution daemon refuses. When a task ends by a
signal, Grid Engine ends the whole job. So a shell stays above the host process, and turns its end into an exit code.
"""

from __future__ import annotations

from collections.abc import Mapping

from .launcher import SHELL, Launcher


class Qrsh(Launcher):
    """It gives its words, joined by blanks, to a shell there."""

    name = "qrsh"
    scheduler = "Grid Engine"

    def words(self, host: str, command: str, environ: Mapping[str, str], answer: str = "") -> list[str]:
        """As that of :class:`Launcher`."""
        script = command.removeprefix(f"exec {' '.join(SHELL)} ")
        return ["qrsh", "-inherit", host, f"exec /bin/sh -c '/bin/sh -c \"$0\"; exit $?' {script}"]

    def by_hand(self, host: str) -> str:
        """As that of :class:`Launcher`."""
        return f"qrsh -inherit {host}"
