"""Results in a checkpoint: of Workers, across kills, and under another hash seed."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import kept_functions as kept
import pytest
from launching import launch

from fedfutures import Executor, futures
from fedfutures.checkpoint.store import opened_store
from fedfutures.errors import CheckpointRefused, NotCheckpointable, NotSupportedHere

LIMIT = 60.0


@pytest.fixture(autouse=True)
def _calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_CALLS", str(tmp_path / "calls"))


def serial(path: Path) -> Executor:
    return Executor(mode="serial", checkpoint=path)


def test_what_is_there_is_not_computed(tmp_path: Path) -> None:
    for expected in (["1", "1", "2"], []):
        with serial(tmp_path / "c") as executor:
            found = [executor.submit(kept.work, 1), executor.submit(kept.work, x=1), executor.submit(kept.work, 2, y=3)]
            assert [future.result() for future in found] == [[1, 0], [1, 0], [2, 3]]
            assert kept.calls() == expected


def test_failures_are_not_kept(tmp_path: Path) -> None:
    for _ in range(2):
        with serial(tmp_path / "c") as executor:
            assert str(executor.submit(kept.work, "bad").exception()) == "bad"
            assert kept.calls() == ["bad"]


def test_a_function_that_was_changed_is_called_again(tmp_path: Path) -> None:
    def made(factor: int) -> Any:
        def scaled(x: int) -> int:
            kept.note(x)
            return x * factor

        return scaled

    with serial(tmp_path / "c") as executor:
        assert [executor.submit(made(factor), 1).result() for factor in (1, 2)] == [1, 2]
    with serial(tmp_path / "c") as executor:
        assert [executor.submit(made(factor), 1).result() for factor in (1, 2, 3)] == [1, 2, 3]
    assert len(kept.calls()) == 3


TABLE = [1]


def lookup(x: int) -> int:
    return TABLE[0] + x


def test_what_has_changed_in_a_function_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    said: list[str] = []
    for value in (1, 1, 2, 2):
        TABLE[0] = value
        caplog.clear()
        with serial(tmp_path / "c") as executor:
            assert [executor.submit(lookup, x).result() for x in range(2)] == [value, value + 1]
            assert list(executor.map(lookup, range(3))) == [value, value + 1, value + 2]
        said.append(caplog.text)
    assert [bool(text) for text in said] == [False, False, True, False]
    assert (
        said[2].count("lookup is not what it was in the run before, whose results of it do not count; changed: ") == 1
    )
    assert said[2].strip().endswith("test_keeping.TABLE")


def test_what_has_no_content_is_refused_at_the_call(tmp_path: Path) -> None:
    with serial(tmp_path / "c") as executor:
        with pytest.raises(NotCheckpointable, match="argument 'y': "):
            executor.submit(kept.work, 1, y=(n for n in ()))
        with pytest.raises(TypeError, match="submit"):
            executor.submit(3)  # type: ignore[arg-type]


def local() -> Any:
    class Local:
        pass

    return Local()


def test_a_result_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    key = b""
    with serial(tmp_path / "c") as executor:
        executor.submit(kept.work, 1).result()
    store = opened_store(str(tmp_path / "c"))
    for row in store.rows():
        key = row.key
        store.add([key], row.name, [pickle.dumps(1).replace(b"K\x01", b"cnowhere\nthing\n")])
    store.close()
    with serial(tmp_path / "c") as executor, pytest.raises(CheckpointRefused, match=rf"--remove {key.hex()}"):
        executor.submit(kept.work, 1)


def test_results_of_local_classes_are_kept(tmp_path: Path) -> None:
    for _ in range(2):
        with serial(tmp_path / "c") as executor:
            assert type(executor.submit(local).result()).__name__ == "Local"


def test_a_subclass_with_a_submit_of_its_own(tmp_path: Path) -> None:
    class Counting(Executor):
        count = 0

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return super().submit(fn, *args, **kwargs)

    for expected in (["1", "2"], []):
        with Counting(mode="serial", checkpoint=tmp_path / "c") as executor:
            assert list(executor.map(kept.work, [1, 2])) == [[1, 0], [2, 0]]
            assert (executor.count, kept.calls()) == (2, expected)
            with pytest.raises(NotSupportedHere, match="give checkpoint= to the Executor itself"):
                executor.map(kept.work, [1], checkpoint=tmp_path / "d")


def inside(path: str) -> list[str]:
    said = []
    for make in (lambda: futures.map(kept.work, [1], checkpoint=path), lambda: Executor(checkpoint=path)):
        try:
            make()
        except NotSupportedHere as error:
            said.append(str(error))
    return said


@pytest.mark.host
def test_results_of_workers_are_kept_as_they_came(tmp_path: Path) -> None:
    for expected in (23, 0):
        with Executor(2, checkpoint=tmp_path / "c") as executor:
            future = executor.submit(kept.work, 1)
            future.result().append("changed")
            assert future.result() == [1, 0, "changed"]
            for found in executor.map(kept.work, range(20)):
                found.clear()
            assert executor.submit(kept.work, 100).result() == [100, 0]
            assert executor.group("g").submit(kept.work, 101).result() == [101, 0]
            assert sorted(executor.map(kept.work, iter(range(20, 22)), unordered=True)) == [[20, 0], [21, 0]]
            said = executor.submit(inside, str(tmp_path / "d")).result()
            assert [text.endswith("to a map or an Executor of the program itself") for text in said] == [True] * 2
        assert len(kept.calls()) == (expected + 2 if expected else 0)
    with serial(tmp_path / "c") as executor:
        assert executor.submit(kept.work, 1).result() == [1, 0]
        assert list(executor.map(kept.work, range(20))) == [[item, 0] for item in range(20)]
    assert kept.calls() == []


class Model:
    """An object whose state is part of the call of its method."""

    def __init__(self) -> None:
        self.weights = [0] * 10

    def total(self, x: int) -> int:
        return sum(self.weights) + x


LARGE = bytearray(1 << 20)


def count(x: int) -> int:
    return LARGE.count(1) + x


@pytest.mark.host
def test_what_is_changed_while_the_program_runs_makes_other_calls(tmp_path: Path) -> None:
    held = [1]
    for changes in ((0, 1), (1, 0)):
        with Executor(2, checkpoint=tmp_path / "c") as executor:
            model = Model()
            for change in changes:
                model.weights[0] = held[0] = TABLE[0] = change
                LARGE[:] = bytes([change]) * len(LARGE)
                functions = model.total, lambda x: sum(held) + x, lookup
                assert [executor.submit(function, 2).result() for function in functions] == [change + 2] * 3
                assert executor.submit(count, 2).result() == change * len(LARGE) + 2
                assert list(executor.map(lookup, [3, 4])) == [change + 3, change + 4]
    store = opened_store(str(tmp_path / "c"))
    assert store.count == 12
    store.close()


@pytest.mark.host
def test_results_are_kept_though_the_workers_are_terminated(tmp_path: Path) -> None:
    executor = Executor(1, checkpoint=tmp_path / "c")
    executor.submit(kept.work, 1).result()
    executor.terminate_workers()
    shown = launch("checkpoint", "c", cwd=tmp_path)  # in another process: this one has closed the file
    assert (shown.code, shown.out.splitlines()[0].endswith("c: 1 results, 20 bytes")) == (0, True), shown
    del executor


PROGRAM = """
import sys
import kept_functions as kept
from fedfutures import futures

TABLE = {"names": {"a", "b", "c"}, "level": 1}

def outer(x, names):
    return futures.submit(kept.work, x).result() + sorted(names | TABLE["names"])

if __name__ == "__main__":
    print([future.result() for future in [futures.submit(outer, x, {"p", "q", "r"}) for x in range(3)]])
    print(list(futures.map(kept.draw, range(10), seed=3)))
    print(len(kept.calls()))
"""


@pytest.mark.host
def test_a_launched_program_resumes_under_another_hash_seed(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(PROGRAM)
    ended = [
        launch(
            "-n", "2", "--pythonpath", str(Path(__file__).parent), "--checkpoint", "c", "prog.py", cwd=tmp_path,
            env={"KEPT_CALLS": str(tmp_path / "calls"), "PYTHONHASHSEED": seed},
        ).out.splitlines()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert ended[0][:2] == ended[1][:2]
    assert (ended[0][2], ended[1][2]) == ("13", "0")


@pytest.mark.host
def test_a_launched_program_with_a_file_that_is_no_checkpoint_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("text")
    ended = launch("-n", "1", "--checkpoint", "c", "-c", "print('begun')", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "it is no checkpoint" in ended.err


PROGRAM_OF_KILLS = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import kept_functions as kept
from fedfutures import Executor

ITEMS, KILLS, PATH = int(sys.argv[2]), int(sys.argv[3]), Path("c")
OPTIONS = {"mode": "serial"} if sys.argv[4] == "serial" else {"max_workers": 2}

def run():
    with Executor(checkpoint=PATH, **OPTIONS) as executor:
        return sum(executor.map(kept.slow, range(ITEMS)))

def killed(written):
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        run()
        os._exit(0)
    until = time.monotonic() + 30
    while not (calls := Path(os.environ["KEPT_CALLS"])).exists() or not calls.stat().st_size:
        assert time.monotonic() < until
        time.sleep(0.002)
    log, size, changes = Path("c-wal"), None, 0
    while written and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        before, size = size, log.stat().st_size if log.exists() else None
        changes += before is not None and size is not None and size != before
        if changes == 2:  # the first may be the tables
            break
        time.sleep(0.002)
    time.sleep(random.uniform(0, 0.05))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return status == signal.SIGKILL

if __name__ == "__main__":
    before, lost = set(), []
    for kill in range(KILLS):
        if not killed(written=kill % 2):
            break  # all was computed before
        time.sleep(0.05 if OPTIONS.get("max_workers") else 0)  # its Workers end with it, and may note a call still
        computed, after = {int(item) for item in kept.calls()}, kept.stored(PATH)
        assert not before & computed, "what was kept was computed again"
        assert before <= after <= before | computed
        lost.append(len(computed - after))
        before = after
    assert before, "nothing was kept"
    assert kill >= KILLS // 2
    print(run() == sum(range(ITEMS)), kept.stored(PATH) == set(range(ITEMS)), max(lost))
    assert not before & {int(item) for item in kept.calls()}
"""
IN_FLIGHT_AT_MOST = 250
"""A result waits 50 ms to be written, and an item takes 2 ms: on a busy machine several times that."""


@pytest.mark.host
@pytest.mark.parametrize(("kills", "how", "items"), [(20, "serial", 1000), (3, "parallel", 400)])
def test_each_result_is_computed_once_whenever_the_program_is_killed(
    tmp_path: Path, kills: int, how: str, items: int
) -> None:
    (tmp_path / "prog.py").write_text(PROGRAM_OF_KILLS)
    command = [sys.executable, "prog.py", str(Path(__file__).parent), str(items), str(kills), how]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert ended.returncode == 0, ended.stderr
    right, whole, lost = ended.stdout.split()
    assert (right, whole) == ("True", "True")
    assert int(lost) <= IN_FLIGHT_AT_MOST
