"""The plot of simulated figures against size, from results that are kept as JSON.

``python -m docs._tools.plots BROKERS...`` runs the simulator and writes ``simulated.json`` anew; what is there already
is kept for other sizes. The page draws what the file says.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Any

from .drawing import ACCENT, INK

RESULTS = Path(__file__).with_name("simulated.json")
WIDTH, HEIGHT, LEFT, TOP, GAP = 820.0, 300.0, 60.0, 40.0, 110.0
KINDS = {1.0: ("1 s", INK, "5 4"), 0.01: ("10 ms", ACCENT, "")}
FUTURES_EACH = {0.01: 80, 1.0: 10}


def run(brokers: int, seconds: float, workers: int = 8) -> dict[str, Any]:
    """Simulate one size, and return its figures with the command that made them."""
    command = [
        "-m", "fedfutures.simulation", "--brokers", str(brokers), "--workers", str(workers), "--seed", "7",
        "--seconds-per-future", str(seconds), "--futures", str(brokers * workers * FUTURES_EACH[seconds]), "--sites",
    ]  # fmt: skip
    printed = subprocess.run([sys.executable, *command, "--json"], check=True, capture_output=True, text=True).stdout
    return {"command": f"python {' '.join(command)}", "brokers": brokers, "seconds": seconds, **json.loads(printed)}


def svg(results: list[dict[str, Any]]) -> str:
    """Return two plots side by side: utilisation, and messages for each Future."""
    most = max(result["messages_per_future"] for result in results)
    plots = (
        ("Utilisation", "utilisation", 0.8, 1.0, "{:.2f}"),
        ("Messages per Future, over all hops", "messages_per_future", 0.0, math.ceil(most), "{:.0f}"),
    )
    parts = [_plot(number, plot, results) for number, plot in enumerate(plots)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="{INK}">{"".join(parts)}</svg>'
    )


def _plot(number: int, plot: tuple[str, str, float, float, str], results: list[dict[str, Any]]) -> str:
    title, key, low, high, form = plot
    width, height = (WIDTH - 2 * LEFT - GAP) / 2, HEIGHT - TOP - 60
    left = LEFT + number * (width + GAP)
    sizes = sorted({result["brokers"] for result in results})
    span = math.log(sizes[-1] / sizes[0]) or 1.0

    def at(brokers: int, value: float) -> tuple[float, float]:
        share = (min(max(value, low), high) - low) / (high - low)
        return left + width * math.log(brokers / sizes[0]) / span, TOP + height * (1 - share)

    parts = [f'<text x="{left:.0f}" y="{TOP - 18:.0f}" font-weight="bold">{escape(title)}</text>']
    for step in range(5):
        value = low + (high - low) * step / 4
        y = at(sizes[0], value)[1]
        parts.append(f'<line x1="{left:.0f}" x2="{left + width:.0f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8:.0f}" y="{y + 4:.1f}" text-anchor="end">{form.format(value)}</text>')
    for size in sizes:
        x = at(size, low)[0]
        parts.append(f'<text x="{x:.1f}" y="{TOP + height + 18:.0f}" text-anchor="middle">{size:,}</text>')
    parts.append(f'<text x="{left + width / 2:.0f}" y="{HEIGHT - 8:.0f}" text-anchor="middle">Brokers</text>')
    for seconds, (label, colour, dash) in KINDS.items():
        points = sorted(at(r["brokers"], r[key]) for r in results if r["seconds"] == seconds)
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        parts.append(f'<polyline points="{line}" {style}/>')
        x, y = points[-1]
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{colour}">{label}</text>')
    return "".join(parts)


def results() -> list[dict[str, Any]]:
    """Return the kept results."""
    found: list[dict[str, Any]] = json.loads(RESULTS.read_text("utf-8"))
    return found


def main(sizes: list[int]) -> None:
    """Run the sizes and keep their results."""
    kept = {(r["brokers"], r["seconds"]): r for r in (results() if RESULTS.exists() else [])}
    for size in sizes:
        for seconds in KINDS:
            kept[size, seconds] = run(size, seconds)
            print(size, seconds, kept[size, seconds]["utilisation"], flush=True)
            RESULTS.write_text(json.dumps([kept[key] for key in sorted(kept)], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]])
