"""Shared constants at a node."""

from __future__ import annotations

import pytest

from fedfutures import shared
from fedfutures.errors import SealBroken
from fedfutures.worker import current

from .benches import Bench


def test_a_constant_that_was_altered_is_not_loaded(
    sealing: tuple[Bench, Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, origin = sealing
    origin.node.share("table", [1, 2])
    body = origin.node.constants["table"]
    worker.node.constants.update(table=body, other=body)
    monkeypatch.setattr(current, "node", worker.node)
    assert shared.get("table") == [1, 2]
    with pytest.raises(SealBroken, match="'other' was altered"):
        shared.get("other")
