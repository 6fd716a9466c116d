"""What machines say is put together; what is missing or of another mind leaves a gap, and is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.seeing.picture import RunPicture, SeenCall, picture_of

HOST = {
    "role": "host", "host": "h", "pid": 1, "processors": 2, "load": [1.5, 1.0, 1.0], "memory": 8 << 30,
    "available": 2 << 30, "run": {"program": "/home/ann/prog.py", "pid": 71, "seconds": 9.0},
    "processes": {
        "h.1": {"role": "worker", "pid": 11, "doing": "running", "memory": 1 << 20, "cpu": 2.5},
        "h.2": {"role": "worker", "pid": 12, "doing": "stopped", "memory": 1 << 20, "cpu": 0.0},
        "h.broker": {"role": "broker", "pid": 13, "doing": "broker", "memory": 1 << 20, "cpu": 0.0},
    },
}  # fmt: skip
CALL = {
    "call": "price(17)", "function": "price", "seconds": 41.0, "digest": "66", "submitter": "o", "future": 3,
    "attempt": 2, "file": "/home/ann/prog.py", "line": 12, "inside": "price",
}  # fmt: skip
WORKER = {"role": "worker", "running": [CALL], "suspended": 1, "queued": 4}
BROKER = {"role": "broker", "queued": 5, "means": {"66": 0.2}}
ORIGIN = {"role": "origin", "program": "prog.py", "pid": 72, "seconds": 8.0, "where": {}, "maps": [], "sums": {}}
ANSWERS: list[tuple[str, Any]] = [
    ("h", HOST), ("h.1", WORKER), ("h.2", None), ("h.broker", BROKER), ("origin-7-ab@h", ORIGIN), ("k.broker", None),
]  # fmt: skip


def test_a_picture_is_put_together() -> None:
    picture = picture_of(ANSWERS)
    assert (picture.program, picture.pid, picture.seconds) == ("prog.py", 72, 8.0)
    one, two = picture.workers["h.1"], picture.workers["h.2"]
    assert (one.doing, one.pid, one.answers, one.suspended, one.queued) == ("running", 11, True, 1, 4)
    assert (two.doing, two.answers) == ("stopped", False)
    place = ("/home/ann/prog.py", 12, "price")
    call = SeenCall("price(17)", "price", "h.1", 41.0, place, 0, None, "66", "o", 3, 2)
    assert picture.calls() == [call]
    assert picture.call_of("o", 3) == call
    assert picture.call_of("o", 4) is None
    assert picture.busy == 1
    assert picture.hosts["h"].available == 2 << 30
    assert picture.means == {"66": 0.2}
    assert picture.silent == ["h.2", "k.broker"]


def test_where_the_program_does_not_answer_its_host_process_says_what_runs() -> None:
    picture = picture_of([("h", HOST), ("origin-7-ab@h", None)])
    assert (picture.program, picture.pid, picture.seconds) == ("/home/ann/prog.py", 71, 9.0)
    assert picture.origin is None


def test_what_runs_longest_comes_first() -> None:
    long = {**WORKER, "running": [{**CALL, "seconds": 50.0}, {**CALL, "seconds": None}]}
    picture = picture_of([("h.1", WORKER), ("k.7", long)])
    assert [call.worker for call in picture.calls()] == ["k.7", "h.1"]
    assert set(picture.hosts) == {"h", "k"}, "of these hosts nobody has answered"
    assert not picture.hosts["k"].answers


@pytest.mark.parametrize(
    "report",
    [
        7,
        {},
        {"role": "other"},
        {"role": "worker"},
        {"role": "worker", "running": [7]},
        {"role": "host", "processes": 3},
        {"problem": "x"},
    ],
)
def test_what_is_no_report_leaves_a_gap(report: Any) -> None:
    assert picture_of([("x", report)]).silent == ["x"]


plain = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*HOST, *WORKER, *CALL, *ORIGIN]), inner)
    ),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.sampled_from(["h", "h.1", "h.broker", "o"]), plain)))
def test_whatever_a_machine_says_there_is_a_picture(answers: list[tuple[str, Any]]) -> None:
    assert isinstance(picture_of(answers), RunPicture)
