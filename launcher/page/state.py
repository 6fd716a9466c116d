"""What a page shows of a run: put together from pictures and news, with a bound on its memory. Pure.

A *picture* says what there is now (:mod:`fedfutures.seeing.picture`), *news* what has happened since
(:mod:`fedfutures.seeing.watching`). Of the past it keeps spans, curves of some hundred points, the last events and the
last failures, however long the run is.
"""

from __future__ import annotations

import os
import re
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from fedfutures.seeing import table, words
from fedfutures.seeing.picture import RunPicture, SeenCall
from fedfutures.seeing.ran import RanAnswers
from fedfutures.seeing.spans import CANCELED, FAILED, SPANS_AT_MOST, RowSpan, RunSpans
from fedfutures.seeing.watching import NewsReport
from fedfutures.wire.names import is_origin

EVENTS_AT_MOST = 500
FAILURES_AT_MOST = 500
POINTS_AT_MOST = 600
CELLS_AT_MOST = 40_000
"""So many spans are sent at a time, so that a browser draws them at once."""
COLUMNS_AT_MOST = 4_000
ROWS_AT_MOST = 500
WORKERS_AT_MOST = 2_000
FUNCTIONS_AT_MOST = 200


class Curves:
    """Values over time; whenever there are too many points, every second one goes, and of new ones as many."""

    def __init__(self, most: int = POINTS_AT_MOST) -> None:
        self.times: list[float] = []
        self.values: dict[str, list[float]] = {}
        self._last: tuple[float, dict[str, float]] = (-1.0, {})
        self._most, self._stride, self._count = most, 1, -1

    def add(self, at: float, values: dict[str, float]) -> None:
        """Note values at a time; a curve that begins later was 0 before."""
        self._count += 1
        self._last = at, values
        if self._count % self._stride:
            return
        for name in values:
            self.values.setdefault(name, [0.0] * len(self.times))
        self.times.append(at)
        for name, curve in self.values.items():
            curve.append(values.get(name, 0.0))
        if len(self.times) >= self._most:
            self.times = self.times[::2]
            self.values = {name: curve[::2] for name, curve in self.values.items() if any(curve[::2])}
            self._stride *= 2

    def shown(self) -> dict[str, Any]:
        """Return the points, rounded, and behind them what was noted last."""
        at, last = self._last
        more = bool(self.times) and at > self.times[-1]
        values = {
            name: [round(one, 3) for one in (*curve, *([last.get(name, 0.0)] if more else []))]
            for name, curve in self.values.items()
        }
        return {"times": [round(one, 2) for one in (*self.times, *([at] if more else []))], "values": values}


class FailedFuture(NamedTuple):
    """A Future that has failed."""

    number: int
    function: str
    text: str


class PageState:
    """Of one run."""

    def __init__(self) -> None:
        self.spans = RunSpans()
        self.nested = RunSpans(SPANS_AT_MOST // 2, self.spans.functions)
        self._answers = RanAnswers()
        self._began: float | None = None  # when the run began, by the monotonic clock of this machine
        self.curves, self.of_hosts = Curves(), Curves(POINTS_AT_MOST // 4)
        self.picture, self._before = RunPicture(), RunPicture()
        self.seconds = self._between = 0.0
        self.dropped, self.over = 0, ""  # over: why it is not asked any more
        self.news_seconds: float | None = None  # when the program has told something last
        self.events: deque[tuple[float, str, str, str]] = deque(maxlen=EVENTS_AT_MOST)
        self.failures: OrderedDict[int, FailedFuture] = OrderedDict()
        self.origin: dict[str, Any] = {}  # what the program has said last
        self.used: dict[str, float] = {}  # memory and processors, by host
        self._known_at = self._rate = 0.0
        self._rates: dict[str, float] = {}  # by function
        self._wanted = self._missed = 0
        self._moved: dict[tuple[str, str], int] = {}

    # -- what is heard -----------------------------------------------------------------------------------------------

    def on_picture(self, picture: RunPicture, between: float) -> None:
        """This is what there is now, so many seconds after the one before."""
        self._before, self.picture, self._between = self.picture, picture, between
        self.seconds = max(self.seconds, picture.seconds or 0.0)
        self._note_moves()
        if picture.origin is not None:
            self._note_rates(picture.origin)
        origin = self.origin
        self.curves.add(self.seconds, {
            "busy Workers": picture.busy, "Workers": len(picture.workers),
            "wait in the program": origin.get("queued", 0),
            "wait at Brokers": sum(int(report.get("queued", 0)) for report in picture.brokers.values()),
            "wanted by Brokers": self._wanted, "done per second": self._rate,
        })  # fmt: skip
        self.used = self._uses(between)
        self.of_hosts.add(self.seconds, self.used)

    def _note_rates(self, origin: dict[str, Any]) -> None:
        """Take in what the program says, and how much it has got back since it said something last."""
        before, sums = self.sums(), origin.get("sums") or {}
        seconds, self._known_at, self.origin = self.seconds - self._known_at, self.seconds, origin
        if seconds > 0.0 and before:
            self._rate = max(0, sums.get("futures", 0) - before.get("futures", 0)) / seconds
            old = before.get("functions", {})
            self._rates = {
                name: max(0, one["futures"] - old.get(name, {}).get("futures", 0)) / seconds
                for name, one in sums.get("functions", {}).items()
            }

    def begin_stream(self) -> None:
        """The program is about to be heard again: it counts anew what it has not told."""
        self._missed = self.dropped

    def _uses(self, between: float) -> dict[str, float]:
        """Return what the Workers of each host use: memory, and processors since the last picture."""
        found: dict[str, float] = {}
        for worker in self.picture.workers.values():
            memory, cpu = f"memory of {worker.host}", f"processors of {worker.host}"
            found[memory] = found.get(memory, 0.0) + worker.memory
            old = self._before.workers.get(worker.name)
            used = max(0.0, worker.cpu - old.cpu) / between if old is not None and between > 0.0 else 0.0
            found[cpu] = found.get(cpu, 0.0) + used
        return found

    def end(self, why: str) -> None:
        """Nothing more is heard: the run has ended."""
        self.over = why

    def _note_moves(self) -> None:
        for broker, report in self.picture.brokers.items():
            for neighbour, link in (report.get("links") or {}).items():
                given, before = int(link["given"]), self._moved.get((broker, neighbour), 0)
                if given > before and (broker, neighbour) in self._moved:
                    text = f"{given - before:,} Futures moved from {broker} to {neighbour}"
                    self.events.append((self.seconds, text, "", ""))
                self._moved[broker, neighbour] = given

    def on_news(self, news: NewsReport, now: float) -> None:
        """The program tells what has happened, at this time by the monotonic clock of its machine."""
        report, began = news.report, now - news.seconds
        self._began = began if self._began is None else min(began, self._began)
        self.seconds = max(self.seconds, news.seconds)
        self.news_seconds, self.dropped = news.seconds, self._missed + news.dropped
        self._wanted = int(report["wanted"])
        for at, function, ids, odd, facts in report["messages"]:
            self.spans.take(float(at), str(function), ids, odd, facts)
        for at, text, worker, host in report["events"]:
            self.events.append((float(at), str(text), str(worker), str(host)))
        for number, function, text in report["failures"]:
            self.failures[number] = FailedFuture(number, str(function), str(text))
            while len(self.failures) > FAILURES_AT_MOST:
                self.failures.popitem(last=False)

    def on_ran(self, asked: float, answers: Iterable[tuple[str, float, Any]]) -> None:
        """Workers that were asked then have said what they have run: who, when, and what."""
        name = self.origin.get("name")
        if self._began is None or name is None:
            return
        for answer in self._answers.take(asked, self._began, answers):
            for call in answer.calls:
                if call.root != name:  # of another program
                    continue
                if call.is_nested or call.submitter != name:
                    number = call.number if call.submitter == name else 0
                    self.nested.add(answer.worker, call.name, call.began, call.ended, number, failed=call.has_failed)
                else:
                    self.spans.correct(answer.worker, call.number, call.began, call.ended)

    # -- what is shown -----------------------------------------------------------------------------------------------

    def shown_run(self) -> dict[str, Any]:
        """Return all but the spans, as plain data."""
        picture, origin = self.picture, self.origin
        rows = table.rows(picture, self._before, self._between, table.View("worker"), WORKERS_AT_MOST)
        return {
            "program": os.path.basename(picture.program), "path": picture.program, "pid": picture.pid,
            "seconds": round(self.seconds, 2), "over": self.over, "silent": picture.silent[:20],
            "head": table.head(picture), "summary": table.summary(picture, self._before, self._between),
            "answers": picture.origin is not None, "where": origin.get("where"), "maps": origin.get("maps", []),
            "sums": {name: self.sums().get(name, 0) for name in _TOTALS}, "rate": round(self._rate, 1),
            "busy": picture.busy,
            "given": origin.get("given", 0), "queued": origin.get("queued", 0),
            "functions": self._functions(), "explained": words.explained(picture)[1:],
            "hosts": [dict(zip(table.HOST_COLUMNS, row)) for row in table.host_rows(picture)],
            "workers": [_of_worker(row) for row in rows], "all_workers": len(picture.workers),
            "brokers": [
                {"name": name, "queued": report.get("queued", 0)} for name, report in sorted(picture.brokers.items())
            ],
            "links": [dict(zip(table.LINK_COLUMNS, row)) for row in table.link_rows(picture)],
            "curves": self.curves.shown(), "of_hosts": self.of_hosts.shown(), "events": list(self.events)[-200:],
            "failures": [(one.number, one.function, one.text[-300:]) for one in reversed(self.failures.values())][:100],
            "dropped": self.dropped,
        }  # fmt: skip

    def sums(self) -> dict[str, Any]:
        """Return what the program has got back, as it has said last; empty before that."""
        return self.origin.get("sums") or {}

    def _functions(self) -> list[dict[str, Any]]:
        running = Counter(call.function for call in self.picture.calls())
        found = [
            {"name": name, **one, "rate": self._rates.get(name, 0.0), "running": running[name]}
            for name, one in self.sums().get("functions", {}).items()
        ]
        return sorted(found, key=lambda one: -float(one["seconds"]))[:FUNCTIONS_AT_MOST]

    def shown_spans(self, begin: float, end: float, columns: int, first: int, rows: int, wanted: str) -> dict[str, Any]:
        """Return what rows of Workers show between two times, in so many columns: whole numbers, few enough to draw.

        first, rows: which of the Workers, by name, of those with `wanted` in theirs. A span is begin, end, how much
        of it Futures took (in 100), function, Futures, marks, number of the Future, seconds that Futures took. Nested
        calls have spans of their own.
        """
        names = [name for name in self._names() if wanted.lower() in name.lower()]
        rows = max(1, min(rows, ROWS_AT_MOST))
        chosen = names[max(0, first) : max(0, first) + rows]
        columns = max(10, min(columns, COLUMNS_AT_MOST, CELLS_AT_MOST // max(1, len(chosen))))
        unit = max(end - begin, 1e-6) / columns
        found = []
        for name in chosen:
            spans = self.spans.between(name, begin, end, unit) + self._running_spans(name)
            nested = self.nested.between(name, begin, end, unit)
            found.append({
                "worker": name, "spans": [_cells(span, begin, unit) for span in spans],
                "nested": [_cells(span, begin, unit) for span in nested],
            })  # fmt: skip
        return {
            "begin": begin, "end": end, "columns": columns, "seconds": round(self.seconds, 3), "rows": found,
            "all_rows": len(names), "functions": self.spans.functions.names, "first": max(0, first),
        }  # fmt: skip

    def _names(self) -> list[str]:
        names = {*self.spans.rows, *self.nested.rows, *self.picture.workers}
        return sorted(names, key=_in_order)

    def _running_spans(self, name: str) -> list[RowSpan]:
        worker = self.picture.workers.get(name)
        if worker is None or not worker.calls or self.over:
            return []
        call = worker.calls[0]
        seconds, now = call.seconds or 0.0, self.seconds
        names = self.spans.functions.names
        place = names.index(call.function) if call.function in names else -1
        number = call.future if is_origin(call.submitter) else 0  # else the number is that Worker's own
        return [RowSpan(now - seconds, now, seconds, place, 0, 0, number)]

    def call_of(self, number: int) -> SeenCall | None:
        """Return the call of a Future of the program, if it runs."""
        calls = self.picture.calls()
        return next((call for call in calls if call.future == number and is_origin(call.submitter)), None)

    def shown_future(self, number: int, stack: str) -> dict[str, Any]:
        """Return what is known of a Future of the program; `stack`: where it is, if it runs."""
        call, failed, found = self.call_of(number), self.failures.get(number), self._done(number)
        if call is not None:
            return {
                "number": number, "function": call.function, "state": "running", "worker": call.worker,
                "seconds": call.seconds, "attempt": call.attempt, "call": call.text,
                "text": words.call_line(self.picture, call), "traceback": stack,
            }  # fmt: skip
        if failed is None and found is None:
            text = "It waits, was not heard of, or it is one of many short ones that are not kept one by one."
            return {"number": number, "function": "", "state": "not known", "text": text, "traceback": ""}
        worker, span = found or ("", None)
        state = "failed" if failed is not None else "done"
        if span is not None and span.count > 1:  # what is known of it is that of all of them
            took, span = f"It is one of {span.count:,} short Futures that are drawn together.", None
        elif span is not None:
            took = f"It began {span.begin:.3f} s after the run, and took {span.busy:.6f} s."
            if span.marks & (FAILED | CANCELED):
                state = "failed" if span.marks & FAILED else "cancelled"
        else:
            took = ""
        return {
            "number": number, "function": failed.function if failed else self.spans.functions.names[found[1].function],  # type: ignore[index]
            "state": state, "worker": worker, "seconds": None if span is None else span.busy, "text": took,
            "traceback": "" if failed is None else failed.text,
        }  # fmt: skip

    def _done(self, number: int) -> tuple[str, RowSpan] | None:
        """Return where a Future was, of those that are kept one by one."""
        for worker, row in self.spans.rows.items():
            for span in row:
                if span.number == number and (span.count == 1 or span.marks):
                    return worker, span
        return None


def _in_order(name: str) -> tuple[str, list[int]]:
    """Return by what names of Workers are sorted: ``h.2+1`` has taken the place of ``h.2``.

    >>> sorted(["h.10", "h.2+1", "h.2", "h.3"], key=_in_order)
    ['h.2', 'h.2+1', 'h.3', 'h.10']
    """
    host, _, number = name.rpartition(".")
    return host, [int(digits) for digits in re.findall(r"[0-9]+", number)]


_TOTALS = ("futures", "failed", "lost", "cancelled", "retries", "busy", "per_second")


def _of_worker(row: table.WorkerRow) -> dict[str, Any]:
    return {
        "worker": row.worker, "state": row.state, "seconds": row.seconds, "call": row.call, "place": row.place,
        "queued": row.queued, "memory": row.memory, "cpu": row.cpu,
        "future": row.future if is_origin(row.submitter) else 0,
    }  # fmt: skip


def _cells(span: RowSpan, begin: float, unit: float) -> tuple[int, int, int, int, int, int, int, float]:
    length = span.end - span.begin
    share = 100 if length <= 0.0 else min(100, round(100 * span.busy / length))
    first, last = int((span.begin - begin) / unit), int((span.end - begin) / unit) + 1
    return max(-1, first), last, share, span.function, span.count, span.marks, span.number, round(span.busy, 6)
