"""What a notebook shows of an Executor."""

from __future__ import annotations

import re
import time
from concurrent.futures import wait
from pathlib import Path

import pytest
from launching import eventually

from fedfutures import Executor
from fedfutures.futures.html import rows_of, table_of

METHOD = "_repr_html_"
"""By which IPython finds it."""
CELL = re.compile(r"<td>(.*?)</td>")


def html_of(executor: Executor) -> str:
    return str(getattr(executor, METHOD)())


def test_hosts_are_counted() -> None:
    found = {"origin": {"given": 2}, "h1.1": {"busy": 1}, "h1.2": {"busy": 0}, "h1.broker": {}, "a.b.7": None}
    assert rows_of("origin", found) == [("a.b", 1, 0, 1), ("h1", 2, 1, 0)]


def test_names_are_escaped() -> None:
    assert table_of("<Executor>", None) == "<code>&lt;Executor&gt;</code>"


def rest(until: Path) -> None:
    """Run until this file is there."""
    last = time.monotonic() + 60
    while not until.exists() and time.monotonic() < last:
        time.sleep(0.01)


@pytest.mark.host
def test_a_table_says_who_is_busy(tmp_path: Path) -> None:
    executor = Executor(2)
    assert "<table>" not in html_of(executor)  # nothing was asked for yet, and a repr does not wait for Workers
    futures = [executor.submit(rest, tmp_path / "over") for _ in range(2)]
    assert eventually(lambda: CELL.findall(html_of(executor))[1:] == ["2", "2", "0"], 50.0)
    (tmp_path / "over").touch()
    wait(futures)
    assert eventually(lambda: CELL.findall(html_of(executor))[1:] == ["2", "0", "0"], 20.0)
    executor.shutdown()
    assert html_of(executor) == f"<code>&lt;{repr(executor)[1:-1]}&gt;</code>"


@pytest.mark.host
def test_an_executor_with_a_checkpoint_has_a_table(tmp_path: Path) -> None:
    with Executor(1, checkpoint=tmp_path / "kept") as executor:
        assert executor.submit(abs, -1).result() == 1
        assert CELL.findall(html_of(executor))[1:] == ["1", "0", "0"]


def test_a_serial_executor_has_no_table() -> None:
    with Executor(mode="serial") as executor:
        assert html_of(executor) == "<code>&lt;Executor serial, in this process&gt;</code>"
