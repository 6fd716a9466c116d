"""``zeppy.ptcp``."""

from __future__ import annotations

import re

import pytest

from fedfutures.compat import zeppy
from fedfutures.compat.zeppy import ppipes, ptcp


@pytest.mark.host
def test_items_of_all_forms(capfd: pytest.CaptureFixture[str]) -> None:
    found = ptcp.tcp_parallelpipe(divmod, [(7, 2), {"args": (1, 0)}, {}], nworkers=2, verbose=True, sleeptime=1)
    assert found == [(3, 1), ppipes.ERROR, ppipes.ERROR]
    out = capfd.readouterr().out
    assert len(re.findall("^running item: ", out, re.M)) == 3
    assert "****ERROR**** above error while running item: 1, in worker: " in out


def test_both_modules_have_the_same() -> None:
    assert {*ptcp.__all__} == {*ppipes.__all__, "tcp_parallelpipe"}
    assert ptcp.zmq_parallelpipe is zeppy.zmq_parallelpipe
