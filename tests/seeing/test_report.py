"""Why a run was not faster: each reason is found in a run that has it, ranks first there, and is not seen elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.seeing.report import Busy, ReadTrace, Span, events_in, lines, reasons, trace_of


def span(
    begin: float, seconds: float, worker: str = "h.1", function: str = "f", *, waited: float = 0.0, size: int = 10,
    result: int = 10, attempt: int = 1, number: int = 0,
) -> Span:  # fmt: skip
    host = worker.rpartition(".")[0]
    return Span(function, worker, host, begin, begin + seconds, waited, size, result, attempt, number)


def full(first: int = 0, last: int = 20, workers: int = 2, seconds: float = 0.5, host: str = "h") -> list[Span]:
    """Workers that are busy all the time from one time to another, in steps."""
    return [
        span(first + place * seconds, seconds, f"{host}.{worker}", waited=0.1, number=2 * place + worker)
        for place in range(int((last - first) / seconds))
        for worker in range(1, workers + 1)
    ]


def trace(spans: list[Span], seconds: float, opened: list[tuple[float, int]] | None = None, **more: Any) -> ReadTrace:
    spans = sorted(spans, key=lambda one: one.begin)
    workers = len({one.worker for one in spans})
    return ReadTrace("p.py", workers, seconds, spans, [(0.0, 50)] if opened is None else opened, **more)


def names(found: ReadTrace) -> list[str]:
    return [reason.name for reason in reasons(found)]


def test_a_run_that_was_as_fast_as_its_workers_has_no_reason() -> None:
    perfect = trace(full(), 20.0)
    assert names(perfect) == []
    assert lines(perfect) == [
        "p.py: 80 Futures on 2 Workers in 20 s; Workers were busy 100 % of that time.",
        "Nothing has cost more than 1 % of it: the run was about as fast as its Workers are.",
    ]
    assert lines(ReadTrace()) == ["The trace has no Future that has run."]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("start", trace(full(5, 20), 20.0)),
        ("after the last Future", trace(full(0, 15), 20.0)),
        ("serial part", trace([*full(0, 5), *full(15, 20)], 20.0, [(0.0, 9), (5.0, 0), (15.0, 9)])),
        ("too few Futures", trace([*full(0, 20, 1), *full(19, 20, 2)], 20.0, [(0.0, 1), (19.0, 9)])),
        ("straggler", trace([*full(0, 5), span(5.0, 15.0, "h.1", number=99)], 20.0)),
        ("small tasks", trace([span(n / 50, 0.0001, f"h.{n % 2}", "tiny", number=n) for n in range(1000)], 20.0)),
        (
            "large values",
            trace(
                [span(n * 0.5, 0.05, f"h.{n % 2}", size=1 << 27, number=n) for n in range(40)], 20.0,
                [(n * 0.25, n % 2) for n in range(80)],
            ),
        ),
        ("slow host", trace([*full(0, 20), *full(0, 20, 2, 2.0, "slow")], 20.0)),
        (
            "slow link",
            trace([*full(0, 20), *(span(n, 0.5, "far.1", size=1 << 16, number=n) for n in range(20))], 20.0),
        ),
        (
            "losses",
            trace([one._replace(attempt=2) for one in full()], 20.0, losses=["Worker ended: signal SIGKILL"]),
        ),
    ],
)  # fmt: skip
def test_each_reason_ranks_first_where_it_is_one(name: str, found: ReadTrace) -> None:
    assert names(found)[:1] == [name], lines(found)
    first = reasons(found)[0]
    assert 0.0 < first.seconds <= 20.0 * found.workers * 1.001
    assert first.text.endswith((".", ")."))


def test_the_line_says_what_to_do_and_names_the_straggler() -> None:
    found = trace([*full(0, 5), span(5.0, 15.0, "h.1", "price", number=99), span(0, 0.5, "h.3", "price")], 20.0)
    text = "\n".join(lines(found))
    assert "price (Future 99, on h.1) ended last, after 15 s" in text
    assert "Submit the long ones first" in text


def test_sampling_is_reckoned_with() -> None:
    half = trace(full(0, 20, 2, 1.0)[::2], 20.0, futures=40)
    assert half.scale == 2.0
    assert lines(half)[0].startswith("p.py: 40 Futures on ")


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0.01, 20)), min_size=1, max_size=12), st.integers(1, 4))
def test_idle_time_is_what_a_clock_would_count(spans: list[tuple[float, float]], workers: int) -> None:
    busy = Busy([span(begin, seconds) for begin, seconds in spans])
    step, idle = 0.05, 0.0
    for place in range(1400):
        at = (place + 0.5) * step
        running = sum(begin <= at < begin + seconds for begin, seconds in spans)
        idle += step * max(0, workers - running)
    assert busy.idle(0.0, 70.0, workers) == pytest.approx(idle, abs=2 * step * workers * (2 * len(spans) + 1))


EVENTS = [
    {"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "p.py"}},
    {"ph": "i", "name": "begin", "ts": 0, "pid": 1, "tid": 0, "s": "g", "args": {"workers": 4}},
    {"ph": "M", "name": "process_name", "pid": 2, "tid": 0, "args": {"name": "h"}},
    {"ph": "M", "name": "thread_name", "pid": 2, "tid": 1, "args": {"name": "h.1"}},
    {"ph": "X", "name": "f", "ts": 1e6, "dur": 5e5, "pid": 2, "tid": 1, "args": {"number": 3, "waited": -1.0}},
    {"ph": "X", "name": "submit f", "ts": 9e5, "dur": 1, "pid": 1, "tid": 1, "args": {}},
    {"ph": "C", "name": "given", "ts": 1e6, "pid": 1, "tid": 0, "args": {"Futures": 2}},
    {"ph": "C", "name": "waits in the program", "ts": 1e6, "pid": 1, "tid": 0, "args": {"Futures": 3}},
    {"ph": "i", "name": "Worker ended: x", "ts": 2e6, "pid": 2, "tid": 1, "s": "t"},
    {"ph": "i", "name": "end", "ts": 3e6, "pid": 1, "tid": 0, "s": "g", "args": {"futures": 2}},
]


def test_nested_calls_are_in_the_time_of_others_unless_another_worker_has_run_them() -> None:
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "thread_name", "pid": 2, "tid": 2, "args": {"name": "h.1 (2)", "worker": "h.1"}},
        {"ph": "X", "name": "g", "ts": 1e6, "dur": 1e5, "pid": 2, "tid": 2, "cat": "nested",
         "args": {"within": 3, "number": 3}},
        {"ph": "X", "name": "g", "ts": 1e6, "dur": 5e5, "pid": 2, "tid": 2, "cat": "nested",
         "args": {"submitter": "h.2", "number": 1}},
    ]  # fmt: skip
    found = trace_of([*EVENTS, *events])
    assert len(found.spans) == 1
    assert [(span.function, span.worker, span.seconds) for span in found.nested] == [("g", "h.1", 0.5)]


def test_events_are_read_and_a_line_that_was_cut_off_is_not_missed() -> None:
    text = ["[\n", *(json.dumps(event) + ",\n" for event in EVENTS), "]\n"]
    found = trace_of(events_in(text))
    assert found == ReadTrace(
        "p.py", 4, 3.0, [Span("f", "h.1", "h", 1.0, 1.5, 0.0, 0, 0, 1, 3)], [(1.0, 5)], ["Worker ended: x"], 2
    )
    assert list(events_in([*text[:3], text[3][:20]])) == EVENTS[:2]
    for bad in ("no event\n", "[1]\n", "7\n"):
        with pytest.raises(ValueError, match="line 1 is no event"):
            list(events_in([bad]))
