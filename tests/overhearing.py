"""Listening to what a host process sends to a program, without a program that notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fedfutures.host.handle import HostHandle


def overhear(handle: HostHandle, hear: Callable[[Any], object]) -> None:
    """Have each frame heard here, too, before whoever listens to the handle from now on."""
    listen = handle.listen

    def listen_both(heard: Callable[[Any], object]) -> None:
        def both(frame: Any) -> None:
            hear(frame)
            heard(frame)

        listen(both)

    handle.listen = listen_both  # type: ignore[method-assign]
