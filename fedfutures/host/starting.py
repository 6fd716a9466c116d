"""How processes are started, as the composition has said it: nothing down here names what stands above.

``fedfutures/__init__.py`` composes when it is imported, which is before anything else of the package.
"""

from __future__ import annotations

TYPE_CHECKING = False  # and no import of typing: a typing.py in the working directory would be found first
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Starting:
    """What a process needs to know to start others."""

    def __init__(self) -> None:
        self.host_module = ""
        """The module whose ``main()`` is a host process."""
        self.load_launcher: Callable[[], Any]
        """Imports and returns what starts Federations over several hosts; only programs that name hosts need it."""

    def compose(self, host_module: str, load_launcher: Callable[[], Any]) -> None:
        """Say what the processes of this installation are."""
        self.host_module, self.load_launcher = host_module, load_launcher


starting = Starting()
