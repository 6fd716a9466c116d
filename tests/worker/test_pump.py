"""The pump sets its next time before it does anything: a callback that submits does not come back here for that."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from fedfutures.node.pace import PUMP_EVERY_SECONDS
from fedfutures.worker.driver import DRIVEN, PUMP_DUE
from fedfutures.worker.pump import Pump


def test_the_next_time_is_set_first_then_the_node_is_serviced_and_timers_wake() -> None:
    times = [0.0] * (max(DRIVEN, PUMP_DUE) + 1)
    noted: list[Any] = []
    driver: Any = SimpleNamespace(times=times, service=lambda: noted.append(("service", list(times))))
    runners: Any = SimpleNamespace(wake_timers=lambda: noted.append("timers"))
    before = time.monotonic()
    Pump(driver, runners)()
    (what, seen), last = noted
    assert (what, last) == ("service", "timers")
    assert before <= seen[DRIVEN] <= time.monotonic()
    assert seen[PUMP_DUE] == seen[DRIVEN] + PUMP_EVERY_SECONDS
