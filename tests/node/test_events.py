"""Each class of the page is what its docstring says: one of the events, or one of the actions."""

from __future__ import annotations

import inspect
from typing import get_args

from fedfutures.federation.events import Arrived, Send, Tick
from fedfutures.node import events


def test_each_class_is_in_the_union_that_its_docstring_names() -> None:
    own = {kind for _, kind in inspect.getmembers(events, inspect.isclass) if kind.__module__ == events.__name__}
    said = {kind: str(kind.__doc__).split(":")[0].split(",")[0] for kind in own}
    assert set(said.values()) == {"Event", "Action"}
    assert {kind for kind in own if said[kind] == "Event"} == set(get_args(events.Event)) - {Arrived, Tick}
    assert {kind for kind in own if said[kind] == "Action"} == set(get_args(events.Action)) - {Send}
