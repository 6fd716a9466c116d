"""What Origin and Worker have in common, and of what they are made."""

from __future__ import annotations

import threading

import pytest

from .benches import Bench


@pytest.mark.parametrize("kind", ["origin", "worker"])
def test_a_node_and_its_parts_have_few_attributes(kind: str, request: pytest.FixtureRequest) -> None:
    """Those of an object that has more than 30 are slower to read."""
    node = request.getfixturevalue(kind).node
    for part in (node, *vars(node).values()):
        slots = [name for owner in type(part).__mro__ for name in owner.__dict__.get("__slots__", ())]
        if type(part).__module__.startswith("fedfutures.worker."):
            assert len({*getattr(part, "__dict__", ()), *slots}) < 30, type(part)


def test_no_part_holds_its_node(worker: Bench, origin: Bench) -> None:
    for node in (worker.node, origin.node):
        for part in vars(node).values():
            if not type(part).__module__.startswith("fedfutures.worker."):
                continue
            slots = [name for owner in type(part).__mro__ for name in owner.__dict__.get("__slots__", ())]
            fields = [*getattr(part, "__dict__", {}).values(), *(getattr(part, name, None) for name in slots)]
            assert all(field is not node for field in fields), type(part)


def test_what_is_called_soon_is_called_by_who_drives_next(worker: Bench) -> None:
    called: list[int] = []

    class Due:
        def _invoke_callbacks(self) -> None:
            called.append(threading.get_ident())

    assert worker.node.call_soon(Due())
    assert called == []
    worker.node.service()
    assert called == [threading.get_ident()]
    worker.node.close()
    assert not worker.node.call_soon(Due())
