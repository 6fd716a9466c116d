"""``python -m fedfutures help``."""

from __future__ import annotations

import pytest

from fedfutures_launcher.verbs.help import main
from fedfutures_launcher.verbs.table import VERBS


def test_all_verbs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], VERBS) == 0
    out = capsys.readouterr().out
    for name, verb in VERBS.items():
        assert f"\n  {name:{max(map(len, VERBS))}}  {verb.purpose}\n" in out


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_is_its_own(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb], VERBS)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m fedfutures {verb} ")


def test_an_unknown_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["eror"], VERBS)
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert "'eror'" in err
    assert err.count("\n") == 1
