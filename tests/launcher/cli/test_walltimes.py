"""What the launcher says of the walltime."""

from __future__ import annotations

import shlex

import pytest

from fedfutures.host.walltime import Walltime
from fedfutures_launcher.cli.options import parse
from fedfutures_launcher.cli.walltimes import how_to_go_on, planned

LINES = [["-n", "4", "prog.py", "a b"], ["--", "prog.py"], ["-m", "package.module"], ["-c", "1"]]


@pytest.mark.parametrize("line", LINES)
def test_the_command_is_the_same_but_for_the_checkpoint(line: list[str]) -> None:
    options = parse(line)
    command = how_to_go_on(options.line, options.checkpoint, options.place).splitlines()[-1]
    again = parse(shlex.split(command)[3:])
    assert again.checkpoint is not None
    assert again.checkpoint.endswith(".checkpoint")
    assert (again.place, again.arguments, again.workers) == (options.place, options.arguments, options.workers)


def test_with_a_checkpoint_it_is_the_same_command() -> None:
    line = ["--checkpoint", "a.db", "prog.py"]
    assert how_to_go_on(line, "a.db", "prog.py").splitlines()[-1] == "  python -m fedfutures --checkpoint a.db prog.py"


def test_a_plan_says_who_says_so() -> None:
    [(name, text)] = planned(Walltime(9.0, 2.0, 40.0, "PBS_WALLTIME"))
    assert (name, text) == ("walltime", "40 s (PBS_WALLTIME), of which 2 s are kept for saving")


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    options = parse(["--walltime", "1:30:00", "--walltime-margin", "2m", "prog.py"])
    assert (options.walltime, options.walltime_margin) == (5400.0, 120.0)
    assert parse(["--walltime=none", "prog.py"]).walltime == float("inf")
    assert parse(["--walltime=9", "--walltime-margin=0", "prog.py"]).walltime_margin == 0.0
    for words, why in (
        (["--walltime", "soon"], "'soon' is no time"),
        (["--walltime", "0"], "must be above 0 seconds"),
        (["--walltime", "10", "--walltime-margin", "10"], "leaves nothing of a walltime of 10 s"),
    ):
        with pytest.raises(SystemExit) as ended:
            parse([*words, "prog.py"])
        assert ended.value.code == 2
        assert why in capsys.readouterr().err
