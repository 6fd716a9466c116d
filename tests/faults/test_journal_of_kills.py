"""What nodes write down beside the product's messages, while Workers and a Broker are killed, breaks no law."""

from __future__ import annotations

from pathlib import Path

import journal
import pytest
from launching import python, write

pytestmark = pytest.mark.host

PROGRAM = """
    import os, signal, sys, time
    from concurrent.futures import wait
    from pathlib import Path
    from fedfutures import Executor

    def nap(number):
        time.sleep(0.002)
        return os.getpid()

    def grown(array):
        return array + 1

    def family(count):
        return sum(Executor().map(abs, range(count)))

    def fails(number):
        raise ValueError(number)

    def broker(host):
        children = Path(f"/proc/{host}/task/{host}/children").read_text().split()
        [pid] = [int(pid) for pid in children if "broker" in Path(f"/proc/{pid}/comm").read_text()]
        return pid

    if __name__ == "__main__":
        import numpy
        with Executor(3) as executor:
            pids = {future.result() for future in [executor.submit(nap, 0) for _ in range(60)]}
            host = int(Path(f"/proc/{min(pids)}/stat").read_text().rpartition(")")[2].split()[1])
            futures = [executor.submit(nap, number) for number in range(300)]
            futures += [executor.submit(grown, numpy.zeros(100_000)) for _ in range(20)]
            futures += [executor.submit(family, 20) for _ in range(20)]
            futures += [executor.submit(fails, number) for number in range(20)]
            late = [executor.submit(nap, number) for number in range(300)]
            os.kill(pids.pop(), signal.SIGKILL)
            wait(futures[:50])
            os.kill(broker(host), signal.SIGKILL)
            cancelled = sum(future.cancel() for future in late[100:])
            os.kill(pids.pop(), signal.SIGKILL)
            wait(futures + late)
            errors = sum(not future.cancelled() and future.exception() is not None for future in futures + late)
        print(len(futures + late) + 60, cancelled, errors)
"""


@pytest.mark.fault("C1", "D1")
def test_no_law_is_broken_while_processes_are_killed(tmp_path: Path) -> None:
    notes = tmp_path / "journal"
    notes.mkdir()
    program = write(tmp_path / "program.py", PROGRAM)
    ended = python(str(program), env={"FEDFUTURES_JOURNAL": str(notes)})
    assert ended.code == 0, ended.err
    submitted, cancelled, errors = map(int, ended.out.split())
    log = journal.read([notes])
    assert journal.broken(log) == []
    of_origin = [story for (node, _), story in log.stories.items() if node.startswith("origin")]
    ends = [story.end.more[0] for story in of_origin if story.end]
    assert (len(of_origin), len(ends)) == (submitted, submitted)
    assert (ends.count("cancelled"), ends.count("error")) == (cancelled, errors)
    assert log.counts()["started again"] > 0, "nothing was lost: the test shows nothing"
