"""What goes on in a run, in words: how much there is (``status``), and what takes long and why (``explain``). Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .. import times
from .picture import RunPicture, SeenCall, SeenWorker
from .table import HOST_COLUMNS, LINK_COLUMNS, head, host_rows, in_columns, link_rows, summary

CALLS_AT_MOST = 10
FUNCTIONS_AT_MOST = 20
MUCH_LONGER = 3.0
"""A call that has taken so many times what others take is shown with that."""


def status(picture: RunPicture) -> list[str]:
    """Return what there is, in lines: the run, its hosts, its functions, and what waits."""
    tables = [*_table(picture), *_of_links(picture)]
    return [head(picture), *_of_program(picture), *tables, *_of_functions(picture), *_of_silent(picture)]


def _of_program(picture: RunPicture) -> Iterator[str]:
    origin = picture.origin
    if origin is None:
        if picture.workers:
            yield "  the program has not answered: code of C or an extension may hold the interpreter"
        return
    yield f"  {summary(picture, None, 0.0)}"
    for one in origin.get("maps", [])[:FUNCTIONS_AT_MOST]:
        of_all = "" if one["total"] is None else f" of {one['total']:,}"
        yield f"  map({one['name']}): {one['done']:,}{of_all} items done"
    if where := origin.get("where"):
        yield f"  the program is in {_place((where['file'], where['line'], where['inside']))}"


def _table(picture: RunPicture) -> list[str]:
    return [f"  {line}" for line in in_columns(HOST_COLUMNS, host_rows(picture))] if picture.hosts else []


def _of_links(picture: RunPicture) -> list[str]:
    rows = link_rows(picture)
    return [f"  {line}" for line in in_columns(LINK_COLUMNS, rows)] if rows else []


def _of_functions(picture: RunPicture) -> Iterator[str]:
    functions = ((picture.origin or {}).get("sums") or {}).get("functions", {})
    for name, found in sorted(functions.items(), key=lambda item: -item[1]["seconds"])[:FUNCTIONS_AT_MOST]:
        took = f", half of them within {times.shown(found['p50'])}" if found["p50"] is not None else ""
        took += f", 99 % within {times.shown(found['p99'])}" if found["p99"] is not None else ""
        yield f"  {name}: {found['futures']:,} done in {times.shown(found['seconds'])} of Workers' time{took}"


def _of_silent(picture: RunPicture) -> Iterator[str]:
    names = [name for name in picture.silent if name not in picture.workers]
    if names:
        yield f"  not heard in time: {', '.join(names[:CALLS_AT_MOST])}" + ", …" * (len(names) > CALLS_AT_MOST)


# -- explain -----------------------------------------------------------------------------------------------------------


def explained(picture: RunPicture) -> list[str]:
    """Return what takes long, and what waits for what, in sentences; what has run longest stands first."""
    calls = picture.calls()
    lines = [call_line(picture, call) for call in calls[:CALLS_AT_MOST]]
    if len(calls) > CALLS_AT_MOST:
        least = times.shown(calls[-1].seconds or 0.0)
        lines.append(f"{len(calls) - CALLS_AT_MOST:,} more calls run, for {least} at least.")
    lines += [line for worker in picture.workers.values() if (line := _worker_line(picture, worker))]
    lines += _waiting(picture)
    return [head(picture) + ".", *lines]


def call_line(picture: RunPicture, call: SeenCall) -> str:
    """Return a sentence on a call that runs.

    >>> picture = RunPicture(means={"66": 0.2})
    >>> call_line(picture, SeenCall("price(17)", "price", "h2.1", 41.0, ("/home/a/prog.py", 12, "price"), digest="66"))
    'price(17) has run on h2.1 for 41 s, in prog.py:12 (price); others like it took 200 ms.'
    """
    what = f"a slice of {call.slice:,} items of map({call.function})" if call.slice > 1 else call.text
    text = f"{what} has run on {call.worker}" if call.seconds is not None else f"{what} runs on {call.worker}"
    if call.seconds is not None:
        text += f" for {times.shown(call.seconds)}"
    if call.slice > 1 and call.begun is not None:
        text += f"; item {call.begun:,} of it runs: {call.text}"
    if call.place is not None:
        text += f", in {_place(call.place)}"
    if call.attempt > 1:
        text += f"; this is attempt {call.attempt}"
    if others := _others(picture, call):
        text += f"; {others}"
    worker = picture.workers.get(call.worker)
    if worker is not None and len(worker.calls) > 1:
        inner = worker.calls[-1]
        text += f"; inside it runs {inner.text}" + (f", in {_place(inner.place)}" if inner.place else "")
    return text + "."


def _others(picture: RunPicture, call: SeenCall) -> str:
    """Return what other calls of the function took."""
    functions = ((picture.origin or {}).get("sums") or {}).get("functions", {})
    found = functions.get(call.function)
    if not call.slice and found and found.get("p50") is not None:
        count = found["futures"]
        like = "another call of it" if count == 1 else f"{count:,} others like it"
        return f"{like} took {times.shown(found['p50'])}" + (" (half of them at most)" if count > 1 else "")
    mean = picture.means.get(call.digest)
    return "" if mean is None or call.slice else f"others like it took {times.shown(mean)}"


def _place(place: tuple[str, int, str]) -> str:
    file, line, inside = place
    return f"{os.path.basename(file)}:{line}" + (f" ({inside})" if inside != "<module>" else "")


def _worker_line(picture: RunPicture, worker: SeenWorker) -> str:
    """Return what is the matter with a Worker; "" if nothing is."""
    if worker.doing == "stopped":
        command = f"kill -CONT {worker.pid}"
        return f"Worker {worker.name} is stopped by a signal; it goes on after, on {worker.host}: {command}"
    if worker.doing == "running" and not worker.answers:
        return (
            f"Worker {worker.name} runs something and does not answer: C code holds its interpreter, or the machine is "
            f"very busy. Where it is: fedfutures stack {picture.pid or ''} {worker.name}".replace("  ", " ")
        )
    if worker.doing == "starting":
        return f"Worker {worker.name} is starting: it imports the program, or runs the initializer."
    if worker.suspended:
        futures = _count(worker.suspended, "Future")
        return f"On Worker {worker.name} {futures} wait{'s' * (worker.suspended == 1)} for others that were submitted."
    return ""


def _waiting(picture: RunPicture) -> Iterator[str]:
    queued = {name: int(report.get("queued", 0)) for name, report in picture.brokers.items()}
    origin = picture.origin or {}
    total = sum(queued.values())
    idle = len(picture.workers) - picture.busy
    if total:
        brokers = ", ".join(f"{count:,} at {name}" for name, count in queued.items() if count)
        yield f"{_count(total, 'Future')} wait{'s' * (total == 1)} for a Worker: {brokers}."
    if origin.get("queued"):
        yield f"{_count(origin['queued'], 'Future')} more wait in the program, until the Brokers ask for them."
    if where := origin.get("where"):
        yield f"The program itself is in {_place((where['file'], where['line'], where['inside']))}."
    elif not origin and picture.workers:
        yield "The program has not answered: code of C or an extension may hold its interpreter."
    if picture.workers and idle == len(picture.workers) and not total:
        yield "All Workers are idle: the program has submitted nothing that they could run now."


def _count(count: int, noun: str) -> str:
    """Return a number with its noun.

    >>> _count(1, "Future"), _count(1200, "Future")
    ('1 Future', '1,200 Futures')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"
