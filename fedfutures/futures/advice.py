"""What somebody is told who calls ``futures`` where nothing was launched: a command that can be pasted."""

from __future__ import annotations

import os
import shlex
import sys

from ..worker import current


def advice() -> str:
    """Return how the same calls get Workers: in a session by an Executor, for a program by the launcher."""
    if current.origins:
        return "the Executor that is open has Workers: call its submit and map"
    program = sys.argv[0] if sys.argv else ""
    if hasattr(sys, "ps1") or "ipykernel" in sys.modules or not os.path.isfile(program):
        return "for Workers: from fedfutures import Executor; executor = Executor(); executor.map(...)"
    command = shlex.join(["python", "-m", "fedfutures", program, *sys.argv[1:]])
    return f"for Workers, run {command} or use Executor().map"
