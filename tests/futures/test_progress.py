"""``progress=True``: done is what was computed; a bar on a terminal, and a bounded number of lines elsewhere."""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest
from launching import Ended, launch, python, write

from fedfutures import Executor
from fedfutures.futures import counted, printing, progress
from fedfutures.futures.counted import Counted

HOURS = 2

SLOW_FIRST = """
    import sys
    import time
    sys.modules["tqdm"] = None
    from fedfutures import futures

    def wait(item):
        time.sleep(2.5 if item == 0 else 0.01)
        return item

    if __name__ == "__main__":
        print(len(list(getattr(futures, sys.argv[1])(wait, range(60), progress=True))))
"""


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_log_has_a_bounded_number_of_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress.LogLines(10**6)
    for second in range(HOURS * 3600):
        clock.now = 100.0 + second
        if lines.is_due():
            lines.show(Counted(second))
    said_at = [int(line.split()[0].replace(",", "")) for line in capsys.readouterr().err.splitlines()]
    assert said_at[:3] == [1, 6, 11]
    assert 20 < len(said_at) < 50
    gaps = [after - before for before, after in itertools.pairwise(said_at)]
    assert gaps == sorted(gaps)


@pytest.mark.parametrize("columns", [20, 60, 80, 200])
@pytest.mark.parametrize("total", [None, 7, 10**9])
def test_a_bar_fits_its_terminal(columns: int, total: int | None) -> None:
    for count in (0, 1, 7):
        words = counted.line(Counted(count), total, 3.0)
        line = progress.bar_line(words, count, total, columns)
        assert len(line) < columns
        assert ("#" in line) == (total == 7 and count > 0 and columns > 50)


def test_what_workers_print_clears_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    bar = progress.Bar(10)
    try:
        bar.show(Counted(3))
        printing.Printer(prefix=True).show("h.1", 2, b"hello\n")
    finally:
        bar.end(Counted(10))
    text = capsys.readouterr().err
    assert re.search(r"3 of 10 done .*\r\x1b\[K\[h\.1\] hello\n", text)
    assert "10 of 10 done (100 %) in " in text.splitlines()[-1]
    assert printing.bars == []


@pytest.mark.host
@pytest.mark.parametrize("function", ["map", "map_as_completed"])
def test_done_is_what_was_computed_not_what_was_delivered(function: str, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", SLOW_FIRST)
    ended = launch("-n", "2", "prog.py", function, cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "60\n"), ended.err
    *between, last = ended.err.splitlines()
    assert int(between[0].split()[0]) > 20  # after a second, while the first item runs
    assert last.startswith("60 of 60 done (100 %) in ")


@pytest.mark.host
def test_lines_without_a_federation(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", SLOW_FIRST.replace("item == 0", "item == 30"))
    ended = python("prog.py", "map", cwd=tmp_path)
    assert ended.out == "60\n"
    lines = [line for line in ended.err.splitlines() if " done " in line]
    assert re.match(r"3[01] of 60 done \(5[01] %\)", lines[0])
    assert lines[-1].startswith("60 of 60 done (100 %) in ")


def on_terminal(*words: str, cwd: Path, columns: int = 0) -> Ended:
    """Launch a program whose standard error is a terminal; tqdm draws nothing in no columns."""
    ours, theirs = pty.openpty()
    if columns:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    command = [sys.executable, "-m", "fedfutures", "-n", "2", *words]
    with subprocess.Popen(command, cwd=cwd, stderr=theirs, stdout=subprocess.PIPE, text=True) as process:
        os.close(theirs)
        text = b""
        try:
            while data := os.read(ours, 1 << 16):
                text += data
        except OSError:  # the last one has closed it
            pass
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(ours)
    return Ended(process.returncode, out, text.decode())


@pytest.mark.host
def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", SLOW_FIRST)
    ended = on_terminal("prog.py", "map", cwd=tmp_path)
    assert ended.out == "60\n"
    shown = ended.err.split("\r")
    assert sum("\u2588" in part or "#" in part for part in shown) > 5
    assert "60 of 60 done (100 %) in " in shown[-2]


@pytest.mark.host
def test_the_last_state_is_shown_when_an_item_raises(capsys: pytest.CaptureFixture[str]) -> None:
    with Executor(max_workers=2) as executor:
        results = executor.map(int, ["1", "2", "x", "4"], progress=True)
        with pytest.raises(ValueError, match="'x'"):
            list(results)
        assert re.search(r"of 4 done \(\d+ %\) in ", capsys.readouterr().err)
        assert not [thread for thread in threading.enumerate() if thread.name == "fedfutures-progress"]


@pytest.mark.host
def test_what_was_cancelled_is_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    with Executor(max_workers=2) as executor:
        results = executor.map(time.sleep, [0, *[0.3] * 9], chunksize=1, progress=True)
        next(results)
        results.close()  # type: ignore[attr-defined]
    found = re.search(r"(\d+) of 10 done", capsys.readouterr().err)
    assert found is not None
    assert int(found[1]) < 6


@pytest.mark.host
def test_a_map_that_nobody_reads_starts_no_thread() -> None:
    with Executor(max_workers=1) as executor:
        results = executor.map(time.sleep, [0.01] * 3, progress=True)
        assert not [thread for thread in threading.enumerate() if thread.name == "fedfutures-progress"]
        del results


LATE = """
    import sys
    import time
    sys.modules["tqdm"] = None
    from fedfutures import futures

    def nap(item):
        time.sleep(1.6 if item == 0 else 0.05)
        if item == 3:
            raise ValueError(item)
        return item

    def add(one, other):
        return one + other

    def several():
        return [futures.submit(nap, item) for item in range(12)]

    if __name__ == "__main__":
        way, more = sys.argv[1], {"progress": True} if sys.argv[2] == "here" else {}
        if way == "wait":
            futures.wait(several(), **more)
        elif way == "as_completed":
            assert len(list(futures.as_completed(several(), **more))) == 12
        elif way == "group":
            with futures.group("naps") as group:
                for item in range(12):
                    group.submit(nap, item)
                group.wait(**more)
        elif way == "reduce":
            assert futures.map_reduce(nap, add, [0, *range(4, 15)], **more) == sum(range(4, 15))
        elif way == "scan":
            assert futures.map_scan(nap, add, [0, *range(4, 15)], **more)[-1] == sum(range(4, 15))
        elif way == "exceptions":
            assert len(list(futures.map(nap, range(12), return_exceptions=True, **more))) == 12
        elif way == "short":
            assert list(futures.map(abs, range(12))) == list(range(12))
        print("done", flush=True)
"""


@pytest.mark.host
@pytest.mark.parametrize("way", ["wait", "as_completed", "group", "reduce", "scan", "exceptions"])
@pytest.mark.parametrize("where", ["here", "everywhere"])
def test_what_is_waited_for_is_counted_with_its_failures(way: str, where: str, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", LATE)
    options = ["--progress"] if where == "everywhere" else []
    ended = launch("-n", "2", *options, "prog.py", way, where, cwd=tmp_path)
    assert ended.out == "done\n", ended.err
    lines = [line for line in ended.err.splitlines() if " done " in line]
    assert re.match(r"\d+ of 12 done \(\d+ %\), .*/s, .* left", lines[0]), ended.err
    failed = "" if way in ("reduce", "scan") else ", 1 failed"
    assert re.fullmatch(rf"12 of 12 done \(100 %\) in [\d.]+ s, [\d.]+/s{failed}", lines[-1]), ended.err


@pytest.mark.host
def test_what_takes_less_than_a_second_is_not_shown_unless_it_was_wanted(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", LATE)
    ended = launch("-n", "2", "--progress", "prog.py", "short", "everywhere", cwd=tmp_path)
    assert (ended.out, ended.err) == ("done\n", "")
    ended = launch("-n", "2", "--progress", "-q", "prog.py", "wait", "everywhere", cwd=tmp_path)
    assert " done " not in ended.err


@pytest.mark.host
def test_what_is_started_again_is_counted(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import os, signal, sys, time
        sys.modules["tqdm"] = None
        from fedfutures import futures

        def die_once(item):
            time.sleep(0.05)
            if item == 5 and not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return item

        if __name__ == "__main__":
            several = [futures.submit(die_once, item) for item in range(12)]
            futures.wait(several, progress=True)
            os.unlink("died")
            assert len(list(futures.map(die_once, range(12), chunksize=1, progress=True))) == 12
        """,
    )
    ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    assert ended.code == 0, ended.err
    lasts = [line for line in ended.err.splitlines() if "12 of 12 done" in line]
    assert len(lasts) == 2, ended.err
    assert all(line.endswith(", 1 run again") for line in lasts), lasts


@pytest.mark.host
def test_with_tqdm_failures_stand_behind_the_bar(tmp_path: Path) -> None:
    pytest.importorskip("tqdm")
    write(tmp_path / "prog.py", LATE.replace('sys.modules["tqdm"] = None', ""))
    ended = on_terminal("prog.py", "exceptions", "here", cwd=tmp_path, columns=100)
    assert ended.code == 0
    assert "12/12" in ended.err
    assert "1 failed" in ended.err
