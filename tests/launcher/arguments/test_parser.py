"""The parser that says what is wrong in one line."""

from __future__ import annotations

import pytest

from fedfutures_launcher.arguments.parser import Parser


def test_one_line_and_where_to_read_on(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser("python -m fedfutures some")
    parser.add_argument("--number", type=int)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--number", "x"])
    assert ended.value.code == 2
    said = "fedfutures: argument --number: invalid int value: 'x'; see python -m fedfutures some --help\n"
    assert capsys.readouterr().err == said
