"""The table, as text, as reStructuredText and as JSON."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.model import Bar, Judged, Outcomes

HEADINGS = ("figure", "fedfutures", "peer", "its value", "ratio", "bar", "")
NOISE = 1.05
"""By so much two medians may differ though nothing else does."""
TEXT_WIDTHS = (62, 14, 20, 14, 7, 12, 4)


def quantity(value: float | None, unit: str) -> str:
    """A number with three significant digits or so, and its unit."""
    if value is None:
        return "-"
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits}{unit}" if unit.startswith("/") else f"{digits} {unit}".strip()


def bar_text(bar: Bar | None, unit: str) -> str:
    """The bar as the table shows it; ``×`` marks one against the peer."""
    if bar is None:
        return "-"
    limit = f"{bar.limit:g} ×" if bar.against == "peer" else quantity(bar.limit, unit)
    return f"{bar.relation} {limit}"


def cells(judged: Judged) -> tuple[str, ...]:
    """The cells of one row."""
    row = judged.row
    return (
        f"{judged.figure}: {row.label}",
        quantity(judged.ours, row.unit),
        row.peer_name or "-",
        quantity(judged.peer, row.unit),
        "-" if judged.ratio is None else f"{judged.ratio:.2f}",
        bar_text(row.bar, row.unit),
        judged.verdict or "-",
    )


def text_lines(rows: Sequence[Judged]) -> list[str]:
    """Lines for the terminal, in columns of fixed width so that figures can be shown as they end."""
    lines = []
    for judged in rows:
        lines.append(_aligned(cells(judged), TEXT_WIDTHS))
        if judged.note:
            lines.append(f"    {judged.note}")
    return lines


def heading_lines() -> list[str]:
    """The head of the table for the terminal."""
    return [_aligned(HEADINGS, TEXT_WIDTHS), "-" * (sum(TEXT_WIDTHS) + 2 * len(TEXT_WIDTHS) - 2)]


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "CPU": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "pyzmq": _version("pyzmq"),
        "numpy": _version("numpy"),
        "date": datetime.date.today().isoformat(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def rst(rows: Sequence[Judged], facts: Mapping[str, str], run: Mapping[str, str]) -> str:
    """The whole of ``results.rst``."""
    table = [(*HEADINGS[:-1], "verdict"), *map(cells, rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    body = [_aligned(line, widths) for line in table]
    notes = sorted({f"{judged.figure}: {judged.note}" for judged in rows if judged.note})
    title = "Measured speed"
    lines = [
        title,
        "=" * len(title),
        "",
        "Written by ``python -m benchmarks --write``. Every sample ran in a fresh process, the",
        "contestants in turn. Values are medians; a ratio is the median of the ratios of neighbouring",
        "samples. A bar that ends in × limits that ratio, or the value where that is itself a ratio.",
        "``-`` in the last column marks a row without a bar.",
        "",
        *(f":{key}: {value}" for key, value in {**facts, **run}.items()),
        "",
        rule,
        body[0],
        rule,
        *body[1:],
        rule,
    ]
    behind = [
        f"* {judged.figure}: {judged.row.label}: {judged.row.peer_name} is {1 / judged.advantage:.2f} times as good"
        for judged in rows
        if judged.advantage and judged.advantage < 1 / NOISE
    ]
    if behind:
        lines += ["", "Where a peer is better:", "", *behind]
    if notes:
        lines += ["", "Failures:", "", *(f"* ``{note}``" for note in notes)]
    return "\n".join(lines) + "\n"


def write_json(path: Path, rows: Sequence[Judged], facts: Mapping[str, str], outcomes: Mapping[str, Outcomes]) -> None:
    """Every row and every sample, for other programs."""
    table = [
        {
            "figure": judged.figure,
            "row": judged.row.label,
            "unit": judged.row.unit,
            "fedfutures": judged.ours,
            "peer": judged.row.peer_name,
            "peer_value": judged.peer,
            "ratio": judged.ratio,
            "bar": asdict(judged.row.bar) if judged.row.bar else None,
            "verdict": judged.verdict,
            "note": judged.note,
        }
        for judged in rows
    ]
    samples = {figure: {name: asdict(outcome) for name, outcome in found.items()} for figure, found in outcomes.items()}
    document = {"machine": facts, "rows": table, "samples": samples}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
