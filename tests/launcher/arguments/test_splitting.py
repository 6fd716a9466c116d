"""Every spelling that argparse takes for an option of ours ends where argparse says: the program is what follows.

The options are those of the parser itself, so a new one is tested here from its first day.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from fedfutures_launcher.arguments.splitting import BadLine, Splitter, program_among
from fedfutures_launcher.cli.options import options_parser

PARSER, KNOWN = options_parser()
ACTIONS = [action for action in KNOWN if not {"--help", "--version", "--hosts"} & set(action.option_strings)]
FLAGS = [name for action in ACTIONS if action.nargs == 0 for name in action.option_strings if len(name) == 2]
PROGRAM = ["prog.py", "-n", "7", "--nice", "x"]


def value_of(action: argparse.Action) -> str:
    """A value that argparse takes for this option."""
    return str(next(iter(action.choices))) if action.choices else "7G" if action.metavar == "SIZE" else "7"


def spellings(action: argparse.Action) -> Iterator[list[str]]:
    """All ways to write an option."""
    value = value_of(action)
    for name in action.option_strings:
        long = name.startswith("--")
        if action.nargs == 0:
            yield [name]
            if not long:
                yield from ([flag + name[1:]] for flag in FLAGS)
            continue
        yield [name, value]
        yield [f"{name}={value}"]
        if not long:
            yield [name + value]
            yield from ([flag + name[1:], value] for flag in FLAGS)
            yield from ([flag + name[1:] + value] for flag in FLAGS)
        if action.nargs == "?":
            yield [name, "-q"]


ALL = [words for action in ACTIONS for words in spellings(action)]


def cut(words: list[str]) -> tuple[list[str], str, str, list[str]]:
    return tuple(Splitter(KNOWN, {"prog.py"}.__contains__).cut(words))  # type: ignore[return-value]


def test_there_are_many() -> None:
    assert len(ALL) > 60
    assert ["-vn", "7"] in ALL
    assert ["-qn7"] in ALL
    assert ["--profile", "7"] in ALL


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_spelling_that_argparse_takes_ends_where_it_says(words: list[str]) -> None:
    alone = PARSER.parse_args(words)
    ours, kind, place, rest = cut([*words, *PROGRAM])
    assert (ours, kind, place, rest) == (words, "file", "prog.py", PROGRAM[1:])
    assert PARSER.parse_args(ours) == alone


@given(st.lists(st.sampled_from(ALL), max_size=6), st.sampled_from(["file", "--", "-m", "-c", "-"]))
def test_any_number_of_them_in_front_of_any_program(found: list[list[str]], how: str) -> None:
    ours = [word for words in found for word in words]
    line, place = {
        "file": (PROGRAM, "prog.py"), "--": (["--", *PROGRAM], "prog.py"), "-m": (["-m", *PROGRAM], "prog.py"),
        "-c": (["-cpass", *PROGRAM[1:]], "pass"), "-": (["-", *PROGRAM[1:]], "-"),
    }[how]  # fmt: skip
    kind = {"-m": "module", "-c": "code", "-": "stdin"}.get(how, "file")
    assert cut([*ours, *line]) == (ours, kind, place, PROGRAM[1:])
    PARSER.parse_args(ours)


@given(st.lists(st.sampled_from(ALL), max_size=3), st.lists(st.sampled_from(["a", "b", "u@c:22"]), min_size=1))
def test_hosts_end_at_the_next_option(found: list[list[str]], hosts: list[str]) -> None:
    ours = ["--hosts", *hosts, "-q", *(word for words in found for word in words)]
    assert cut([*ours, *PROGRAM]) == (ours, "file", "prog.py", PROGRAM[1:])
    assert PARSER.parse_args(ours).names == hosts


@pytest.mark.parametrize(
    "name", sorted({name[:-1] for action in ACTIONS for name in action.option_strings if name[4:]})
)
def test_no_option_may_be_abbreviated(name: str) -> None:
    """A word that argparse does not take is none of ours: it is said, not guessed."""
    with pytest.raises(BadLine, match="is no option"):
        cut([name, *PROGRAM])


def test_the_program_among_hosts() -> None:
    assert program_among(["a", "b/c", "d"], {"b/c", "d"}.__contains__) == 1
    assert program_among(["prog.py"], {"prog.py"}.__contains__) is None
