"""Which node this process is."""

from __future__ import annotations

import pytest

from fedfutures.worker import current


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "is_origin", "name", "host", "shares_files"):
        monkeypatch.setattr(current, name, getattr(current, name))


@pytest.mark.parametrize("has_files", [True, False])
def test_a_worker_is_no_origin_and_knows_its_host(*, has_files: bool) -> None:
    current.be_worker("h.2", "h", has_files=has_files)
    assert (current.name, current.host, current.is_origin, current.shares_files) == ("h.2", "h", False, has_files)


def test_a_process_is_one_node_at_a_time_or_none() -> None:
    for node in ("a", "b", None):
        current.become(node)
        assert current.node == node
