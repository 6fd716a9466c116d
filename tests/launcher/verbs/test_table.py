"""Which word is a verb, and which is a program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fedfutures_launcher.arguments.splitting import BadLine
from fedfutures_launcher.cli.launch import main
from fedfutures_launcher.verbs.table import VERBS, verb_of


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("verb", VERBS)
def test_a_first_word_of_the_table_is_a_verb(verb: str) -> None:
    assert verb_of([verb]) == verb
    assert verb_of([verb, "--help", "x"]) == verb
    assert (
        verb_of(["-q", verb]) is verb_of(["prog.py", verb]) is verb_of(["--", verb]) is verb_of([f"./{verb}"]) is None
    )


@pytest.mark.parametrize("words", [[], ["-n", "2"], ["-"], ["prog.py"], ["errors.py"], ["eror.pyz"], ["./eror"], ["x"]])
def test_other_words_are_left_to_the_parser(words: list[str]) -> None:
    assert verb_of(words) is None


@pytest.mark.parametrize("verb", [*VERBS])
def test_a_program_of_that_name_might_be_meant(verb: str, tmp_path: Path) -> None:
    (tmp_path / verb).write_text("print('it ran')")
    with pytest.raises(BadLine, match=rf"for the program write \./{verb} or -- {verb}; for the verb, go to another"):
        verb_of([verb])
    (tmp_path / verb).unlink()
    (tmp_path / verb).mkdir()  # of data, perhaps: python could not run it
    if verb in VERBS:
        assert verb_of([verb]) == verb


@pytest.mark.parametrize("word", ["eror", "errors", "Error"])
def test_a_typing_error_names_the_nearest_verb(word: str) -> None:
    with pytest.raises(BadLine, match=rf"no program {word} here, and no such verb; did you mean the verb error\?"):
        verb_of([word])


def test_a_program_and_its_typing_errors_come_first(tmp_path: Path) -> None:
    (tmp_path / "errors").write_text("")
    assert verb_of(["errors"]) is verb_of(["erors"]) is None


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        VERBS[verb].main(["--help"])
    assert ended.value.code == 0
    assert f"usage: python -m fedfutures {verb} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        (["error", "Deadlock"], 0, "Deadlock\n========\n", ""),
        (["page", "--help"], 0, "usage: python -m fedfutures page", ""),
        (["eror"], 2, "", "fedfutures: there is no program eror here, and no such verb; "),
    ],
)
def test_the_command_line(line: list[str], code: int, out: str, err: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line)
    said = capsys.readouterr()
    assert (ended.value.code, said.out[: len(out)], said.err[: len(err)]) == (code, out, err)
    assert not (said.out and said.err)


@pytest.mark.host
def test_who_reads_the_output_may_stop(tmp_path: Path) -> None:
    """As in ``python -m fedfutures error | head -n 1``."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "fedfutures", "error"], stdout=pipe, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
