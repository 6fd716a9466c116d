"""The frames of questions about a run: their bytes are in test_control.py; here what may not be in them."""

from __future__ import annotations

import pytest

from fedfutures.errors import RemoteProtocolError
from fedfutures.wire.control import AskRun, RunSays
from fedfutures.wire.framing import FrameReader, pack


@pytest.mark.parametrize("frame", [AskRun(1, 7, 1.0), AskRun("1", "status", 1.0), RunSays(1, "h", "text", True)])  # type: ignore[arg-type]
def test_what_is_of_another_type_is_refused(frame: AskRun | RunSays) -> None:
    with pytest.raises(RemoteProtocolError):
        FrameReader().feed(pack(frame))
