"""What a node knows of hosts that cannot run some of its functions; its Broker is the test."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.errors import ArgumentLoadError, NoRoom
from fedfutures.federation.terms import FREE
from fedfutures.wire.failures import Where, dump_failure
from fedfutures.wire.messages import ERROR, ONCE_FLAG, Batch, Demand, Results
from fedfutures.worker import failing
from fedfutures.worker.call_terms import CallTerms
from fedfutures.worker.future import Future
from fedfutures.worker.future_fields import number_of
from fedfutures.worker.other_hosts import FUNCTIONS_AT_MOST, OtherHosts, OtherTry
from fedfutures.worker.retries import Retries

from .benches import Bench, note, note_other

MISSING = FileNotFoundError(2, "No such file", "/x")


def caused(error: Exception) -> ArgumentLoadError:
    made = ArgumentLoadError("it cannot be loaded")
    made.__cause__ = error
    return made


def tried(error: Exception) -> Exception:
    return OtherTry("h1", error, b"f", "f").failed("h2")


@pytest.mark.parametrize(
    ("error", "is_such"),
    [
        (ModuleNotFoundError("x"), True), (MISSING, True), (MemoryError(), True), (NoRoom("h", 1, []), True),
        (OSError(28, "No space left on device"), True), (caused(ImportError("x")), True),
        (PermissionError(13, "x"), False), (ValueError(), False), (caused(ValueError()), False),
        (tried(FileNotFoundError(2, "x")), False),
    ],
)  # fmt: skip
def test_what_another_host_may_do_better(error: Exception, is_such: bool) -> None:
    assert failing.is_of_one_host(error) == is_such


@pytest.fixture
def two(origin: Bench) -> Bench:
    """An Origin whose Futures run on two hosts."""
    origin.node.submissions.retrier.other_hosts.know(2)
    origin.say(Demand(99, 1, 3))
    return origin


def submit(bench: Bench, terms: CallTerms | None = None, function: Any = note) -> Future[Any]:
    future: Future[Any] = bench.node.submit(function, ("x",), {}, terms)
    bench.node.service()
    return future


def fail(bench: Bench, future: Future[Any], host: str = "h1", error: Exception = MISSING) -> list[Batch]:
    """Have a Future fail on a host; return what is given then."""
    [batch] = bench.heard(Batch)[-1:]
    where = Where("note('x')", f"{host}.1", (), host, failing.is_of_one_host(error))
    outcome = dump_failure(error, bench.node.payloads, where)
    bench.say(Results(batch.piece, 1, [number_of(future)], [outcome], [(number_of(future), ERROR)]))
    bench.node.service()
    found: list[Batch] = bench.heard(Batch)
    bench.main.sent += bench.node.driver.main.sent
    given[:] = found[-1:]
    return found


given: list[Batch] = []


def succeed(bench: Bench, future: Future[Any]) -> None:
    [batch] = given
    bench.say(Results(batch.piece, 1, [number_of(future)], [bench.node.payloads.dump("value")]))


def test_it_is_tried_on_another_host_which_is_said_once(two: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        future = submit(two)
        [batch] = fail(two, future)
        assert (batch.ids, batch.avoid) == ([number_of(future)], ["h1"])
        assert "not to h1" in two.node.submissions.explain(future)[0]
        succeed(two, future)
        assert future.result(0) == "value"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("fedfutures: on host h1, note() raised FileNotFoundError: [Errno 2] No such file: '/x'; on ")
    assert two.node.submissions.statistics()["avoided"] == [said.rstrip("\n")]
    submit(two)
    assert two.heard(Batch)[-1].avoid == ["h1"], "later calls avoid it at once"
    submit(two, function=note_other)
    assert two.heard(Batch)[-1].avoid == []


def test_where_both_fail_the_first_error_counts(two: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    future = submit(two)
    assert fail(two, future)
    [batch] = given
    where = Where("", "h2.1", (), "h2")
    outcome = dump_failure(ValueError("other"), two.node.payloads, where)
    two.say(Results(batch.piece, 1, batch.ids, [outcome], [(batch.ids[0], ERROR)]))
    error = future.exception(0)
    assert isinstance(error, FileNotFoundError)
    assert "tried again on host h2, which failed as well" in getattr(error, "__notes__", [])
    assert capsys.readouterr().err == ""
    assert two.node.submissions.statistics().get("avoided") is None


def test_what_is_not_tried_on_another_host(two: Bench, origin: Bench) -> None:
    once = CallTerms(conditions=FREE._replace(flags=ONCE_FLAG))
    future = submit(two, once)
    assert fail(two, future) == []
    assert isinstance(future.exception(0), FileNotFoundError)
    future = submit(two)
    assert fail(two, future, error=ValueError("x")) == []
    assert isinstance(future.exception(0), ValueError)
    origin.node.submissions.retrier.other_hosts.know(1)
    future = submit(origin)
    assert fail(origin, future) == []
    assert isinstance(future.exception(0), FileNotFoundError)


def test_retries_avoid_the_host_too(two: Bench) -> None:
    future = submit(two, CallTerms(retries=Retries(3, delay=0.0)))
    [batch] = fail(two, future)
    assert batch.avoid == ["h1"]


def test_one_host_is_always_left() -> None:
    hosts = OtherHosts()
    hosts.know(2)
    for host in ("h1", "h2"):
        future: Future[Any] = Future(None, 1, None)
        other = hosts.try_one(future, MISSING, host, (note_definition(), b"", ""))
        assert other is not None
        future.tries = other
        future.set_result(1)
    assert [list(marked) for marked in hosts.marks.values()] == [["h1"]]
    assert hosts.conditions_of(b"f", FREE._replace(avoid=("h9",))).avoid == ("h9", "h1")
    assert hosts.conditions_of(b"g", FREE) is FREE
    assert len(hosts.marks) <= FUNCTIONS_AT_MOST


class note_definition:  # noqa: N801  # stands for one
    digest, name = b"f", "f"
