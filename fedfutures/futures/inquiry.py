"""Questions about what is going on: where is this Future, and what does each machine have?

The node of this process answers first, from what it knows; then it asks, and every machine that the question concerns
sends its answer back over the way the question came (``Inquire`` and ``Answer`` in :doc:`wire`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ..seeing import words
from ..seeing.picture import picture_of
from ..seeing.runs import stacks, unpacked
from ..wire.codec import unpack_plain
from ..wire.messages import EXPLAIN, STACK, STATUS
from ..worker import current
from ..worker.future import Future
from ..worker.future_fields import home_of, number_of

TIMEOUT_SECONDS = 2.0


def explain(future: Future | None = None, timeout: float = TIMEOUT_SECONDS) -> str:
    """Say where a Future is, hop by hop, and why it is not running, as a text for people.

    Of one that runs it says for how long, where in its code, and how long others like it took. Without a Future: what
    takes long in the whole run, and what waits for what, as ``fedfutures explain`` does from another terminal.
    timeout: seconds within which the other machines must answer; the text names those that did not.

    >>> from fedfutures import Executor, explain
    >>> print(explain(Executor(mode="serial").submit(pow, 2, 5)))
    Future 1 of this process: done, it returned a value of type int.
    It ran here, serially, when it was submitted.
    """
    if future is None:
        return "\n".join(_lines_of_run(timeout)) or "This process has no Federation."
    if not isinstance(future, Future):
        raise TypeError(f"explain() takes a Future of fedfutures, not {type(future).__name__}")
    return "\n".join(_lines(future, timeout))


def _lines(future: Future, timeout: float) -> Iterator[str]:
    node: Any = home_of(future)
    owner = "this process" if node is None else node.name
    yield f"Future {number_of(future)} of {owner}: {_state_of(future)}."
    if node is None:
        yield "It ran here, serially, when it was submitted." if future.done() else "It belongs to no Federation."
        return
    if future.done():
        return
    here, given = node.explain(future)
    yield f"{node.name}: {here}"
    if not given:
        return
    answers, complete = node.ask(EXPLAIN, node.name, number_of(future), timeout)
    is_with_worker = False
    for name, report in answers:
        said = _unpacked(report) if report else "did not answer in time"
        if isinstance(said, int):
            is_with_worker = True
            said = f"with Worker {name}, attempt {said}: running, or next behind what runs"
        yield f"{name}: " + str(said).replace("\n", "\n    ")
    if is_with_worker:
        yield from _lines_of_running(node, number_of(future), timeout)
    if not complete:
        yield f"Not all machines have answered within {timeout:g} s."
    if future.done():
        yield f"Meanwhile: {_state_of(future)}."


def _lines_of_running(node: Any, number: int, timeout: float) -> Iterator[str]:
    """Yield what is known of a Future that runs: for how long it has, and where in its code it is."""
    picture = picture_of(_asked(node, STATUS, "", timeout))
    call = picture.call_of(node.name, number)
    if call is not None:
        yield words.call_line(picture, call)
        for line in stacks(_asked(node, STACK, call.worker, timeout)).get(call.worker, "").splitlines():
            yield f"    {line}"


def _lines_of_run(timeout: float) -> Iterator[str]:
    for node in [current.node] if current.node is not None else list(current.origins):
        yield from words.explained(picture_of(_asked(node, STATUS, "", timeout)))


def _asked(home: Any, subject: str, worker: str, timeout: float) -> list[tuple[str, Any]]:
    """Return what all machines answer, and this process's own node, which nobody asks."""
    answers, _ = home.submissions.ask(subject, worker, 0, timeout)
    nodes = [node for node in (current.node, *current.origins) if node is not None]
    own = [(node.name, node.sights.report(subject)) for node in nodes if node.submissions is home.submissions]
    return [(name, unpacked(report)) for name, report in answers] + own[:1]


def _state_of(future: Future) -> str:
    if not future.done():
        return "running" if future.running() else "not known to be running"
    if future.cancelled():
        return "cancelled before it started"
    error = future.exception()
    if error is not None:
        return f"done, it raised {type(error).__name__}: {error}".rstrip(": ")
    return f"done, it returned a value of type {type(future.result()).__name__}"


def statistics(timeout: float = TIMEOUT_SECONDS) -> dict[str, dict[str, Any] | None]:
    """Return the present counts of each machine of the Federation, by its name: this node, Brokers and Workers.

    Those of the program itself have under ``"computed"`` what it has got back so far: Futures, seconds and percentiles
    by function, Worker and host, as ``--stats`` writes them.
    timeout: seconds within which they must answer; None for one that did not. Without a Federation the dict is empty.

    >>> from fedfutures import statistics
    >>> statistics()
    {}
    """
    deadline = time.monotonic() + timeout
    found: dict[str, dict[str, Any] | None] = {}
    for node in [current.node] if current.node is not None else list(current.origins):
        for name, report in statistics_of(node, max(0.0, deadline - time.monotonic())).items():
            found[name if name not in found else f"{name} of {node.name}"] = report
    return found


def statistics_of(node: Any, timeout: float) -> dict[str, dict[str, Any] | None]:
    """Return the same for the Federation of one node of this process."""
    found: dict[str, dict[str, Any] | None] = {node.name: node.submissions.statistics()}
    if sums := node.sights.report(STATUS).get("sums"):
        found[node.name]["computed"] = sums  # type: ignore[index]
    answers, complete = node.submissions.ask("statistics", "", 0, timeout)
    for name, report in answers:
        if name != node.name:
            said = _unpacked(report) if report else None
            found[name] = said if said is None or isinstance(said, dict) else {"unreadable": report[:100].hex()}
    if not answers and not complete:
        found[f"the Broker of {node.name}"] = None
    return found


def _unpacked(report: bytes) -> Any:
    """What a machine has said; one of another mind about the format is quoted."""
    try:
        return unpack_plain(report)
    except Exception:
        return {"unreadable": report[:100].hex()}
