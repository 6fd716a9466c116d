"""The shared constants that a node knows, each with its version. Pure."""

from __future__ import annotations

from ..wire.messages import MAX_COUNT, Constant
from .events import Share, Shared


class SharedConstants:
    """The newest value of each."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, bytes]] = {}  # name -> (version, body)

    def share(self, share: Share) -> Constant:
        """This node gives one a new value; return what says so."""
        version = min(self._known.get(share.name, (0, b""))[0] + 1, MAX_COUNT)
        self._known[share.name] = version, share.body
        return Constant(share.name, version, share.body)

    def take(self, constant: Constant) -> list[Shared]:
        """A value has come; the newest wins, of equally new ones the greater."""
        if (constant.version, constant.body) <= self._known.get(constant.name, (0, b"")):
            return []
        self._known[constant.name] = constant.version, constant.body
        return [Shared(constant.name, constant.body)]

    def again(self) -> list[Constant]:
        """Return what says all of them in a new session."""
        return [Constant(name, version, body) for name, (version, body) in self._known.items()]
