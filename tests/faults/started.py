"""An Executor whose host process the test listens to as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fedfutures import Executor
from fedfutures.host.handle import HostHandle


def overheard(
    hear: Callable[[Any], object] = bool, max_workers: int = 2, brokers: int = 1, **more: Any
) -> tuple[Executor, HostHandle]:
    """Return an Executor that has started, and the handle of its host process; `hear` is told each frame of it."""
    handles: list[HostHandle] = []
    listen = HostHandle.listen

    def listening(handle: HostHandle, on_frame: Callable[[Any], None]) -> None:
        def both(frame: Any) -> None:
            hear(frame)
            on_frame(frame)

        handles.append(handle)
        listen(handle, both)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(HostHandle, "listen", listening)
        executor = Executor(max_workers=max_workers, brokers=brokers, **more).bootup()
    return executor, handles[0]
