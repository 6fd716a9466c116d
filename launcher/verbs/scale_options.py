"""The options of ``up`` that have batch jobs submitted when programs want more Workers."""

from __future__ import annotations

import argparse
import functools
import os
import shlex
import subprocess
from dataclasses import asdict
from typing import Any

from fedfutures.standing.scaler import ScaleRecipe
from fedfutures.supervision.scaling import ScalingPlan

from ..arguments.parser import Parser
from ..arguments.values import seconds, worker_count

COMMAND_SECONDS = 5.0
_NEEDED = {"min": "--min", "max": "--max", "scale_idle": "--scale-idle", "scale_wait": "--scale-wait"}


def add_options_of_scaling(parser: Parser) -> None:
    """Add the options to the command line of ``up``."""
    plan = ScalingPlan()
    group = parser.add_argument_group("batch jobs whose nodes come by: fedfutures join [USER@]HOST:NAME")
    group.add_argument(
        "--scale", metavar="COMMAND", help="run this when programs want more Workers, as in --scale 'sbatch worker.sh'"
    )
    group.add_argument(
        "--max",
        type=worker_count,
        metavar="N",
        help="no more jobs when all hosts together have so many Workers; needed",
    )
    group.add_argument(
        "--min", type=functools.partial(worker_count, least=0), metavar="N",
        help="so many Workers are there even if no program wants them; default: 0",
    )  # fmt: skip
    group.add_argument(
        "--scale-idle",
        dest="scale_idle",
        type=seconds,
        metavar="TIME",
        help=f"let a node go that no program has wanted for so long; default: {plan.idle_seconds:g} s",
    )
    group.add_argument(
        "--scale-wait",
        dest="scale_wait",
        type=seconds,
        metavar="TIME",
        help=f"submit another job if one has not come for so long; default: {plan.wait_seconds / 60:g} minutes",
    )


def scale_of(given: argparse.Namespace) -> dict[str, Any]:
    """Return what the keeper is to record; {}: it submits nothing. Raises ValueError for what does not go together."""
    if given.scale is None:
        for name, flag in _NEEDED.items():
            if getattr(given, name) is not None:
                raise ValueError(f"{flag} needs a command that submits a job, as in --scale 'sbatch worker.sh'")
        if given.workers == 0:
            raise ValueError("-n 0 needs a command that submits a job, as in --scale 'sbatch worker.sh'")
        return {}
    if given.max is None:
        raise ValueError("--scale needs --max: how many Workers there are to be at most, so that jobs are bounded")
    if (given.min or 0) > given.max:
        raise ValueError(f"--min {given.min} is more than --max {given.max}")
    _check_command(given.scale)
    chosen = ScalingPlan(given.min or 0, given.max)
    plan = ScalingPlan(
        chosen.least, chosen.most, given.scale_idle or chosen.idle_seconds, given.scale_wait or chosen.wait_seconds
    )
    os.umask(umask := os.umask(0o077))
    return asdict(ScaleRecipe(given.scale, os.getcwd(), umask, asdict(plan)))


def _check_command(command: str) -> None:
    """Raise ValueError if the shell cannot read the command, or does not find its first word."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"--scale {command}: the shell cannot read this: {error}") from None
    if not words:
        raise ValueError("--scale needs a command that submits a job, as in --scale 'sbatch worker.sh'")
    if not words[0].replace("-", "").replace("_", "").isalnum():
        return  # a path, or something that only the shell understands
    found = subprocess.run(
        ["/bin/sh", "-c", 'command -v "$0"', words[0]], stdin=subprocess.DEVNULL, capture_output=True, check=False,
        timeout=COMMAND_SECONDS,
    )  # fmt: skip
    if found.returncode:
        raise ValueError(f"--scale {command}: there is no command {words[0]} on this machine")
