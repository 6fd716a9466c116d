"""The node through which an Executor submits, for tests that are about the node itself."""

from __future__ import annotations

from typing import Any

from fedfutures import Executor
from fedfutures.worker import current
from fedfutures.worker.future_fields import home_of


def node_of(executor: Executor) -> Any:
    """Return the Origin of an Executor; None for one that is serial."""
    home = home_of(executor.submit(int))
    return next((origin for origin in current.origins if origin.submissions is home), None)
