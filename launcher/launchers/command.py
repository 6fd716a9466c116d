"""Any other command, as ``--launcher COMMAND`` gives it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from .launcher import Launcher

PLACE = "{host}"


class Command(Launcher):
    """A command of the user's. The command line for the host's shell is its last word.

    The host stands in the place of ``{host}``; where no word has that, it is the last word but one, as ssh has it.

    >>> Command("lsrun -m {host} sh -c").words("n1", "exec x", {})
    ['lsrun', '-m', 'n1', 'sh', '-c', 'exec x']
    >>> Command("rsh -l ann").words("n1", "exec x", {})
    ['rsh', '-l', 'ann', 'n1', 'exec x']
    """

    def __init__(self, text: str) -> None:
        """Raise ValueError for what is no command."""
        try:
            self._words = shlex.split(text)
        except ValueError as error:
            raise ValueError(f"launcher {text!r} cannot be split into words: {error}") from None
        if not self._words:
            raise ValueError("launcher: the command is empty")
        self.name = self._words[0].rpartition("/")[2]

    @property
    def executable(self) -> str:
        """As that of :class:`Launcher`."""
        return self._words[0]

    def words(self, host: str, command: str, environ: Mapping[str, str], answer: str = "") -> list[str]:
        """As that of :class:`Launcher`."""
        has_place = any(PLACE in word for word in self._words)
        return [*(word.replace(PLACE, host) for word in self._words), *([] if has_place else [host]), command]

    def by_hand(self, host: str) -> str:
        """As that of :class:`Launcher`."""
        return shlex.join(self.words(host, "", {})[:-1])
