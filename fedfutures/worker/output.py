"""What Futures print leaves the Worker at once: standard output by the line, standard error as it is written."""

from __future__ import annotations

import io
import sys
from typing import Any


def open_streams(unbuffered: bool) -> None:
    """Open the standard streams of this process; `unbuffered` is ``python -u``."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        at_once = unbuffered or number == 2
        raw: Any = open(number, "wb", buffering=0 if at_once else -1, closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True, write_through=at_once)
        setattr(sys, name, stream)
