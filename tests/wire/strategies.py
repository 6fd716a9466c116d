"""Strategies for messages, built from the annotations of the page that defines them."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st

from fedfutures.wire import control, messages

NAMES = st.text(st.characters() | st.sampled_from("\udce9\ud800"), max_size=20)  # need be no UTF-8
COUNTS = st.integers(0, (1 << 63) - 1)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "int": COUNTS,
    "Signed": st.integers(-(1 << 63) + 1, (1 << 63) - 1),
    "str": NAMES,
    "bool": st.booleans(),
    "float": st.floats(0.0, allow_nan=False, allow_infinity=False),
    "bytes": st.binary(max_size=40),
    "list[int]": st.lists(COUNTS, max_size=6, unique=True),
    "list[bytes]": st.lists(st.binary(max_size=10), max_size=6),
    "list[str]": st.lists(NAMES, max_size=4),
    "Text": NAMES,
    "list[list[str]]": st.lists(st.lists(NAMES, min_size=5, max_size=5), min_size=1, max_size=3),
    "dict[str, str]": st.dictionaries(NAMES, NAMES, max_size=3),
    "dict[str, Any]": st.dictionaries(
        NAMES, st.none() | st.booleans() | COUNTS | NAMES | st.lists(NAMES, max_size=2), max_size=3
    ),
    "list[tuple[int, int]]": st.lists(st.tuples(COUNTS, st.integers(0, 4)), max_size=4),
}


@st.composite
def messages_of(draw: Any, kind: type) -> Any:
    """Any message of one type; lists that go together have one length."""
    fields = {field.name: draw(FIELDS[str(field.type)]) for field in dataclasses.fields(kind)}
    paired = {"payloads", "outcomes"} & fields.keys()
    if "piece" in fields:
        fields["piece"] = draw(st.integers(0, messages.MAX_PIECE))
    if kind in (messages.Batch, messages.Holding) and not fields["ids"]:
        fields["ids"] = [draw(COUNTS)]
    if paired:
        count = len(fields["ids"])
        fields[paired.pop()] = draw(st.lists(st.binary(max_size=10), min_size=count, max_size=count))
    return kind(**fields)


any_message = st.sampled_from(list(messages.CODES.values())).flatmap(messages_of)


@st.composite
def frames_of(draw: Any, kind: type) -> Any:
    """Any frame of one type."""
    fields = {field.name: draw(FIELDS[str(field.type)]) for field in dataclasses.fields(kind)}
    if kind is control.WorkerOutput:
        fields["stream"] = draw(st.integers(1, 3))
    elif kind is control.OpenStream:
        fields["socket"] = draw(st.sampled_from(control.SOCKETS))
    elif kind is control.BrokerBound:
        fields |= {name: draw(st.integers(0, 65535)) for name in control.SOCKETS}
    elif kind is control.HostReady:
        fields["python"] = draw(st.lists(COUNTS, min_size=3, max_size=3))
    return kind(**fields)


any_frame = st.sampled_from(list(control.CONTROL_CODES.values())).flatmap(frames_of)
