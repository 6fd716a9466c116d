"""A host process that is stopped: a Broker says so, and continues it."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest
from launching import eventually

from fedfutures.futures.federation import Federation
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import settings_here
from fedfutures.host.system import state_of

SECONDS = 60.0


def at_work(seconds: float) -> int:
    """Take a while; return the process."""
    time.sleep(seconds)
    return os.getpid()


@pytest.mark.fault("C7")
@pytest.mark.host
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc says who is stopped")
def test_a_host_process_that_is_stopped_is_named_and_continued(capfd: pytest.CaptureFixture[str]) -> None:
    handle = HostHandle(settings_here(2, brokers=2))
    federation = Federation(handle)
    submit = federation.origin.submit
    try:
        host = handle.facts["pid"]
        worker = submit(at_work, (0.0,), {}).result(timeout=SECONDS)
        os.kill(host, signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        many = [submit(at_work, (0.01,), {}) for _ in range(100)]
        assert worker not in {future.result(timeout=SECONDS) for future in many}
        assert eventually(lambda: state_of(host) != "T", SECONDS)

        def two_work() -> bool:
            futures = [submit(at_work, (0.02,), {}) for _ in range(20)]
            return len({future.result(timeout=SECONDS) for future in futures}) == 2

        assert eventually(two_work, SECONDS), "the Worker was not replaced"
    finally:
        federation.close()
    said = capfd.readouterr().err
    assert said.count(f"(pid {host}) is stopped: nobody replaces Workers that end") == 1, "one Broker speaks for all"
    assert f"kill -CONT {host}" in said
