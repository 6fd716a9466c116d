"""``scoop.shared``: constants that every Worker knows."""

from __future__ import annotations

from typing import Any

from ... import shared

__all__ = ["getConst", "setConst"]


def setConst(**kwargs: Any) -> None:
    """Set constants, which may be functions, for all Workers; see :func:`fedfutures.shared.set`."""
    shared.set(**kwargs)


def getConst(name: str, timeout: float = 0.1) -> Any:
    """Return a constant, and None if it is not set within `timeout` seconds."""
    return shared.get(name, None, timeout=timeout)
