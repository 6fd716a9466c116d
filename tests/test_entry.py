"""What a host process is made of."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fedfutures import entry
from fedfutures.broker_process import shell
from fedfutures.worker import process

SECONDS = 30.0


def test_a_worker_is_what_is_loaded() -> None:
    assert entry.load_worker() is process.main
    assert {"fedfutures.futures.executor", "fedfutures.shared"} <= sys.modules.keys()


def test_it_supervises_a_broker_and_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []
    monkeypatch.setattr(entry.supervisor, "main", lambda *mains: given.extend(mains))
    entry.main()
    assert given == [shell.main, entry.load_worker]


@pytest.mark.host
def test_without_a_launching_side_it_ends_and_has_loaded_no_worker() -> None:
    code = (
        "import sys, fedfutures.entry as e\ntry: e.main()\nfinally: print('fedfutures.worker.process' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "False\n", "")


@pytest.mark.host
def test_what_is_no_frame_ends_it_with_a_sentence() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "fedfutures.entry"],
        input=b"GET / HTTP/1.0\r\n\r\n",
        capture_output=True,
        timeout=SECONDS,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"fedfutures: the launching side says what makes no sense: a frame of ")
