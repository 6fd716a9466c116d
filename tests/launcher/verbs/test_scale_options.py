"""The options of ``up`` that have batch jobs submitted; what comes of them is in tests/hosts/test_scaled_hosts.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fedfutures.standing.places import StandingPlace
from fedfutures.standing.scaler import ScaleRecipe
from fedfutures.supervision.scaling import ScalingPlan
from fedfutures_launcher.verbs import up
from fedfutures_launcher.verbs.scale_options import scale_of


def test_what_is_said_is_recorded_with_the_place_and_the_umask() -> None:
    words = ["lab", "--scale", "sh worker.sh", "--max", "8", "--min", "2", "--scale-idle", "5m", "--scale-wait", "90"]
    before = os.umask(0o027)
    try:
        record = scale_of(up.parser().parse_args(words))
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    plan = {"least": 2, "most": 8, "idle_seconds": 300.0, "wait_seconds": 90.0}
    assert ScaleRecipe(**record) == ScaleRecipe("sh worker.sh", os.getcwd(), 0o027, plan)


def test_what_is_not_said_is_as_usual() -> None:
    record = scale_of(up.parser().parse_args(["lab", "--scale", "./a", "--max", "8"]))
    assert ScalingPlan(**record["plan"]) == ScalingPlan(0, 8)
    assert scale_of(up.parser().parse_args(["lab"])) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scale", "true"], "--scale needs --max"),
        (["--scale", "true", "--max", "2", "--min", "3"], "--min 3 is more than --max 2"),
        (["--scale", "no-such-command x", "--max", "2"], "there is no command no-such-command on this machine"),
        (["--scale", "'", "--max", "2"], "the shell cannot read this"),
        (["--scale", "", "--max", "2"], "--scale needs a command"),
        (["--max", "2"], "--max needs a command that submits a job"),
        (["--scale-idle", "2"], "--scale-idle needs a command"),
        (["-n", "0"], "-n 0 needs a command"),
        (["--scale", "true", "--max", "0"], "0 is not a number from 1"),
        (["--scale", "true", "--max", "2", "-n", "0", "--hosts", "login"], "-n 0 is for this machine alone"),
    ],
)
def test_bad_input_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    try:
        code = up.main(["lab", "--allow-root", *words])
    except SystemExit as error:  # argparse
        code = int(error.code or 0)
    assert code == 2
    assert said in capsys.readouterr().err
    assert not StandingPlace("lab").is_taken()
