"""What a process needs to know to start others; ``fedfutures/__init__.py`` says it, before any other import.

So nothing in this folder names a module that stands above it.
"""

from __future__ import annotations

import gc

TYPE_CHECKING = False  # and no import of typing: a typing.py in the working directory would be found first
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    load_launcher: Callable[[], Any]
    """Imports and returns what starts Federations over several hosts; only programs that name hosts need it."""

host_module = ""  # the module whose ``main()`` is a host process
keeper_module = ""  # that of a keeper
keeper_connector_module = ""  # that of a keeper's connector
page_module = ""  # that of what serves a page


def compose(host: str, keeper: str, keeper_connector: str, page: str, launcher: Callable[[], Any]) -> None:
    """Set the modules of host processes, keepers and their connectors, and pages, and what loads the launcher."""
    global host_module, keeper_module, keeper_connector_module, page_module, load_launcher
    host_module, keeper_module, keeper_connector_module, page_module = host, keeper, keeper_connector, page
    load_launcher = launcher


class LoadingModules:
    """Meanwhile the garbage collector rests: it would look at all that modules make, again and again.

    They stay, so there is nothing to be collected, and to load them takes a sixteenth less.

    >>> with LoadingModules():
    ...     import json
    """

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_enabled:
            gc.enable()
