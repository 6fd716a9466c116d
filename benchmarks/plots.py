"""Pictures of what was measured, for the documentation; they need matplotlib, of the extra ``peers``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.model import Judged

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
BEHIND, AHEAD = "C1", "C0"


def svg_pyplot() -> Any:
    """Return pyplot, which draws files: the same picture has the same bytes. Raises ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "fedfutures"
    from matplotlib import pyplot

    return pyplot


def save(figure: Any, name: str) -> None:
    """Write a picture for the documentation."""
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / name, metadata={"Date": None})


def beside_peers(rows: Sequence[Judged]) -> None:
    """Draw how many times as good as that of the best peer each value is; do nothing without matplotlib."""
    try:
        pyplot = svg_pyplot()
    except ImportError:
        print("no picture: matplotlib is not installed (pip install '.[peers]')", file=sys.stderr)
        return
    shown = [(judged, advantage) for judged in rows if (advantage := judged.advantage) is not None][::-1]
    figure, axis = pyplot.subplots(figsize=(11, 1 + 0.24 * len(shown)), layout="constrained")
    labels = [f"{judged.row.label} ({judged.figure})  –  {judged.row.peer_name}" for judged, _ in shown]
    for place, (_, advantage) in enumerate(shown):
        is_ahead = advantage >= 1
        axis.barh(place, advantage - 1, left=1, color=AHEAD if is_ahead else BEHIND, hatch="" if is_ahead else "///")
        words = {"ha": "left" if is_ahead else "right", "va": "center", "fontsize": 7}
        axis.text(advantage * (1.03 if is_ahead else 0.97), place, f"{advantage:.2g}", **words)
    axis.axvline(1, color="grey", linewidth=0.8)
    axis.set(xscale="log", xlabel="times as good as the peer in the same run (hatched: the peer is better)")
    axis.set_yticks(range(len(shown)), labels, fontsize=7)
    axis.margins(x=0.08, y=0.01)
    save(figure, "speeds.svg")
