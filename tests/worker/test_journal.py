"""The journal: nothing where it is off, whole lines where it is on."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy
import pytest

from fedfutures.wire.messages import CANCELLED, ERROR
from fedfutures.wire.payload import Payloads
from fedfutures.wire.segments import Segments
from fedfutures.worker import future as futures, journal, submissions, surroundings


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(journal, "DIRECTORY", str(tmp_path))
    return tmp_path


def lines(directory: Path) -> list[list[str]]:
    [file] = directory.iterdir()
    return [line.split("\t")[1:] for line in file.read_text().splitlines()]


def test_where_it_is_off_nothing_is_called() -> None:
    """Whoever runs the tests with a journal measures something else."""
    if journal.DIRECTORY:
        pytest.skip("the journal is on")
    assert journal.before("event", list)(abs) is abs
    assert journal.after("event", list)(abs) is abs
    assert type(journal.numbers("origin")) is itertools.count
    noted = [
        futures.claim, futures.settle, futures.settle_cancelled, futures.mark_running, futures.mark_pending,
        submissions.Submissions.note_recalled, surroundings.Surroundings.begin,
    ]  # fmt: skip
    assert not any(hasattr(function, "__wrapped__") for function in noted)


def test_where_it_is_on_all_that_nodes_do_is_noted(tmp_path: Path) -> None:
    """In another process: what is noted is decided at the import."""
    names = "future.claim, future.settle, future.settle_cancelled, future.mark_running, future.mark_pending, "
    names += "submissions.Submissions.note_recalled, surroundings.Surroundings.begin, origin.Origin.close"
    text = "from fedfutures.worker import future, origin, submissions, surroundings\n"
    text += f"print(all(hasattr(one, '__wrapped__') for one in ({names})))"
    environment = {**os.environ, "FEDFUTURES_JOURNAL": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "True\n"


def test_a_line_has_what_the_rows_say_of_the_call(directory: Path) -> None:
    twice = journal.before("before", lambda number: [("origin", number)])(lambda number: 2 * number)
    thrice = journal.after("after", lambda result, number: [("origin", number, result), ("more",)])(lambda n: 3 * n)
    nothing = journal.after("never", lambda result: ())(lambda: 1)
    assert (twice(2), thrice(2), nothing()) == (4, 6, 1)
    assert lines(directory) == [["before", "origin", "2"], ["after", "origin", "2", "6"], ["after", "more"]]


def test_numbers_are_noted_whichever_thread_takes_them(directory: Path) -> None:
    numbers, taken = journal.numbers("origin"), []
    threads = [
        threading.Thread(target=lambda: taken.extend(itertools.islice(numbers, 200))) for _ in range(4)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 801))
    assert sorted(int(line[2]) for line in lines(directory)) == list(range(1, 801))


def test_the_digest_covers_what_is_in_segments(tmp_path: Path) -> None:
    segments = Segments(str(tmp_path), "worker")
    array = numpy.zeros(300_000)
    outcome = Payloads(segments).dump(array, alone=True)
    found = journal.digest(outcome, segments)
    assert found == journal.digest(outcome, segments)
    [file] = tmp_path.iterdir()
    file.write_bytes(b"\1" + file.read_bytes()[1:])
    assert journal.digest(outcome, segments) not in (found, journal.UNKNOWN)
    file.unlink()
    assert journal.digest(outcome, segments) == journal.UNKNOWN


def test_only_what_a_future_says_itself_has_a_digest() -> None:
    told = list(journal.of_outcomes([1, 2, 3], [b"a", b"b", b"a"], [(2, CANCELLED), (3, ERROR)], None))
    assert [(number, kind) for number, kind, _ in told] == [(1, 0), (2, CANCELLED), (3, ERROR)]
    assert told[0][2] == told[2][2] != told[1][2] == journal.UNKNOWN
