"""What a user is told when something cannot start, by programs and verbs alike."""

from __future__ import annotations

import sys

from fedfutures.errors import ABOUT, StartFailed


def say(error: StartFailed) -> int:
    """Say in one line why it did not start, in another one where that is explained; return the exit code."""
    print(f"fedfutures: {error.summary}\n{ABOUT}{type(error).__name__}", file=sys.stderr)
    return error.exit_code


def refuse(text: str) -> int:
    """Say in a line what cannot be done as it was asked for; return the exit code."""
    print(f"fedfutures: {text}", file=sys.stderr)
    return 2
