"""What a host process is made of."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fedfutures import host_process
from fedfutures.broker_process import shell
from fedfutures.host.settings import Settings
from fedfutures.worker import process, template

SECONDS = 30.0


def test_a_worker_is_what_is_loaded() -> None:
    assert host_process.load_worker() == (process.main, template.main)
    assert {"fedfutures.futures.executor", "fedfutures.shared"} <= sys.modules.keys()


def test_a_fault_of_its_own_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    class Faulty:
        def __init__(self, settings: object, reader: object, former: object, *mains: object) -> None:
            given.extend(mains)

        def run(self, early: object) -> None:
            raise ZeroDivisionError

    monkeypatch.setattr(host_process.supervisor, "Supervisor", Faulty)
    monkeypatch.setattr(host_process, "read_settings", lambda: (Settings("alpha", 1, 1), None, []))
    for name in ("become_subreaper", "disable_core_dumps", "raise_descriptor_limit"):
        monkeypatch.setattr(host_process, name, lambda: None)
    with pytest.raises(ZeroDivisionError):
        host_process.main()
    assert given == [shell.main, host_process.load_worker, None]


@pytest.mark.host
def test_without_a_launching_side_it_ends_and_has_loaded_no_worker() -> None:
    code = (
        "import sys\nfrom fedfutures.host_process import main\n"
        "try: main()\nfinally: print('fedfutures.worker.process' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "False\n", "")


@pytest.mark.host
def test_what_is_no_frame_ends_it_with_a_sentence() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "fedfutures.host_process"],
        input=b"GET / HTTP/1.0\r\n\r\n",
        capture_output=True,
        timeout=SECONDS,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"fedfutures: the launching side sent a malformed frame: a frame of ")
