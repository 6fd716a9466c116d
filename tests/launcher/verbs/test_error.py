"""``python -m fedfutures error``: each error is explained, by whichever name it is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures import errors
from fedfutures_launcher.verbs import error
from fedfutures_launcher.verbs.error import first_sentence, main, plain, sections

DOCS = Path(__file__).parents[3] / "docs"
STANDARD = {"CancelledError", "TimeoutError", "PicklingError"}
NAMED = {
    name for name, found in vars(errors).items()
    if isinstance(found, type) and found.__module__ == errors.__name__ and not name.startswith("_")
}  # fmt: skip


def test_every_error_has_a_section() -> None:
    assert set(sections()) == NAMED | STANDARD


@pytest.mark.parametrize(("name", "text"), sections().items())
def test_a_section_says_what_to_do(name: str, text: str) -> None:
    assert "emedies.**" in text or "**Use.**" in text
    sentence = first_sentence(text)
    assert sentence.endswith(".")
    assert len(f"{name:22} {sentence}") < 130, "it does not fit into a line"
    assert max(map(len, text.splitlines())) <= 105, "it does not fit into a terminal"


def test_a_name_may_come_from_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    said = set()
    for name in ("NoRoom", "noroom", "fedfutures.errors.NoRoom", "fedfutures.errors.NoRoom:"):
        assert main([name]) == 0
        said.add(capsys.readouterr().out)
    [text] = said
    assert text.startswith("NoRoom\n======\n\nA host has no room for a large value")
    assert "\n   def large():\n" in text
    assert "docker run --shm-size=8g" in text
    assert not any(mark in text for mark in ("``", "**", "code-block", ":class:"))


def test_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(sections())
    assert len({line.index(first_sentence(text)) for line, text in zip(lines, sections().values())}) == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Poisoned", "did you mean PoisonedFuture?"),
        ("builtins.CanceledError", "did you mean CancelledError?"),
        ("xyzzy", "the command without a name lists all"),
    ],
)
def test_an_unknown_name(name: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"fedfutures: there is no error {name}; {says}\n")


def test_the_page_includes_the_text_that_is_shipped() -> None:
    page = (DOCS / "errors.rst").read_text()
    assert ".. include:: ../launcher/verbs/errors.rst\n" in page
    assert (Path(error.__file__).with_name("errors.rst")).is_file()


def test_an_example_is_a_program_that_can_be_pasted() -> None:
    text = plain(sections()["Deadlock"])
    code = "\n".join(line[3:] for line in text[: text.index("fedfutures.errors.Deadlock")].splitlines()[2:])
    compile(code, "example", "exec")
