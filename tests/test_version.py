"""The version stands in one place of the code, and agrees with that of the distribution."""

from __future__ import annotations

import configparser
from pathlib import Path

import fedfutures
from fedfutures.version import __version__


def test_it_is_that_of_the_distribution() -> None:
    found = configparser.ConfigParser()
    found.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
    assert fedfutures.__version__ == __version__ == found["metadata"]["version"]
