"""Draw docs/images/top.svg: ``fedfutures top`` beside a program that runs (python docs/_tools/top_picture.py)."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from textual.widgets import DataTable

from fedfutures.seeing.picture import SUBJECT, picture_of
from fedfutures.seeing.runs import ask, chosen, runs
from fedfutures_launcher.top.app import TopApp

IMAGE = Path(__file__).parents[1] / "images" / "top.svg"
PROGRAM = """
import math, time
from fedfutures import futures

def price(row):
    time.sleep(6.0 if row % 40 == 17 else 0.2)
    return math.sqrt(row)

def simulate(seed, steps=200_000):
    return sum(math.sin(seed + step) for step in range(steps))

if __name__ == "__main__":
    prices = [futures.submit(price, row) for row in range(400)]
    print(sum(futures.map(simulate, range(400))) + sum(future.result() for future in prices))
"""


def main() -> None:
    """Run the program, wait until it is under way, and draw."""
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "prog.py"
        program.write_text(PROGRAM)
        process = subprocess.Popen([sys.executable, "-m", "fedfutures", "-n", "6", program.name], cwd=directory)
        time.sleep(6.0)
        [run] = chosen(runs(), str(process.pid))
        asyncio.run(draw(run.path))
        process.terminate()
        process.wait()


async def draw(path: str) -> None:
    """Let the app look a few times, and save what it shows."""
    app = TopApp(lambda: picture_of(ask(path, SUBJECT)), lambda worker: "", lambda number: None, every=0.5)
    async with app.run_test(size=(118, 22)) as pilot:
        while not app.query_one("#workers", DataTable).row_count:
            await pilot.pause(0.1)
        await pilot.pause(2.5)
        drawn = app.export_screenshot(title="fedfutures top")
        IMAGE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.S))  # fonts of another site


if __name__ == "__main__":
    main()
