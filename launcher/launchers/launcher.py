"""What a launcher is: a command that runs a command line on another host, with its standard streams. Pure.

Each module beside this one has one launcher. A new one needs `words`, and what else differs from the usual.
"""

from __future__ import annotations

from collections.abc import Mapping

SHELL = ("/bin/sh", "-c")


class Launcher:
    """A command that starts something on other hosts, as ssh does.

    What it starts must get the standard input of this command, byte for byte, and its end; what that writes to standard
    output must come out of this command. `scheduler`: in whose jobs it is tried without being asked for. `is_tried`:
    whether it has run on a real cluster; if not, ssh comes before it. `passes_streams`: whether they are passed so;
    if not, the host comes to a meeting (:mod:`.meeting`), and this command only starts it and ends with it.
    """

    name = ""
    scheduler: str | None = None
    is_tried = True
    passes_streams = True

    @property
    def executable(self) -> str:
        """The program that has to be on this machine."""
        return self.name

    def question(self, environ: Mapping[str, str]) -> list[str]:
        """Return a command whose output `words` needs to know; [] for none. `environ` is the environment here."""
        return []

    def words(self, host: str, command: str, environ: Mapping[str, str], answer: str = "") -> list[str]:
        """Return the command that runs a shell's command line on a host; `answer` is that to `question`.

        Raises Unusable where no command can.
        """
        raise NotImplementedError

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of that command."""
        return dict(environ)

    def by_hand(self, host: str) -> str:
        """Return the words that people put in front of a command, so that a shell on a host reads it."""
        raise NotImplementedError
