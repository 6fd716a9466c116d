"""A Broker that somebody controls passes on what Workers behind it have made: it may lie, and nobody believes it."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from attacked import SECONDS, Pair, square
from launching import eventually

from fedfutures import shared, worker
from fedfutures.errors import FederationLost, SealBroken
from fedfutures.futures.mapping import MapOptions, mapped
from fedfutures.wire.manifest import MANIFEST
from fedfutures.wire.payload import Payloads

pytestmark = pytest.mark.host

FUTURES = 40
ARRAYS = 12

LIES = """
import os, pickle
from fedfutures.broker.delivery import Delivery
from fedfutures.broker_process.storage import Storage
from fedfutures.wire.messages import ERROR, LOST, VALUE

place = os.environ["FEDFUTURES_TEST_LIES"]
before = pickle.dumps("nothing yet")

class Canary:
    def __reduce__(self):
        return open, (place + ".sang", "w")

FORGED = pickle.dumps(Canary())

def lie(what, outcome, kind):
    global before
    if what == "forge":
        return FORGED + outcome[-16:], kind
    if what == "bare":
        return FORGED, VALUE
    if what == "kind":
        return outcome, ERROR
    if what == "lost":
        return FORGED, LOST
    if what == "another":  # the outcome of the Future before
        outcome, before = before, outcome
    return outcome, kind

def told_to():
    with open(place) as file:
        return file.read()

def altered(data):
    return bytes([data[0] ^ 1]) + bytes(data[1:])

read, write = Storage.read, Storage.write

def read_lies(self, name, offset, count):
    size, data = read(self, name, offset, count)
    return size, altered(data) if data and offset == 0 and told_to() == "result" else data

def write_lies(self, name, offset, data):
    write(self, name, offset, altered(data) if offset == 0 and told_to() == "argument" else data)

Storage.read, Storage.write = read_lies, write_lies
deliver = Delivery.deliver

def deliver_lies(self, intake, ids, outcomes, odd, *rest, **more):
    what, kinds = told_to(), dict(odd)
    told = [lie(what, outcome, kinds.get(i, VALUE)) for i, outcome in zip(ids, outcomes)]
    odd = [(i, kind) for i, (_, kind) in zip(ids, told) if kind != VALUE]
    deliver(self, intake, ids, [outcome for outcome, _ in told], odd, *rest, **more)

Delivery.deliver = deliver_lies
from fedfutures.host_process import main
main()
"""
"""A host process whose Broker tells the lie that a file names."""


@pytest.fixture(scope="module")
def lies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lies") / "what"
    place.write_text("")
    return place


@pytest.fixture(scope="module")
def lying(lies: Path) -> Iterator[Pair]:
    """A Pair in which somebody controls the Broker of `down`."""
    os.environ["FEDFUTURES_TEST_LIES"] = str(lies)
    made = Pair(taken=[sys.executable, "-c", LIES])
    del os.environ["FEDFUTURES_TEST_LIES"]
    yield made
    made.end()


def found_with(lying: Pair, lies: Path, what: str) -> list[Any]:
    """What Futures have, some of which run behind the Broker that lies: the error of each; None of a right value."""
    assert eventually(lying.reaches_down, SECONDS)
    lies.write_text(what)
    futures = [lying.submit(square, number, 0.02) for number in range(FUTURES)]
    errors = [future.exception(timeout=SECONDS) for future in futures]
    lies.write_text("")
    values = [future.result(0)[0] if error is None else None for future, error in zip(futures, errors)]
    assert all(value in (None, number**2) for number, value in enumerate(values)), "a wrong value was believed"
    assert not Path(f"{lies}.sang").exists(), "code of the forger's choice has run in the program"
    assert lying.serves()
    return errors


@pytest.mark.parametrize("what", ["forge", "bare", "kind", "another"])
def test_a_forged_outcome_is_not_opened(lying: Pair, lies: Path, what: str) -> None:
    broken = [error for error in found_with(lying, lies, what) if error is not None]
    assert broken, "nothing has run behind the Broker that lies"
    assert {type(error) for error in broken} == {SealBroken}
    assert str(broken[0]).startswith("the outcome of square(), Future ")
    assert broken[0].__notes__[-1] == "About this error: python -m fedfutures error SealBroken"


def test_what_a_broker_says_of_a_future_is_never_a_pickle(lying: Pair, lies: Path) -> None:
    lost = [error for error in found_with(lying, lies, "lost") if error is not None]
    assert lost, "nothing has run behind the Broker that lies"
    assert {type(error) for error in lost} == {FederationLost}
    assert "makes no sense" in str(lost[0])


def slow(number: int) -> int:
    """Take a while."""
    time.sleep(0.005)
    return number


def test_a_map_ends_at_the_first_item_whose_outcome_is_forged(lying: Pair, lies: Path) -> None:
    assert eventually(lying.reaches_down, SECONDS)
    lies.write_text("forge")
    found = []
    with pytest.raises(SealBroken, match=r"the outcome of slow\(\), Future \d+, was not opened"):
        found.extend(mapped(lying.origin, slow, (range(400),), MapOptions()))
    lies.write_text("")
    assert found == list(range(len(found)))
    assert not Path(f"{lies}.sang").exists(), "code of the forger's choice has run in the program"
    assert list(mapped(lying.origin, slow, (range(40),), MapOptions())) == list(range(40))


def shifted(array: Any, by: int) -> Any:
    """Take a while, so that others have something to run, too."""
    time.sleep(0.02)
    return array + by


@pytest.mark.parametrize("what", ["argument", "result"])
def test_a_byte_of_a_large_buffer_that_was_altered_is_noticed(lying: Pair, lies: Path, what: str) -> None:
    np = pytest.importorskip("numpy")
    arrays = [np.arange(1 << 16, dtype="f8") + number for number in range(ARRAYS)]
    assert eventually(lying.reaches_down, SECONDS)
    lies.write_text(what)
    futures = [lying.submit(shifted, array, 1) for array in arrays]
    errors = [future.exception(timeout=SECONDS) for future in futures]
    lies.write_text("")
    broken = [error for error in errors if error is not None]
    assert broken, "nothing was altered"
    assert {type(error) for error in broken} == {SealBroken}
    who = (
        r"Worker h1\.\d+ did not run shifted\(\)"
        if what == "argument"
        else r"the outcome of shifted\(\), Future \d+, was"
    )
    assert re.match(who, str(broken[0]))
    assert "of a large value is not what its maker has written" in str(broken[0])
    for array, future, error in zip(arrays, futures, errors):
        assert error is not None or np.array_equal(future.result(0), array + 1)
    assert [future.result(SECONDS)[0] for future in [lying.submit(shifted, array, 1) for array in arrays]] == [
        array[0] + 1 for array in arrays
    ]


def made(number: int) -> tuple[str, Any]:
    """Take a while, and return the host and something large."""
    time.sleep(0.02)
    return worker.name.partition(".")[0], bytearray(1 << 20)


def test_a_worker_computes_no_digests_for_a_submitter_on_its_own_host(
    lying: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """The Worker knows it from the submitter's name, which is under the seal of the task."""
    assert eventually(lying.reaches_down, SECONDS)
    parts: dict[str, set[int]] = {}
    load = Payloads.load

    def noting(self: Payloads, payload: bytes, **how: bool) -> Any:
        value = load(self, payload, **how)
        if payload[:1] == MANIFEST:
            parts.setdefault(value[0], set()).add(len(msgpack.unpackb(payload[1:])))
        return value

    monkeypatch.setattr(Payloads, "load", noting)
    for future in [lying.submit(made, number) for number in range(ARRAYS)]:
        assert len(future.result(SECONDS)[1]) == 1 << 20
    assert parts == {"h0": {3}, "h1": {4}}


def content(path: str) -> tuple[str, int]:
    """Take a while, so that others have something to run, too; read a file of the program's, and say where."""
    time.sleep(0.02)
    return Path(shared.file(path)).read_text(), os.getppid()


def test_a_file_that_was_altered_on_its_way_is_not_read(lying: Pair, lies: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1,2")
    assert eventually(lying.reaches_down, SECONDS)
    lies.write_text("argument")
    shared.file(data)
    futures = [lying.submit(content, str(data)) for _ in range(FUTURES)]
    errors = [future.exception(timeout=SECONDS) for future in futures]
    lies.write_text("")
    assert {type(error) for error in errors if error is not None} == {SealBroken}
    assert {future.result(0)[0] for future, error in zip(futures, errors) if error is None} <= {"1,2"}
    data.write_text("3,4,5")
    shared.file(data)
    found = [lying.submit(content, str(data)) for _ in range(FUTURES)]
    assert {future.result(SECONDS)[0] for future in found} == {"3,4,5"}
