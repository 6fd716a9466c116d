"""``python -m fedfutures.host_process``: a host process, and what it forks: the one place that knows all processes.

Workers' code is imported when the Brokers have been forked and the launching side knows of them: meanwhile that loads
its own.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from . import limits
from .host import server_line, supervisor
from .host.child import ChildMain
from .host.reattach import read_settings, tell_end
from .host.settings import Settings
from .host.starting import LoadingModules
from .host.system import (
    FormerState,
    become_subreaper,
    disable_core_dumps,
    raise_descriptor_limit,
    restore_core_dumps,
)
from .host.template import TemplateMain
from .wire.control import ControlFrame
from .wire.framing import FrameReader


def main() -> None:
    """Run a host process."""
    with LoadingModules():
        from .broker_process import shell

    former = disable_core_dumps()
    settings, reader, early = read_settings()
    if settings.serves:
        _serve(settings, reader, early, former)
    become_subreaper()
    raise_descriptor_limit()
    try:
        supervisor.Supervisor(settings, reader, former, shell.main, load_worker, _watch(settings.place)).run(early)
    except Exception as error:
        if (why := limits.reached(error)) is None and not isinstance(error, OSError):
            raise
        tell_end(f"the host process of {settings.host} cannot go on: {why or error}")
    sys.stderr.flush()
    os._exit(0)  # everything is gone; tearing down the interpreter would only keep the launching side waiting


def _serve(settings: Settings, reader: FrameReader, early: list[ControlFrame], former: FormerState) -> NoReturn:
    """Be a host server, which forks host processes: these begin as this one has begun."""
    from .standing import far_server

    restore_core_dumps(former)
    load_worker()
    far_server.serve(settings, reader, early, main)
    os._exit(0)


def _watch(place: str) -> server_line.WatchesDoor | None:
    """Return who watches the door of the host server; `place`: of its standing Federation, "" in other runs."""
    if not place:
        return None
    from .standing.door_watch import DoorWatch

    return DoorWatch(place)


def load_worker() -> tuple[ChildMain, TemplateMain]:
    """Import what Workers and templates run, and what programs import: once here, not by each of them."""
    with LoadingModules():
        import multiprocessing.spawn  # noqa: F401

        from . import shared  # noqa: F401
        from .futures import executor  # noqa: F401
        from .worker import process, template

    return process.main, template.main


if __name__ == "__main__":
    main()
