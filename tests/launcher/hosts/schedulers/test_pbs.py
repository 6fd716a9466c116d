"""What PBS and Torque have given to a job."""

from __future__ import annotations

from .given import hosts


def test_pbs_counts_lines() -> None:
    files = {"/f": "n1\nn2\nn1\n\n", "/once": "n1\nn2\n"}
    assert hosts({"PBS_NODEFILE": "/f"}, files) == ("PBS", {"n1": 2, "n2": 1})
    assert hosts({"PBS_NODEFILE": "/f", "PBS_ENVIRONMENT": "PBS_BATCH", "PBS_NUM_PPN": "4"}, files) == (
        "PBS", {"n1": 2, "n2": 1},
    )  # fmt: skip
    assert hosts({"PBS_NODEFILE": "/once", "PBS_NUM_PPN": "4"}, files) == ("PBS", {"n1": 4, "n2": 4})
    assert hosts({"PBS_ENVIRONMENT": "PBS_BATCH"}) is None
    assert hosts({"PBS_JOBID": "7"}) == ("PBS", {})
