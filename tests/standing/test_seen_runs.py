"""A program that has joined a standing Federation is asked as any other run is."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import Running, eventually, write
from standing import begun, run, standing

pytestmark = pytest.mark.host


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_program_that_has_joined_is_asked(state: Path, tmp_path: Path) -> None:
    program = write(
        tmp_path / "joined.py",
        """
        import time
        from fedfutures import futures

        if __name__ == "__main__":
            print("begun", flush=True)
            futures.submit(time.sleep, 600).result()
        """,
    )
    with standing("lab", state, "-n", "2"):
        joined: Running = begun(program, "lab", state)
        pid = str(joined.process.pid)
        try:
            assert eventually(lambda: "sleep(600) has run on " in run("explain", pid, state=state).out, 30.0)
            assert "2 Workers, 1 busy" in run("status", pid, state=state).out
            assert f"joined.py (pid {pid}), for " in run("list", state=state).out
        finally:
            joined.kill()
            joined.process.communicate(timeout=30)
