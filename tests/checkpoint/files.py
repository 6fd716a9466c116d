"""Checkpoints with results that are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures.checkpoint.store import opened_store
from fedfutures.errors import CheckpointRefused


def keys(count: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in range(count)]


def filled(path: Path, count: int, size: int = 200) -> list[bytes]:
    store = opened_store(str(path))
    for number, key in enumerate(keys(count)):
        store.add([key], "work", [bytes([number % 251]) * size])
    store.close()
    return keys(count)


def whole(path: Path, given: list[bytes]) -> int:
    store = opened_store(str(path))
    found = [store.body(key) for key in given]
    store.close()
    for number, body in enumerate(found):
        assert body is None or set(body) == {number % 251}
    return sum(body is not None for body in found)


def refused(path: Path) -> str:
    with pytest.raises(CheckpointRefused) as error:
        opened_store(str(path))
    return str(error.value)
