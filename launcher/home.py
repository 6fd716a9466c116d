"""What is said of this machine, whether it is the only host or one of many: its settings, and its interpreter.

Light on purpose: a run without other hosts loads nothing of what they take.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace

from fedfutures.host.settings import Settings

BATCH_VARIABLES = (
    "SLURM_JOB_NODELIST", "SLURM_NODELIST", "PBS_NODEFILE", "PE_HOSTFILE", "LSB_DJOB_HOSTFILE", "LSB_MCPU_HOSTS",
    "LSB_HOSTS",
)  # fmt: skip
"""Where a batch scheduler may have named hosts (:mod:`.schedulers`)."""


def at_home(
    settings: Settings,
    *,
    python: str | None = None,
    prolog: str | None = None,
    path: str | None = None,
    pythonpath: Sequence[str] = (),
    nice: int | None = None,
) -> tuple[Settings, list[str]]:
    """Return the settings for this machine with what was said of it, and the command of its interpreter."""
    front = map(os.path.abspath, pythonpath)
    settings = replace(
        settings,
        nice=settings.nice if nice is None else nice,
        directory=os.path.abspath(path) if path else settings.directory,
        path=[*(place for place in front if place not in settings.path), *settings.path],
    )
    python = python or sys.executable
    if prolog is None:
        return settings, [python]
    script = f'. {shlex.quote(os.path.abspath(prolog))} && exec {shlex.quote(python)} "$@"'
    return settings, ["/bin/sh", "-c", script, "fedfutures"]
