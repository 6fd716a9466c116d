"""Standing Federations in words."""

from __future__ import annotations

import time

from fedfutures.standing.status import Status
from fedfutures_launcher.verbs.standing import described


def test_a_federation_and_its_programs() -> None:
    now = time.time()
    runs = [
        {"run": "r", "pid": 8, "program": "p.py", "workers": 1, "wanted": 3, "since": now - 5},
        {"run": "s", "pid": 9, "since": now - 7500},
    ]
    status = Status("lab", 7, "h", now - 125, "/d", {"h": 2, "i": 1}, runs)
    assert described(status).splitlines() == [
        "lab: 3 Workers on h (2), i (1), keeper 7 on h, for 2 min",
        "  p.py (host process 8): 1 Worker, could use 3, for 5 s",
        "  a program (host process 9): 0 Workers, could use 0, for 2 h 5 min",
    ]
