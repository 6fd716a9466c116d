"""What a host process is told first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
