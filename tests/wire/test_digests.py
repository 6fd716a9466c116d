"""Digests of segments: what came from another host and was altered on its way is not used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from fedfutures.errors import SealBroken
from fedfutures.wire import digests
from fedfutures.wire.manifest import MANIFEST, segments_of
from fedfutures.wire.payload import Payloads
from fedfutures.wire.room import HANDED_OVER, MADE, OF_HERE
from fedfutures.wire.seal import Seal
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments

np = pytest.importorskip("numpy")

KEY = bytes(range(32))
SIZE = SHARED_FROM_BYTES


class Sides:
    """Somebody who writes a value, and somebody who reads it; `come_from_afar` makes it one of another host."""

    def __init__(self, place: Path, key: bytes | None = KEY) -> None:
        self.place = place
        self.maker, self.taker = (Payloads(Segments(str(place), name)) for name in ("maker", "taker"))
        self.maker.seal = self.taker.seal = None if key is None else Seal(key)

    def come_from_afar(self, payload: bytes, at: int | None = None, of: int = 0, change: int = 1) -> None:
        """Mark the segments as downloaded; `at`: with this byte of one of them changed."""
        for number, name in enumerate(segments_of(payload)):
            data = bytearray((self.place / name).read_bytes())
            if at is not None and number == of:
                data[at] ^= change
            (self.place / name).unlink()
            (self.place / name).write_bytes(data)
            (self.place / name).chmod(MADE & ~OF_HERE)


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


def values() -> list[Any]:
    """An array, two of them, a pickle that is large itself, and that with an array."""
    array = np.arange(SIZE, dtype="u1")
    return [array, [array, array + 1], list(range(SIZE)), [list(range(SIZE)), array]]


@pytest.mark.parametrize("number", range(4))
def test_what_came_as_it_was_written_is_used(sides: Sides, number: int) -> None:
    value = values()[number]
    payload = sides.maker.dump(value, alone=True)
    sides.come_from_afar(payload)
    assert repr(sides.taker.load(payload, take=True)) == repr(value)


@given(at=st.integers(0, SIZE - 1), change=st.sampled_from([1 << bit for bit in range(8)]))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bit_of_a_buffer_can_be_changed(sides: Sides, at: int, change: int) -> None:
    payload = sides.maker.dump(values()[0], alone=True)
    sides.come_from_afar(payload, at, change=change)
    with pytest.raises(SealBroken, match="altered on its way"):
        sides.taker.load(payload)


@pytest.mark.parametrize(("number", "count"), [(1, 2), (2, 1), (3, 2)])
def test_no_segment_of_a_value_can_be_changed(sides: Sides, number: int, count: int) -> None:
    for of in range(count):
        payload = sides.maker.dump(values()[number], alone=True)
        assert len(segments_of(payload)) == count
        sides.come_from_afar(payload, at=1000, of=of)
        with pytest.raises(
            SealBroken, match=r"the segment maker-\w+ of a large value is not what its maker has written"
        ):
            sides.taker.load(payload, take=True)
        assert not any((sides.place / name).exists() for name in segments_of(payload)), "nobody will remove it"


def test_what_was_handed_over_is_still_known_to_have_come(sides: Sides) -> None:
    payload = sides.maker.dump(values()[0], alone=True)
    sides.come_from_afar(payload, at=0)
    for name in segments_of(payload):
        (sides.place / name).chmod(HANDED_OVER & ~OF_HERE)
    with pytest.raises(SealBroken):
        sides.taker.load(payload)


def test_a_segment_without_a_digest_is_not_used(sides: Sides) -> None:
    payload = sides.maker.dump(values()[0], alone=True)
    held, names, reusable, _ = msgpack.unpackb(payload[1:])
    sides.come_from_afar(payload)
    for parts in ([held, names, reusable], [held, names, reusable, []]):
        with pytest.raises(SealBroken):
            sides.taker.load(MANIFEST + msgpack.packb(parts))


def test_segments_cannot_change_places(sides: Sides) -> None:
    payload = sides.maker.dump(values()[1], alone=True)
    first, second = (sides.place / name for name in segments_of(payload))
    sides.come_from_afar(payload)
    first.rename(sides.place / "other")
    second.rename(first)
    (sides.place / "other").rename(second)
    with pytest.raises(SealBroken):
        sides.taker.load(payload)


def test_an_argument_of_many_futures_is_digested_once(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    digest: Any = digests.digest_of_file

    def counted(descriptor: int) -> bytes:
        made.append(os.fstat(descriptor).st_size)
        return bytes(digest(descriptor))

    monkeypatch.setattr(digests, "digest_of_file", counted)
    value = memoryview(bytes(SIZE))
    array = np.frombuffer(value, "u1")
    payloads = [sides.maker.dump((array, number)) for number in range(5)]
    assert len({name for payload in payloads for name in segments_of(payload)}) == 1
    assert made == [SIZE]
    sides.come_from_afar(payloads[0])
    for number, payload in enumerate(payloads):
        assert sides.taker.load(payload)[1] == number
    assert made == [SIZE, SIZE], "once where it was made, and once where it came"


def test_another_file_under_the_same_name_is_digested_anew(sides: Sides) -> None:
    payload = sides.maker.dump(values()[0], alone=True)
    sides.come_from_afar(payload)
    sides.taker.load(payload)
    sides.come_from_afar(payload, at=5)
    with pytest.raises(SealBroken):
        sides.taker.load(payload)


def test_many_segments_do_not_fill_the_table(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "DIGESTS_KEPT", 2)
    for value in range(5):
        payload = sides.maker.dump(np.full(SIZE, value, "u1"), alone=True)
        sides.come_from_afar(payload)
        assert sides.taker.load(payload)[0] == value


def test_without_a_key_nothing_is_digested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> bytes:
        raise AssertionError("it was digested")

    monkeypatch.setattr(digests, "digest_of_file", refuse)
    sides = Sides(tmp_path, None)
    payload = sides.maker.dump(values()[0], alone=True)
    assert len(msgpack.unpackb(payload[1:])) == 3
    sides.come_from_afar(payload, at=0)
    assert sides.taker.load(payload)[0] == 1


def test_what_was_written_on_this_host_is_not_digested_by_who_opens_it(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    payload = sides.maker.dump(values()[0], alone=True)
    monkeypatch.setattr(digests, "digest_of_file", None)
    assert sides.taker.load(payload)[7] == 7
    assert os.listdir(sides.place) == segments_of(payload)


def test_what_is_written_for_this_host_has_no_digest_and_is_used_here_alone(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A maker that takes a far receiver for a near one gives it nothing that it would use."""
    value = values()[0]
    with monkeypatch.context() as patched:
        patched.setattr(digests, "digest_of_file", None)
        near = sides.maker.dump(value, alone=True, near=True)
        assert sides.taker.load(near)[7] == 7
    assert len(msgpack.unpackb(near[1:])) == 3
    assert len(msgpack.unpackb(sides.maker.dump(value, alone=True)[1:])) == 4
    sides.come_from_afar(near)
    with pytest.raises(SealBroken, match="is not what its maker has written"):
        sides.taker.load(near)
