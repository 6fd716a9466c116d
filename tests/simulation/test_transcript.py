"""Transcripts are written, and compared line by line."""

from __future__ import annotations

from pathlib import Path

from fedfutures.federation.events import Send
from fedfutures.simulation.transcript import Transcript
from fedfutures.wire.messages import ERROR, Results, Return


def told() -> Transcript:
    transcript = Transcript()
    transcript.on_send(0.5, "b", "w", Send("w", Return(3, [1, 2, 4]), 7, 0))
    transcript.on_send(0.5, "w", "b", Send("b", Results(3, 1, [5], [b""], [(5, ERROR)]), 0, 0))
    transcript.on_incident(1.0, "w", "has ended")
    return transcript


def test_each_line_says_when_who_and_what() -> None:
    assert [line.split(None, 1) for line in told().lines] == [
        ["0.500000", "b -> w                 #7 Return piece 3: 1-2,4"],
        ["0.500000", "w -> b                 Results piece 3: 5 5 error"],
        ["1.000000", "w                      * has ended"],
    ]


def test_a_difference_is_found(tmp_path: Path) -> None:
    path = tmp_path / "told"
    told().write(path, "command")
    assert told().differs(path) == ""
    other = told()
    other.lines[1] = "something else"
    assert f"{path}:3" in other.differs(path)
    other = told()
    del other.lines[2]
    assert other.differs(path) == f"{path}: 3 lines, now 2"
