"""Tests in a browser run when they are asked for: `make browser`, ``-m browser``, or their folder or file by name.

They take Debian's chromium and chromium-driver, or others on the PATH. With FEDFUTURES_REQUIRE_BROWSER=1, which CI
sets, a test that cannot run is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from left_out import leave_out

HERE = Path(__file__).parent
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out of every other run."""
    leave_out(config, items, HERE, "browser")


def _cannot(why: str) -> None:
    if os.environ.get("FEDFUTURES_REQUIRE_BROWSER") == "1":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def driver() -> Iterator[object]:
    """A real browser without a window, for all tests."""
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        _cannot("needs selenium: pip install selenium")
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        _cannot("needs Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(chromedriver))
    found.set_script_timeout(30)
    found.set_page_load_timeout(30)
    yield found
    found.quit()
