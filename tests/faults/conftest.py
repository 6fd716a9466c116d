"""One Federation for all tests of a module, and what its host process said about Workers that ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tasks
from launching import eventually
from started import overheard

from fedfutures import Executor
from fedfutures.wire.control import WorkerEnded

SECONDS = 20.0


class Shared:
    """An Executor of two Workers; `lost` are the Workers that ended other than in order, as (name, how)."""

    def __init__(self) -> None:
        self.lost: list[tuple[str, str]] = []
        self.executor, self._handle = overheard(self._hear)
        self.submit = self.executor.submit
        self.map = self.executor.map

    def has_lost(self, *ends: str) -> bool:
        """Whether the Workers that were lost ended in these ways; the word of it may come after a Future's result."""
        return eventually(lambda: len(self.lost) >= len(ends), 2.0) and [how for _, how in self.lost] == list(ends)

    @property
    def facts(self) -> dict[str, Any]:
        """What the host process said of itself."""
        return self._handle.facts

    def _hear(self, frame: Any) -> None:
        if isinstance(frame, WorkerEnded):
            self.lost.append((frame.worker, frame.status))

    def serves(self) -> bool:
        """Whether Futures still run as they should."""
        innocents = [self.submit(tasks.square, number) for number in range(10)]
        return [future.result(timeout=SECONDS) for future in innocents] == [number**2 for number in range(10)]


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    """The Federation that a module's tests share: what one of them breaks, the next would find broken."""
    here = Shared()
    with here.executor:
        assert here.serves()
        yield here


@pytest.fixture(scope="module", params=[1, 2])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """An Executor that a module's tests share, of one Worker and of two."""
    with Executor(request.param) as made:
        yield made
