"""What the launcher says of the walltime: before the run, and when it is over."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from fedfutures.host.walltime import Walltime

EXIT_CODE = 75
"""How a program ends that the walltime has cut short: EX_TEMPFAIL of sysexits.h, "try again later"."""


def how_to_go_on(line: Sequence[str], checkpoint: str | None, place: str) -> str:
    """Return what to do for the rest, with a command to paste. `line`: all words of this run, but for ``fedfutures``.

    >>> print(how_to_go_on(["-n", "4", "prog.py", "7"], None, "prog.py"))
    fedfutures: to go on in the next run, keep results from now on; it computes only what is missing of them:
      python -m fedfutures --checkpoint prog.checkpoint -n 4 prog.py 7
    >>> print(how_to_go_on(["--checkpoint", "a b.db", "prog.py"], "a b.db", "prog.py"))
    fedfutures: 'a b.db' keeps what is done. The same command computes what is missing:
      python -m fedfutures --checkpoint 'a b.db' prog.py
    """
    if checkpoint is not None:
        text = f"fedfutures: {shlex.quote(checkpoint)} keeps what is done. The same command computes what is missing:"
        return f"{text}\n  python -m fedfutures {shlex.join(line)}"
    stem = os.path.basename(place).removesuffix(".py")
    file = f"{stem}.checkpoint" if stem.isidentifier() else "results.checkpoint"
    text = "fedfutures: to go on in the next run, keep results from now on; it computes only what is missing of them:"
    return f"{text}\n  python -m fedfutures --checkpoint {file} {shlex.join(line)}"


def planned(walltime: Walltime | None) -> list[tuple[str, str]]:
    """Return the lines of a plan about the walltime.

    >>> planned(Walltime(0.0, 60.0, 3600.0, "SLURM_JOB_END_TIME"))
    [('walltime', '3600 s (SLURM_JOB_END_TIME), of which 60 s are kept for saving')]
    >>> planned(None)
    []
    """
    if walltime is None:
        return []
    seconds, margin, source = walltime.seconds, walltime.margin, walltime.source
    return [("walltime", f"{seconds:.0f} s ({source}), of which {margin:g} s are kept for saving")]
