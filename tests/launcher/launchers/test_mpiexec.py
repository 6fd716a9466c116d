"""The launcher of MPI. tests/batch runs it with a real Open MPI."""

from __future__ import annotations

from fedfutures_launcher.launchers.mpiexec import UNBOUND, Mpiexec


def test_one_process_on_one_host_bound_to_no_core() -> None:
    assert Mpiexec().words("n1", "exec x", {}) == ["mpiexec", "-n", "1", "-host", "n1", "/bin/sh", "-c", "exec x"]
    assert Mpiexec().environment({"PATH": "/bin"}) == {"PATH": "/bin", **UNBOUND}
    assert Mpiexec().by_hand("n1") == """mpiexec -n 1 -host n1 sh -c 'eval "$*"' -"""
