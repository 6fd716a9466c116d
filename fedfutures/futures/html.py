"""What a notebook shows of an Executor: a line, and a table of its hosts."""

from __future__ import annotations

import html
from typing import Any

from .inquiry import statistics_of

SECONDS = 0.5
"""So long Workers are waited for that do not say what they do."""


def table_of(head: str, node: Any) -> str:
    """Return HTML: what an Executor is in words, and what the Workers of its node do; None: it has none any more."""
    lines = [f"<code>{html.escape(head)}</code>"]
    if node is not None and not node.runs_at_once and node.lost is None:
        rows = rows_of(node.name, statistics_of(node, SECONDS))
        lines += ["<table>", _row("th", ("host", "Workers", "busy", "do not answer"))]
        lines += [*(_row("td", row) for row in rows), "</table>"]
    return "\n".join(lines)


def rows_of(origin: str, found: dict[str, dict[str, Any] | None]) -> list[tuple[str, int, int, int]]:
    """Return of each host its name, the number of its Workers, of those that run something, and of the silent ones.

    >>> rows_of("origin", {"origin": {}, "h1.1": {"busy": 1}, "h1.broker": {"queued": 3}, "h1.2": None})
    [('h1', 2, 1, 1)]
    """
    rows: dict[str, list[int]] = {}
    for name, said in found.items():
        host, _, number = name.rpartition(".")
        if name != origin and number.isdecimal():
            row = rows.setdefault(host, [0, 0, 0])
            row[0] += 1
            row[1] += bool(said and said.get("busy"))
            row[2] += said is None
    return [(host, *row) for host, row in sorted(rows.items())]  # type: ignore[misc]


def _row(tag: str, values: tuple[Any, ...]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(str(value))}</{tag}>" for value in values) + "</tr>"
