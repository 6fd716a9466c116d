"""Shared constants, files and random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import assert_type

from fedfutures import futures, shared

shared.set(answer=42, table=[1, 2])
assert_type(shared.get("answer"), Any)
answer: int = shared.get("answer", 0, timeout=1.0)
assert_type(shared.file(Path("data.bin")), str)
assert_type(futures.rng(), np.random.Generator)
assert_type(futures.options(seed=np.random.SeedSequence(4)).submit(int, "4").result(), int)

shared.get(42)  # type: ignore[arg-type]
