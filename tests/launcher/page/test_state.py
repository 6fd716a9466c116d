"""What a page shows: put together from pictures and news, true to them, with a bound on its memory."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from recorded import FUNCTIONS, HOSTS, WORKERS_OF_A_HOST, news_of, report_of, status_of

from fedfutures.seeing.picture import RunPicture, SeenCall, SeenWorker, picture_of
from fedfutures.seeing.spans import AGAIN, CANCELED, FAILED
from fedfutures.seeing.watching import NewsReport
from fedfutures.wire.facts import packed
from fedfutures.wire.messages import CANCELLED, ERROR
from fedfutures.wire.ran import FAILED as RAN_FAILED, NESTED, RanCall, packed as ran
from fedfutures_launcher.page import state as module
from fedfutures_launcher.page.state import Curves, PageState


def told(state: PageState, at: float, report: dict[str, Any]) -> None:
    state.on_news(NewsReport(at, 0, report), 1000.0 + at)


def picture_at(seconds: float, futures: int) -> RunPicture:
    return picture_of(status_of(seconds, futures).items())


def test_a_large_run_is_shown_whole() -> None:
    state, futures = PageState(), 30_000
    for at, report in news_of(futures):
        told(state, at, report)
    state.on_picture(picture_at(10.0, 20_000), 0.0)
    state.on_picture(picture_at(12.0, futures), 2.0)
    shown = state.shown_run()
    assert shown["program"] == "<i onclick=x>big.py"
    assert (shown["all_workers"], len(shown["workers"]), len(shown["hosts"])) == (1000, 1000, 50)
    assert shown["sums"]["futures"] == futures
    assert {one["name"]: one["futures"] for one in shown["functions"]} == dict.fromkeys(FUNCTIONS, 5000)
    assert [round(one["rate"]) for one in shown["functions"]] == [round((5000 - 20_000 // 6) / 2.0)] * 6
    assert shown["curves"]["values"]["done per second"][-1] == 5000.0
    assert shown["curves"]["values"]["wait at Brokers"][-1] == 5.0 * HOSTS
    assert shown["of_hosts"]["values"]["processors of h7"] == [0.0, float(WORKERS_OF_A_HOST)]
    assert shown["of_hosts"]["values"]["memory of h7"] == [float(20 * (50 << 20))] * 2
    assert len(shown["links"]) == 49
    assert any("Futures moved from h2.broker to h1.broker" in one[1] for one in shown["events"])
    spans = state.shown_spans(0.0, state.seconds, 1000, 0, 500, "")
    assert (spans["all_rows"], len(spans["rows"])) == (1000, 500)
    assert sum(len(row["spans"]) for row in spans["rows"]) <= module.CELLS_AT_MOST + 500
    assert len(json.dumps(spans)) < 2_000_000
    assert sum(span.count for row in state.spans.rows.values() for span in row) == futures


def test_rows_stand_in_their_order_and_may_be_chosen() -> None:
    state = PageState()
    for worker in ("h10.1", "h2.10", "h2.9", "h2.1"):
        told(state, 1.0, report_of([[1.0, "f", [1], [], packed(worker, 1, [0.5])]]))
    shown = state.shown_spans(0.0, 1.0, 100, 0, 10, "")
    assert [row["worker"] for row in shown["rows"]] == ["h10.1", "h2.1", "h2.9", "h2.10"]
    assert [row["worker"] for row in state.shown_spans(0.0, 1.0, 100, 1, 2, "H2")["rows"]] == ["h2.9", "h2.10"]
    assert state.shown_spans(0.0, 1.0, 100, 70, 2, "")["rows"] == []
    assert state.shown_spans(0.0, 1.0, 100, -7, 0, "none")["rows"] == []


def test_spans_are_whole_numbers_of_columns() -> None:
    state = PageState()
    message = [10.0, "f", [7], [(7, ERROR)], packed("h.1", 2, [4.0])]
    told(state, 10.0, report_of([message]))
    [row] = state.shown_spans(4.0, 12.0, 80, 0, 5, "")["rows"]
    assert row["spans"] == [(20, 61, 100, 0, 1, FAILED | AGAIN, 7, 4.0)]
    [row] = state.shown_spans(8.0, 12.0, 40, 0, 5, "")["rows"]
    assert row["spans"][0][:2] == (-1, 21), "it began before what is shown"


def test_what_runs_now_is_shown_until_the_run_is_over() -> None:
    state = PageState()
    call = SeenCall("f(1)", "f", "h.1", 3.0, None, submitter="origin-1@h", future=9)
    picture = RunPicture(seconds=10.0, workers={"h.1": SeenWorker("h.1", "h", calls=[call])}, origin={"sums": {}})
    state.on_picture(picture, 0.0)
    assert state.shown_spans(0.0, 10.0, 100, 0, 5, "")["rows"][0]["spans"] == [(70, 101, 100, -1, 0, 0, 9, 3.0)]
    state.end("it has ended")
    assert state.shown_spans(0.0, 10.0, 100, 0, 5, "")["rows"][0]["spans"] == []


def test_a_future_is_shown_as_far_as_it_is_known() -> None:
    state = PageState()
    calls = [
        SeenCall("f(1)", "f", "h.1", 3.0, ("/p/prog.py", 3, "f"), submitter="origin-1@h", future=9, attempt=2),
        SeenCall("g(1)", "g", "h.2", 3.0, None, submitter="h.1", future=5),
    ]
    workers = {call.worker: SeenWorker(call.worker, "h", calls=[call]) for call in calls}
    state.on_picture(RunPicture(seconds=10.0, workers=workers, origin={"sums": {}}), 0.0)
    told(state, 10.0, report_of(
        [
            [9.0, "f", [1], [], packed("h.1", 1, [1.0])], [9.5, "f", [2], [(2, ERROR)], packed("h.1", 1, [0.5])],
            [9.5, "f", [3], [(3, CANCELLED)], packed("h.2", 1, [0.5])],
            [9.6, "f", [20, 21, 22], [], packed("h.3", 1, [0.001] * 3)],
        ],
        failures=[[2, "f", "Traceback\nValueError: x"]],
    ))  # fmt: skip
    running = state.shown_future(9, "File prog.py, line 3")
    assert (running["state"], running["worker"], running["attempt"], running["call"]) == ("running", "h.1", 2, "f(1)")
    assert "f(1) has run on h.1 for 3 s, in prog.py:3 (f); this is attempt 2" in running["text"]
    assert running["traceback"] == "File prog.py, line 3"
    assert state.call_of(5) is None, "that number is one of a Worker's own"
    done = state.shown_future(1, "")
    assert (done["state"], done["worker"], done["seconds"]) == ("done", "h.1", pytest.approx(1.0))
    failed = state.shown_future(2, "")
    assert (failed["state"], failed["traceback"], failed["function"]) == ("failed", "Traceback\nValueError: x", "f")
    assert state.shown_future(3, "")["state"] == "cancelled"
    for number in (21, 77):
        assert state.shown_future(number, "")["state"] == "not known"
    del state.spans.rows["h.1"]
    assert state.shown_future(2, "")["state"] == "failed", "its row is gone, and why it failed is known"


def test_the_number_of_a_call_that_another_future_has_submitted_is_not_one_of_the_program() -> None:
    state = PageState()
    call = SeenCall("g(1)", "g", "h.2", 3.0, None, submitter="h.1", future=9)
    workers = {"h.2": SeenWorker("h.2", "h", calls=[call])}
    state.on_picture(RunPicture(seconds=10.0, workers=workers, origin={"sums": {}}), 0.0)
    assert state.shown_spans(0.0, 10.0, 100, 0, 5, "")["rows"][0]["spans"][0][6] == 0
    assert state.shown_run()["workers"][0]["future"] == 0
    assert state.shown_future(9, "")["state"] == "not known"


def test_of_short_futures_that_are_drawn_together_none_has_times_of_its_own() -> None:
    state = PageState()
    message = [9.6, "f", [20, 21, 22], [(21, ERROR)], packed("h.3", 1, [0.001] * 3)]
    told(state, 10.0, report_of([message], failures=[[21, "f", "why"]]))
    shown = state.shown_future(21, "")
    assert (shown["state"], shown["seconds"], shown["traceback"]) == ("failed", None, "why")
    assert "one of 3 short Futures" in shown["text"]


def test_while_the_program_does_not_answer_its_last_figures_stand() -> None:
    state = PageState()
    for at, done, answers in (
        (1.0, 100, True),
        (2.0, 200, True),
        (3.0, 200, False),
        (4.0, 200, False),
        (6.0, 600, True),
    ):
        reports = status_of(at, done)
        if not answers:
            reports["origin-7@h1"] = None  # type: ignore[assignment]
        state.on_picture(picture_of(reports.items()), 1.0)
        shown = state.shown_run()
        assert (shown["sums"]["futures"], shown["answers"]) == (done, answers)
        assert shown["rate"] == {1.0: 0.0, 6.0: 100.0}.get(at, 100.0)
        assert len(shown["functions"]) == 6


def test_what_is_dropped_is_added_up_over_connections() -> None:
    state = PageState()
    for dropped, shown in ((3, 3), (5, 5), (None, 5), (2, 7)):
        if dropped is None:
            state.begin_stream()
        else:
            state.on_news(NewsReport(1.0, dropped, report_of()), 1001.0)
        assert state.dropped == shown


def test_failures_and_events_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAILURES_AT_MOST", 3)
    state = PageState()
    told(state, 1.0, report_of(events=[[1.0, f"e{n}", "", ""] for n in range(2000)],
                               failures=[[n, "f", "why"] for n in range(9)]))  # fmt: skip
    assert list(state.failures) == [6, 7, 8]
    assert len(state.events) == module.EVENTS_AT_MOST
    assert [one[0] for one in state.shown_run()["failures"]] == [8, 7, 6], "the last one first"


def test_moves_between_brokers_are_events_from_the_second_picture_on() -> None:
    state = PageState()
    for given in (5, 5, 12):
        link = {"round_trip": 0.1, "silent": False, "workers": 1, "idle": 1, "there": 0, "given": given}
        report = {"role": "broker", "queued": 0, "links": {"b": link}}
        state.on_picture(picture_of([("a", report)]), 1.0)
    assert [event[1] for event in state.events] == ["7 Futures moved from a to b"]


def test_before_anything_is_known_it_shows_that() -> None:
    shown = PageState().shown_run()
    assert (shown["answers"], shown["seconds"], shown["functions"], shown["hosts"]) == (False, 0.0, [], [])
    json.dumps(shown)


def test_curves_have_a_bound_and_reach_over_the_whole_run() -> None:
    curves = Curves(16)
    for at in range(1000):
        curves.add(float(at), {"a": float(at), **({"late": 1.0} if at == 900 else {})})
        assert len(curves.times) < 16
        assert all(len(curve) == len(curves.times) for curve in curves.values.values())
    assert curves.times[0] == 0.0
    assert curves.times[-1] > 850
    gaps = {later - earlier for earlier, later in itertools.pairwise(curves.times)}
    assert len(gaps) == 1
    assert curves.shown()["values"]["a"] == [*curves.times, 999.0], "what was noted last is always there"


def test_a_curve_that_begins_later_was_0_before() -> None:
    curves = Curves()
    curves.add(1.0, {"a": 1.0})
    curves.add(2.0, {"b": 2.0})
    assert curves.values == {"a": [1.0, 0.0], "b": [0.0, 2.0]}


def test_cancelled_is_no_failure() -> None:
    state = PageState()
    told(state, 5.0, report_of([[5.0, "f", [1], [(1, CANCELLED)], packed("h.1", 1, [1.0])]]))
    assert state.spans.rows["h.1"][0].marks == CANCELED


def test_what_workers_say_is_drawn_when_it_ran_and_nested_calls_below() -> None:
    state, name = PageState(), "origin-1-a@h"
    state.on_picture(RunPicture(origin={"name": name}), 0.0)
    own = RanCall(1001.0, 1001.5, "f", name, name, 1, 1, 0, 0)
    said = [
        own, own._replace(began=1001.125, ended=1001.375, name="g", flags=NESTED),
        own._replace(submitter="h1.2", number=40, flags=RAN_FAILED), own._replace(root="origin-2-b@h", flags=NESTED),
    ]  # fmt: skip
    state.on_ran(1002.0, [("h1.1", 1002.0, ran(1002.0, [0, 0], said))])
    assert state.shown_spans(0.0, 4.0, 400, 0, 10, "")["rows"] == [], "nobody knows yet when the run began"
    told(state, 2.0, report_of([[2.0, "f", [1], [], packed("h1.1", 1, [0.5])]]))
    state.on_ran(1002.0, [("h1.1", 1002.0, ran(1002.0, [0, 0], said))])
    shown = state.shown_spans(0.0, 4.0, 400, 0, 10, "")
    [row] = shown["rows"]
    assert shown["functions"] == ["f", "g"]
    assert [
        (begin, end, function, count, marks, number)
        for begin, end, _, function, count, marks, number, _ in row["spans"]
    ] == [(100, 151, 0, 1, 0, 1)]
    nested = [(begin, end, function, marks, number) for begin, end, _, function, _, marks, number, _ in row["nested"]]
    assert nested == [(112, 138, 1, 0, 1), (100, 151, 0, FAILED, 0)]
