"""seppo in one process; its servers: test_seeds.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures.compat import seppo


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("FEDFUTURES_JOIN", raising=False)


def test_in_this_process() -> None:
    assert seppo.map_parallel_serial(abs, [-1, 2]) == [1, 2]


def test_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(seppo.SeppoError, match="no server is there; start one in another shell: python -m fedfutures"):
        seppo.map_parallel(abs, [-1], debug=1)
    assert issubclass(seppo.SeppoNoWorkersError, seppo.SeppoError)
    assert capsys.readouterr().out == "0 worker processes available\n"
