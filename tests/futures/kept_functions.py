"""Functions that note their calls in a file: a variable that they read would be part of the key."""

from __future__ import annotations

import os
import pickle
import random
import time
from pathlib import Path
from typing import Any

from fedfutures.checkpoint.store import opened_store


def calls() -> list[str]:
    """Return the calls since the last time, and forget them."""
    path = Path(os.environ["KEPT_CALLS"])
    made = path.read_text().split() if path.exists() else []
    path.write_text("")
    return made


def note(item: Any) -> None:
    """Note a call."""
    with open(os.environ["KEPT_CALLS"], "a", encoding="utf-8") as file:
        file.write(f"{item}\n")


def work(x: Any, y: int = 0) -> Any:
    note(x)
    if x == "bad":
        raise ValueError(x)
    return [x, y]


def draw(x: int) -> float:
    note(x)
    return random.random()


def slow(x: int) -> int:
    note(x)
    time.sleep(0.002)
    return x


def stored(path: Path) -> set[int]:
    """Return the results of :func:`slow` in a checkpoint."""
    if not path.exists():
        return set()
    store = opened_store(str(path))
    bodies = [store.body(row.key) for row in store.rows()]
    store.close()
    assert None not in bodies
    return {pickle.loads(body) for body in bodies if body is not None}
