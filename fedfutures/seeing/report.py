"""``fedfutures report FILE``: why a run was not faster, read off its trace. Pure.

A run is as fast as it can be when all Workers run calls of the program all the time. The report says by what that was
prevented, in seconds of Workers: what is lost while they start, while the program has submitted nothing, while fewer
calls are open than there are Workers, while the last ones run, and what very short calls, large values, slow hosts,
slow links and lost Workers cost. The reasons overlap, so they need not add up.
"""

from __future__ import annotations

import bisect
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .. import sizes, times
from ..lazy_dataclass import dataclass, field

REASONS_AT_MOST = 10
SHORT_SECONDS = 0.001
"""A call that takes less costs a good part of that to send."""
TAKEN_SECONDS = 0.00002
"""About what it costs the program to take an outcome in."""
LARGE_BYTES = 1 << 20
BYTES_PER_SECOND = 1e9
"""About how fast large values are read and copied on one host; over a network they take longer."""
PACKED_BYTES_PER_SECOND = 2e7
"""No slower does a program pickle arguments and write them to shared memory."""
STRAGGLES = 2.0
"""A call straggles at the end if it takes so many times what the middle one of its function takes."""
SLOWER = 1.25
LEAST_SHARE = 0.01
"""What costs less than one part in a hundred is no reason."""


class Span(NamedTuple):
    """A Future that has run."""

    function: str
    worker: str
    host: str
    begin: float  # seconds since the run began
    end: float
    waited: float
    argument_bytes: int
    result_bytes: int
    attempt: int
    number: int

    @property
    def seconds(self) -> float:
        """For how long it ran."""
        return self.end - self.begin


@dataclass(slots=True)
class ReadTrace:
    """What a trace file says."""

    program: str = ""
    workers: int = 0
    seconds: float = 0.0
    spans: list[Span] = field(default_factory=list)
    open: list[tuple[float, int]] = field(default_factory=list)  # how many Futures were open, at which times
    losses: list[str] = field(default_factory=list)
    futures: int = 0  # how many there were; a long trace has a sample of them
    nested: list[Span] = field(default_factory=list)  # of Futures that Workers have submitted, and others have run

    @property
    def scale(self) -> float:
        """For how many Futures each one in the sample stands."""
        return max(1.0, self.futures / len(self.spans)) if self.spans else 1.0


class Reason(NamedTuple):
    """Why a run was not faster: what it has cost, in seconds of Workers, and what may be done."""

    name: str
    seconds: float
    text: str


def events_in(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the events of a trace file, one of which is a line; the last line may be cut off. Raises ValueError."""
    for number, line in enumerate(lines, 1):
        text = line.strip().rstrip(",")
        if text in ("", "[", "]"):
            continue
        try:
            event = json.loads(text)
        except ValueError:
            if line.endswith("\n"):
                raise ValueError(f"line {number} is no event of a trace") from None
            return
        if not isinstance(event, dict):
            raise ValueError(f"line {number} is no event of a trace")
        yield event


def trace_of(events: Iterable[dict[str, Any]]) -> ReadTrace:
    """Read the events of a trace."""
    found = ReadTrace()
    hosts: dict[int, str] = {}
    workers: dict[tuple[int, int], str] = {}
    counts: dict[float, int] = defaultdict(int)
    for event in events:
        phase, row = event.get("ph"), (event.get("pid", 0), event.get("tid", 0))
        at, args = event.get("ts", 0.0) / 1e6, event.get("args", {})
        found.seconds = max(found.seconds, at)
        if phase == "M" and event["name"] == "process_name":
            hosts[row[0]] = args["name"]
        elif phase == "M":
            workers[row] = args.get("worker", args["name"])  # a Worker may have several rows
        elif phase == "X" and row[0] != 1:
            end, waited = at + event["dur"] / 1e6, max(0.0, args.get("waited", 0.0))
            if event.get("cat") == "nested" and "submitter" not in args:
                continue  # in the time of another
            (found.nested if event.get("cat") == "nested" else found.spans).append(Span(
                event["name"], workers.get(row, str(row)), hosts.get(row[0], ""), at, end, waited,
                args.get("bytes", 0), args.get("result_bytes", 0), args.get("attempt", 1), args.get("number", 0),
            ))  # fmt: skip
        elif phase == "C" and event["name"] in ("given", "waits in the program"):
            counts[at] += args["Futures"]
        elif phase == "i" and event["name"] == "begin":
            found.workers = int(args.get("workers", 0))
        elif phase == "i" and event["name"] == "end":
            found.futures = int(args.get("futures", 0))
        elif phase == "i":
            found.losses.append(event["name"])
    found.program, found.open = hosts.get(1, ""), sorted(counts.items())
    found.spans.sort(key=lambda span: span.begin)
    found.workers = max(found.workers, len({span.worker for span in (*found.spans, *found.nested)}))
    return found


class Busy:
    """How many Workers ran something, over time."""

    def __init__(self, spans: list[Span]) -> None:
        steps: dict[float, int] = defaultdict(int)
        for span in spans:
            steps[span.begin] += 1
            steps[span.end] -= 1
        self.times = sorted(steps)
        self._counts: list[int] = []
        count = 0
        for at in self.times:
            count += steps[at]
            self._counts.append(count)

    def idle(self, begin: float, end: float, workers: int) -> float:
        """Return the seconds that Workers together were idle between two times."""
        place, at, idle = bisect.bisect_right(self.times, begin), begin, 0.0
        while at < end:
            count = self._counts[place - 1] if place else 0
            until = min(end, self.times[place]) if place < len(self.times) else end
            idle += max(0, workers - count) * (until - at)
            at, place = until, place + 1
        return idle


def reasons(trace: ReadTrace) -> list[Reason]:
    """Return why a run was not faster, the most expensive first."""
    if not trace.spans:
        return []
    functions: dict[str, list[Span]] = defaultdict(list)
    for span in trace.spans:
        functions[span.function].append(span)
    busy, total = Busy([*trace.spans, *trace.nested]), max(1e-9, trace.seconds * trace.workers)
    found = [
        _start(trace), _serial(trace), _few(trace, busy), _end(trace, busy, functions),
        _short(trace, busy, functions), _large(trace, busy, functions), _slow_hosts(trace, functions),
        _slow_links(trace), _lost(trace), _after(trace),
    ]  # fmt: skip
    there = [reason._replace(seconds=min(reason.seconds, total)) for reason in found if reason is not None]
    counting = [reason for reason in there if reason.seconds >= LEAST_SHARE * total]
    return sorted(counting, key=lambda reason: -reason.seconds)[:REASONS_AT_MOST]


def lines(trace: ReadTrace) -> list[str]:
    """Return the report in lines."""
    if not trace.spans:
        return ["The trace has no Future that has run."]
    total = max(1e-9, trace.seconds * trace.workers)
    ran = sum(span.seconds for span in trace.spans) * trace.scale
    share = f"{min(1.0, ran / total):.0%}".replace("%", " %")
    head = (
        f"{trace.program}: {round(len(trace.spans) * trace.scale):,} Futures on {trace.workers} Workers in "
        f"{times.shown(trace.seconds)}; Workers were busy {share} of that time."
    )
    found = reasons(trace)
    if not found:
        return [head, "Nothing has cost more than 1 % of it: the run was about as fast as its Workers are."]
    rows = [
        f"{place}. {reason.name}: {times.shown(reason.seconds)} of Workers' time "
        f"({min(1.0, reason.seconds / total):.0%}). ".replace("%", " %")
        + reason.text
        for place, reason in enumerate(found, 1)
    ]
    return [head, "Why it was not faster:", *rows]


# -- the reasons -------------------------------------------------------------------------------------------------------


def _start(trace: ReadTrace) -> Reason:
    first = trace.spans[0].begin
    text = f"The first Future began {times.shown(first)} after the run: imports, and work before the first submit."
    return Reason("start", first * trace.workers, text)


def _closed(trace: ReadTrace) -> list[tuple[float, float]]:
    """Return when no Future was open, between the first and the last."""
    first, last = trace.spans[0].begin, max(span.end for span in trace.spans)
    found: list[tuple[float, float]] = []
    since: float | None = None
    for at, count in trace.open:
        if count == 0 and since is None:
            since = at
        elif count and since is not None:
            found.append((since, at))
            since = None
    clipped = [(max(first, begin), min(last, end)) for begin, end in found]
    return [(begin, end) for begin, end in clipped if end > begin]


def _serial(trace: ReadTrace) -> Reason | None:
    """The program had submitted nothing that was not done."""
    gaps = _gaps(trace)
    if not gaps:
        return None
    seconds = sum(end - begin for begin, end in gaps)
    longest = max(gaps, key=lambda gap: gap[1] - gap[0])
    text = (
        f"For {times.shown(seconds)} no Future ran, since none was open: the program did something else. The longest "
        f"such part was {times.shown(longest[1] - longest[0])}, {times.shown(longest[0])} after the beginning. Submit "
        f"that, too, or submit the next Futures before it."
    )
    return Reason("serial part", seconds * trace.workers, text)


def _gaps(trace: ReadTrace) -> list[tuple[float, float]]:
    """Return when no Worker ran anything, between the first Future and the last, and none was open for most of it.

    While the program packs large arguments it submits nothing either; that is another reason.
    """
    found: list[tuple[float, float]] = []
    end = trace.spans[0].end
    closed, packing = _closed(trace), _packing(trace)
    for span in trace.spans:
        gap, long = (end, span.begin), span.begin - end
        if long > 0.0 and _overlap(gap, closed) >= 0.5 * long and _overlap(gap, packing) < 0.5 * long:
            found.append(gap)
        end = max(end, span.end)
    return found


def _packing(trace: ReadTrace) -> list[tuple[float, float]]:
    """Return when the program packed large arguments: from the submit before to that of the Future that has them."""
    found: list[tuple[float, float]] = []
    before = 0.0
    for span in sorted(trace.spans, key=lambda one: one.number):
        submitted = span.begin - span.waited
        if span.argument_bytes >= LARGE_BYTES:
            longest = span.argument_bytes / PACKED_BYTES_PER_SECOND
            found.append((max(before, submitted - longest), submitted))
        before = max(before, submitted)
    return found


def _overlap(gap: tuple[float, float], others: list[tuple[float, float]]) -> float:
    return sum(max(0.0, min(gap[1], end) - max(gap[0], begin)) for begin, end in others)


def _last_queued(trace: ReadTrace) -> float:
    """Return when the last Future began: from then on nothing waits."""
    return trace.spans[-1].begin


def _few(trace: ReadTrace, busy: Busy) -> Reason | None:
    """Fewer Futures were open than there are Workers, but some."""
    idle = 0.0
    last, packing = _last_queued(trace), _packing(trace)
    for (begin, count), (end, _) in zip(trace.open, trace.open[1:]):
        begin, end = max(begin, trace.spans[0].begin), min(end, last)
        if 0 < count < trace.workers and end > begin:
            share = 1.0 - min(1.0, _overlap((begin, end), packing) / (end - begin))
            idle += share * busy.idle(begin, end, trace.workers)
    if not idle:
        return None
    text = "Fewer Futures were open than there are Workers. Submit more at once, or cut the work into more parts."
    return Reason("too few Futures", idle, text)


def _end(trace: ReadTrace, busy: Busy, functions: dict[str, list[Span]]) -> Reason | None:
    """At the end some Workers have nothing left to do, while the last Futures run."""
    begin, end = _last_queued(trace), max(span.end for span in trace.spans)
    idle = busy.idle(begin, end, trace.workers)
    last = max(trace.spans, key=lambda span: span.end)
    middle = _middle([span.seconds for span in functions[last.function]])
    longer = last.seconds / middle if middle else 1.0
    which = f"{last.function} (Future {last.number}, on {last.worker}) ended last, after {times.shown(last.seconds)}"
    if longer >= STRAGGLES:
        text = (
            f"{which}; the middle one of its kind took {times.shown(middle)}. Submit the long ones first, or give them "
            f"a priority; cut them, if that can be done."
        )
        return Reason("straggler", idle, text)
    return Reason("uneven end", idle, f"{which}. Smaller parts end more evenly.")


def _short(trace: ReadTrace, busy: Busy, functions: dict[str, list[Span]]) -> Reason | None:
    """Calls that take less than it costs to send them: Workers are idle between them."""
    middles = {name: _middle([one.seconds for one in spans]) for name, spans in functions.items()}
    found = [span for span in trace.spans if middles[span.function] < SHORT_SECONDS]
    if len(found) < 2:
        return None
    lost = busy.idle(found[0].begin, max(span.end for span in found), trace.workers) + _taking(trace) * trace.workers
    name = found[0].function
    count, limit = round(len(found) * trace.scale), times.shown(SHORT_SECONDS)
    text = (
        f"{count:,} Futures took less than {limit} each, {name} for instance {times.shown(middles[name])}. Use map(), "
        f"which sends many items together, or have one call do more."
    )
    return Reason("small tasks", lost, text)


def _taking(trace: ReadTrace) -> float:
    """Return how many seconds after the last Future the program still took outcomes in."""
    rest = trace.seconds - max(span.end for span in trace.spans)
    return max(0.0, min(rest, len(trace.spans) * trace.scale * TAKEN_SECONDS))


def _large(trace: ReadTrace, busy: Busy, functions: dict[str, list[Span]]) -> Reason | None:
    """Values that take long to pickle, copy and send; meanwhile Workers are idle."""
    largest, which = 0.0, ""
    seconds = sum(busy.idle(begin, end, trace.workers) for begin, end in _packing(trace))
    for name, spans in functions.items():
        moved = sum(span.argument_bytes + span.result_bytes for span in spans)
        if moved / len(spans) < LARGE_BYTES:
            continue
        seconds += moved * trace.scale / BYTES_PER_SECOND
        if moved > largest:
            arguments = sum(span.argument_bytes for span in spans)
            kind = "arguments" if 2 * arguments >= moved else "results"
            largest, which = moved, f"The {kind} of {name} have {sizes.shown(moved // len(spans))} each"
    if not which:
        return None
    text = (
        f"{which}, {sizes.shown(round(largest * trace.scale))} in all. Share what all calls need once "
        f"(fedfutures.shared), pass names of files, or return less."
    )
    return Reason("large values", seconds, text)


def _slow_hosts(trace: ReadTrace, functions: dict[str, list[Span]]) -> Reason | None:
    """A host takes longer than the others for the same functions."""
    lost: dict[str, float] = defaultdict(float)
    ratio: dict[str, float] = {}
    for spans in functions.values():
        by_host: dict[str, list[float]] = defaultdict(list)
        for span in spans:
            by_host[span.host].append(span.seconds)
        best = min((sum(took) / len(took) for took in by_host.values() if len(took) > 2), default=0.0)
        for host, took in by_host.items():
            mean = sum(took) / len(took)
            if best and len(took) > 2 and mean > SLOWER * best:
                lost[host] += (mean - best) * len(took) * trace.scale
                ratio[host] = max(ratio.get(host, 0.0), mean / best)
    if not lost:
        return None
    host = max(lost, key=lambda one: lost[one])
    text = f"{host} takes up to {ratio[host]:.1f} times as long as the fastest host for the same function."
    return Reason("slow host", sum(lost.values()), text)


def _slow_links(trace: ReadTrace) -> Reason | None:
    """Workers of one host wait between Futures, while others do not and Futures wait."""
    first, last = trace.spans[0].begin, _last_queued(trace)
    shares: dict[str, float] = {}
    idle: dict[str, float] = {}
    for host in {span.host for span in trace.spans}:
        spans = [span for span in trace.spans if span.host == host]
        workers = len({span.worker for span in spans})
        ran = sum(max(0.0, min(span.end, last) - span.begin) for span in spans)
        whole = workers * (last - first)
        if whole > 0.0:
            shares[host], idle[host] = ran / whole, whole - ran
    if len(shares) < 2:
        return None
    worst, best = min(shares, key=lambda one: shares[one]), max(shares.values())
    if best - shares[worst] < 0.2:
        return None
    moved = sum(span.argument_bytes + span.result_bytes for span in trace.spans if span.host == worst)
    shown = sizes.shown(round(moved * trace.scale))
    text = (
        f"Workers of {worst} were busy {shares[worst]:.0%} of the time, those of the best host {best:.0%}, while "
        f"Futures waited; {shown} went there and back. The link to it is slow, or values are large for it."
    ).replace("%", " %")
    return Reason("slow link", idle[worst], text)


def _lost(trace: ReadTrace) -> Reason | None:
    again = [span for span in trace.spans if span.attempt > 1]
    if not (again or trace.losses):
        return None
    seconds = sum(span.seconds * (span.attempt - 1) for span in again) * trace.scale
    what = f"; the first: {trace.losses[0]}" if trace.losses else ""
    text = f"{len(again):,} Futures were started again, {len(trace.losses)} processes ended too early{what}."
    return Reason("losses", seconds, text)


def _after(trace: ReadTrace) -> Reason:
    rest = max(0.0, trace.seconds - max(span.end for span in trace.spans) - _taking(trace))
    text = f"After the last Future the program went on for {times.shown(rest)}."
    return Reason("after the last Future", rest * trace.workers, text)


def _middle(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]
