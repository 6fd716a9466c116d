"""What pytest is to hear of a test that has run in another process."""

from __future__ import annotations

import pickle
import sys
import warnings
from typing import Any

import pytest

from .suite import Exit, Result

Said = list[tuple[str, Any]]
"""In order: what it is, "report", "warning" or "stop", and its data."""


def opened(result: Result, worker: str) -> Said | str | Exit:
    """Return the reports of a test, or why there are none."""
    if isinstance(result, bytes):
        try:
            return pickle.loads(result)  # type: ignore[no-any-return]
        except Exception as error:
            result = f"the reports of this test cannot be loaded: {type(error).__name__}: {error}"
    return f"Worker {worker}: {result}" if isinstance(result, str) else result


def is_late(said: tuple[str, Any], item: pytest.Item) -> bool:
    """Whether a report is of a test before this one."""
    return said[0] == "report" and said[1].get("nodeid") != item.nodeid


def has_failed(result: Said | str | Exit) -> bool:
    """Whether a test has: it raised, or its process has died."""
    if isinstance(result, list):
        return any(kind == "report" and data.get("outcome") == "failed" for kind, data in result)
    return True


def warning_of(
    text: str, module: str, kind: str, filename: str, line: int, when: str, nodeid: str, location: Any
) -> dict[str, Any]:
    """Return the arguments of the hook that hears of warnings, for one of another process."""
    category: Any = sys.modules.get(module)
    for name in kind.split("."):
        category = getattr(category, name, None)
    if not (isinstance(category, type) and issubclass(category, Warning)):
        category = Warning
    try:
        message = category(text)
    except Exception:  # one that takes other arguments
        message, category = Warning(f"{kind}: {text}"), Warning
    found = warnings.WarningMessage(message, category, filename, line)
    return {"warning_message": found, "when": when, "nodeid": nodeid, "location": location}
