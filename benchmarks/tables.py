"""Tables for the documentation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path


def write(path: Path, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table in reStructuredText, and when and under what load of the machine it was measured."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    first = "  ".join(name.ljust(width) for name, width in zip(head, widths, strict=True)).rstrip()
    said = f"Measured on {date.today()}; {os.cpu_count()} processors, load {os.getloadavg()[1]:.1f}."
    path.write_text("\n".join([rule, first, rule, *lines, rule, "", said, ""]))
