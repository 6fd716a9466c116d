"""``ppft.common``."""

from __future__ import annotations

from fedfutures.compat import pp
from fedfutures.compat.pp import common


def test_texts_and_bytes() -> None:
    assert (common.b_("é"), common.b_(b"x"), common.b_(3)) == (b"\xe9", b"x", 3)
    assert (common.str_(b"\xe9"), common.str_("x"), common.str_(3)) == ("é", "x", 3)


def test_threads_and_ports() -> None:
    seen: list[int] = []
    thread = common.start_thread("it", seen.append, (3,))
    thread.join()
    assert (seen, thread.daemon, thread.name) == ([3], True, "it")
    assert 2000 <= common.randomport(2000, 2010) < 2010
    assert pp.common is common
