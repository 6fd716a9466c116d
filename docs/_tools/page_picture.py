"""Draw docs/images/page.png: the page of a program that runs, in Chromium (python docs/_tools/page_picture.py)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

IMAGE = Path(__file__).parents[1] / "images" / "page.png"
SIZE = (1000, 1180)
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars")
PROGRAM = """
import math, os, signal, time
from fedfutures import futures

def price(row):
    time.sleep(3.0 if row % 40 == 17 else 0.2)
    if row == 63:
        raise ValueError("row 63 has no price")
    return math.sqrt(row)

def simulate(seed, steps=400_000):
    if seed == 90 and not os.path.exists("once"):
        open("once", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)  # its Worker ends, and it is started again
    return sum(math.sin(seed + step) for step in range(steps))

if __name__ == "__main__":
    prices = [futures.submit(price, row) for row in range(250)]
    print(sum(futures.map(simulate, range(400), chunksize=1)))
    futures.wait(prices)
"""


def main() -> None:
    """Run the program, wait until it is under way, and draw."""
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "prog.py"
        program.write_text(PROGRAM)
        process = subprocess.Popen(
            [sys.executable, "-m", "fedfutures", "-n", "6", "--page", program.name], cwd=directory,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        draw(process.stderr.readline().split()[1])
        process.kill()
        process.communicate()


def draw(address: str) -> None:
    """Let a browser look for a while, and save what it shows."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.set_window_size(*SIZE)
    driver.get(address)
    time.sleep(14.0)
    driver.save_screenshot(str(IMAGE))
    driver.quit()


if __name__ == "__main__":
    main()
