"""``fedfutures report FILE``: programs that are slow for a reason are told that reason first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from launching import launch, write

from fedfutures_launcher.verbs.report import main

PROGRAM = """
    import sys, time
    from fedfutures import futures

    def nap(seconds):
        time.sleep(seconds)
        return seconds

    def tiny(number):
        return number

    def big(data):
        return len(data)

    if __name__ == "__main__":
        way = sys.argv[1]
        if way == "straggler":
            futures.wait([futures.submit(nap, seconds) for seconds in [0.05] * 20 + [3.0]])
        elif way == "serial part":
            for _ in range(4):
                futures.wait([futures.submit(nap, 0.05) for _ in range(10)])
                time.sleep(1.0)
            futures.wait([futures.submit(nap, 0.05) for _ in range(10)])
        elif way == "small tasks":
            assert len([future.result() for future in [futures.submit(tiny, n) for n in range(30_000)]]) == 30_000
        elif way == "large values":
            futures.wait([futures.submit(big, bytes(20_000_000 + number)) for number in range(40)])
"""


@pytest.mark.host
@pytest.mark.parametrize("way", ["straggler", "serial part", "small tasks", "large values"])
def test_the_reason_is_told_first(way: str, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    assert launch("-n", "2", "--trace", "run.json.gz", "prog.py", way, cwd=tmp_path).code == 0
    ended = launch("report", "run.json.gz", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    head, why, first, *_ = ended.out.splitlines()
    assert head.startswith("prog.py: ")
    assert why == "Why it was not faster:"
    assert first.startswith(f"1. {way}: "), ended.out
    found = json.loads(launch("report", "run.json.gz", "--json", cwd=tmp_path).out)
    assert found[0]["name"] == way


def test_what_is_no_trace_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "text.gz").write_text("hello\n")
    (tmp_path / "other").write_text('[\n{"ph": "X", "pid": 2}\n]\n')
    for name, why in (("text", "is no trace"), ("text.gz", "cannot be read"), ("other", "is no trace"),
                      ("none", "No such file")):  # fmt: skip
        assert main([str(tmp_path / name)]) == 2
        assert why in capsys.readouterr().err
