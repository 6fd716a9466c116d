"""What the face needs of a node: of an Origin, of a Worker, and of what runs calls at once in the process itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..wire.payload import Payloads
from ..worker.call_terms import CallTerms
from ..worker.future import Future


class SliceSubmitter(Protocol):
    """Submits calls of one function."""

    digest: bytes
    """Names the function, where durations are remembered for it."""

    def __call__(self, args: tuple[Any, ...], /) -> tuple[Future, int]: ...
    def attend(self, is_steady: Callable[[], bool], /) -> None: ...
    def close(self) -> None: ...


class AnyNode(Protocol):
    """Submits Futures, and takes their results in."""

    runs_at_once: bool
    """Whether a call has run when its submit returns."""
    payloads: Payloads

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held while a Future resolves."""

    @property
    def size(self) -> int:
        """How many Workers there are."""

    @property
    def submissions(self) -> Any:
        """The home of its Futures; None where they have none."""

    def submit(
        self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], terms: CallTerms | None = None
    ) -> Future: ...  # fmt: skip
    def submitter(self, function: Any, terms: CallTerms | None = None) -> SliceSubmitter: ...
    def send(self) -> None: ...
    def wait(self, future: Future, timeout: float | None) -> None: ...
    def cancel_all(self, futures: list[Future], *, running: bool = False) -> int: ...
    def call_soon(self, due: Any) -> bool: ...
    def share(self, name: str, value: Any) -> None: ...
