"""What a host process is told first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.errors import RemoteProtocolError
from fedfutures.host.settings import Settings, frame_of, settings_from
from fedfutures.wire.control import BeginHost
from fedfutures.wire.framing import FrameReader, pack

odd_text = st.text(st.characters() | st.sampled_from("\udce9\ud800"))  # arguments and paths need be no UTF-8
all_settings = st.builds(
    Settings,
    host=st.text(),
    workers=st.integers(0, 1000),
    size=st.integers(0, 1000),
    program=st.none() | st.tuples(st.sampled_from(["file", "module"]), odd_text),
    argv=st.lists(odd_text),
    path=st.lists(odd_text),
    directory=st.none() | odd_text,
    initializer=st.none() | st.binary(),
    max_tasks_per_child=st.none() | st.integers(1, 10),
    debug=st.booleans(),
    memory_per_worker=st.integers(0, 1 << 40),
    brokers=st.integers(1, 100),
    dials=st.lists(st.lists(st.integers(0, 99), min_size=2, max_size=2)),
)


@given(all_settings)
def test_settings_survive(given_settings: Settings) -> None:
    (frame,) = FrameReader().feed(pack(frame_of(given_settings)))
    assert isinstance(frame, BeginHost)
    assert settings_from(frame.settings) == given_settings


@pytest.mark.parametrize(
    "values",
    [{"program": None, "host": "a", "workers": 1, "size": 1, "colour": "blue"}, {"program": None, "host": "a"}, {}],
)
def test_settings_that_are_not_known_or_missing(values: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        settings_from(values)


GOOD = frame_of(Settings("h", 1, 1, dials=[[0, 1]], program=("file", "/p.py"))).settings
ANYTHING = st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3) | st.binary(max_size=3) | st.lists(
    st.integers(0, 9) | st.text(max_size=2) | st.lists(st.text(max_size=1), max_size=2), max_size=3
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), ANYTHING, max_size=3))
def test_what_is_said_is_settings_of_the_right_types_or_refused(changed: dict[str, Any]) -> None:
    try:
        settings = settings_from(GOOD | changed)
    except RemoteProtocolError:
        return
    assert frame_of(settings).settings == GOOD | changed | {"program": settings.program}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_value_of_another_type(name: str) -> None:
    with pytest.raises(RemoteProtocolError):
        settings_from(GOOD | {name: {"a": 1}})
