"""What a process needs to know to start others; ``fedfutures/__init__.py`` says it, before any other import.

So nothing in this folder names a module that stands above it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # and no import of typing: a typing.py in the working directory would be found first
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    load_launcher: Callable[[], Any]
    """Imports and returns what starts Federations over several hosts; only programs that name hosts need it."""

host_module = ""  # the module whose ``main()`` is a host process


def compose(host: str, launcher: Callable[[], Any]) -> None:
    """Set the module of host processes, and what loads the launcher."""
    global host_module, load_launcher
    host_module, load_launcher = host, launcher
