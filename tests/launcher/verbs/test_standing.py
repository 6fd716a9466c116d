"""Standing Federations in words."""

from __future__ import annotations

import time

from fedfutures.standing.status import Status
from fedfutures_launcher.verbs.standing import described, kinds_of_host_options


def test_each_option_of_hosts_may_stand_in_a_file() -> None:
    kinds = kinds_of_host_options()
    assert {kinds[name] for name in ("hosts", "pythonpath")} == {list}
    assert (kinds["hostfile"], kinds["tunnel"], kinds["allow-root"], kinds["grace"]) == (str, bool, bool, str)
    assert "external-hostname" not in kinds


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


def test_jobs_that_have_not_come_and_what_is_wrong() -> None:
    scale = {"command": "sbatch w.sh", "least": 0, "most": 8, "jobs": 1, "more": 0, "problem": ""}
    status = Status("lab", 7, "h", time.time(), "/d", {"h": 0}, scale=scale)
    assert described(status).splitlines()[1] == "  1 job of sbatch w.sh has not come yet, 0 to 8 Workers in all"
    status.scale.update(jobs=2, more=3, problem="it failed")
    assert described(status).splitlines()[1] == (
        "  2 jobs of sbatch w.sh have not come yet, programs could use 3 more Workers, 0 to 8 Workers in all; it failed"
    )
