"""The memory for what a call prints keeps the last of it, says how much is missing, and knows whose it is."""

from __future__ import annotations

from hypothesis import given, strategies as st

from fedfutures.host.capture_ring import KEPT_BYTES, RING_BYTES, CaptureRing

CHUNKS = st.lists(
    st.tuples(st.integers(0, 200) | st.integers(KEPT_BYTES - 3, 2 * KEPT_BYTES + 3), st.integers(0, 25)), max_size=6
)


def ring() -> CaptureRing:
    made = CaptureRing(bytearray(RING_BYTES))
    made.begin(5, 7)
    return made


@given(CHUNKS)
def test_the_last_bytes_stay_in_their_order(chunks: list[tuple[int, int]]) -> None:
    ours, whole = ring(), b""
    for size, shift in chunks:
        data = bytes(97 + (shift + i) % 26 for i in range(size))
        assert ours.write(data) == size
        whole += data
    first, _, kept = ours.text().rpartition("\n")
    assert kept == whole[-KEPT_BYTES:].decode()
    assert first == (f"[... {len(whole) - KEPT_BYTES} bytes before this are left out ...]" * (len(whole) > KEPT_BYTES))


def test_what_the_one_before_has_printed_is_forgotten() -> None:
    ours = ring()
    ours.write(b"secret" * KEPT_BYTES)
    assert (ours.is_of(5, 7), ours.is_of(5, 8), ours.is_of(0, 0)) == (True, False, False)
    ours.begin(5, 8)
    ours.write(b"next")
    assert (ours.text(), ours.is_of(5, 7), ours.is_of(5, 8)) == ("next", False, True)
    ours.begin(0, 0)
    assert (ours.text(), ours.is_of(5, 8), ours.is_of(0, 0)) == ("", False, False)


def test_what_died_may_have_written_anything() -> None:
    made = CaptureRing(bytearray(b"\xff" * RING_BYTES))
    assert made.text().startswith("[... ")
    assert CaptureRing(bytearray(b"\x01" * RING_BYTES)).text()
