"""The command line, and what the package may import."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from fedfutures.simulation import command_line, schedule
from fedfutures.simulation.command_line import main
from fedfutures.simulation.scenario import FigureSettings

ROOT = Path(__file__).parents[2]
FIGURE = ["--brokers", "2", "--workers", "2", "--futures", "40", "--seed", "3"]


def test_a_figure_run_prints_what_people_want_to_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(FIGURE) == 0
    printed = capsys.readouterr().out
    for word in ("40 Futures on 4 Workers", "utilisation", "messages per Future", "peers per Broker", "events/s"):
        assert word in printed


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIGURE, "--json", "--distribution", "uniform"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["futures"] == 40
    assert 0.5 < figures["utilisation"] <= 1.0
    assert figures["ratio"] == pytest.approx(figures["makespan"] / figures["ideal"])


def test_costs_make_a_run_longer(capsys: pytest.CaptureFixture[str]) -> None:
    makespans = []
    for costs in ([], ["--worker-cost", "0.01"], ["--broker-cost", "0.005"]):
        assert main([*FIGURE, "--json", *costs]) == 0
        makespans.append(json.loads(capsys.readouterr().out)["makespan"])
    assert makespans[1] > 1.8 * makespans[0]
    assert makespans[2] > 1.2 * makespans[0]


def test_trace_and_transcript_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace, story = tmp_path / "trace.json", tmp_path / "story.txt"
    assert main([*FIGURE, "--trace", str(trace), "--transcript", str(story)]) == 0
    assert json.loads(trace.read_text())["traceEvents"]
    assert main([*FIGURE, "--compare", str(story)]) == 0
    assert story.read_text().splitlines()[0] == f"$ {command_line.COMMAND} {' '.join([*FIGURE, '--trace', str(trace)])}"
    story.write_text(story.read_text().replace("Batch piece 1:", "Batch piece 7:", 1))
    assert main([*FIGURE, "--compare", str(story)]) == 1
    assert "Batch piece 7:" in capsys.readouterr().err


def test_schedules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--schedules", "6", "--seed", "10", "--processes", "2"]) == 0
    assert "6 schedules, 0 broke a law" in capsys.readouterr().out


def test_a_failing_seed_is_printed_with_how_to_replay_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "MESSAGES_PER_NODE_AND_SECOND", -1000)
    assert main(["--schedules", "2", "--seed", "5"]) == 1
    printed = capsys.readouterr().out
    assert "seed 5, t = " in printed
    assert "L3 quiet when idle" in printed
    assert "replay: python -m fedfutures.simulation --schedules 1 --seed 6 --transcript -" in printed
    assert main(["--schedules", "1", "--seed", "6", "--transcript", "-"]) == 1
    assert "heals" in capsys.readouterr().out


@pytest.mark.parametrize("processes", ["1", "2"])
def test_schedules_that_a_time_allows(processes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--schedules", "10000", "--processes", processes, "--within", "0"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "of 10000 schedules, so many were run within 0 s:"
    assert printed[1].startswith("1 schedules, 0 broke a law")


def test_the_gate_runs_all_three(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    runs = (
        FigureSettings(brokers=3, workers=2, futures=120, seconds=1.0),
        FigureSettings(brokers=1, futures=200, seconds=1.0),
    )
    monkeypatch.setattr(command_line, "GATE_RUNS", runs)
    assert main(["--gate", "--schedules", "4"]) == 0
    assert "4 schedules, 0 broke a law" in capsys.readouterr().out
    monkeypatch.setattr(command_line, "GATE_UTILISATION", 1.01)
    assert main(["--gate", "--schedules", "2"]) == 1
    assert "MISSED" in capsys.readouterr().out


ALLOWED_ELSEWHERE = {"command_line.py": {"time", "multiprocessing"}}
FORBIDDEN = {"zmq", "time", "threading", "socket", "subprocess", "multiprocessing", "os", "asyncio"}


@pytest.mark.parametrize("path", sorted((ROOT / "fedfutures" / "simulation").glob("*.py")), ids=lambda path: path.stem)
def test_nothing_real_is_imported(path: Path) -> None:
    """Virtual time only: the command line alone may look at the real clock, and start processes."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported.update(name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add((node.module or "").partition(".")[0])
    assert not imported & FORBIDDEN - ALLOWED_ELSEWHERE.get(path.name, set())
