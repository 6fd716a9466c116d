"""Buffers that were written to segments and may come again."""

from __future__ import annotations

from fedfutures.wire.written import Written, WrittenAt


def test_what_was_used_longest_ago_goes_first() -> None:
    owners, released = [[number] for number in range(4)], []
    written = Written()
    for number, owner in enumerate(owners):
        written.remember(owner, WrittenAt(f"s-{number}", number, 10))
    assert (len(written), written.bytes, written.new_bytes) == (4, 40, 40)
    assert written.find(owners[0]) == WrittenAt("s-0", 0, 10)
    assert written.find([0]) is None
    written.shrink(20, {"s-1"}, released.extend)
    assert released == ["s-2", "s-3"]
    assert (written.bytes, written.new_bytes) == (20, 40)
    assert written.forget(owners[1]) == "s-1"
    written.remember(owners[1], WrittenAt("s-9", 1, 30))
    assert written.clear() == ["s-0", "s-9"]
    assert (len(written), written.bytes, written.new_bytes) == (0, 0, 70)


def test_owners_are_held() -> None:
    written = Written()
    for number in range(100):
        written.remember([number], WrittenAt(f"s-{number}", number, 1))
    assert len(written) == 100
