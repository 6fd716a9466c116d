"""Requests of a node: each is sent once, again in a new session, and is over when its answer has come."""

from __future__ import annotations

from fedfutures.node.events import Ask, FetchFile, FileFetched, Provided, Require
from fedfutures.node.requests import Requests
from fedfutures.wire import messages


def test_a_module_is_asked_for_once_until_it_has_come() -> None:
    requests = Requests()
    assert requests.ask(Require(b"import a")) == [messages.Want(b"import a")]
    assert requests.ask(Require(b"import a")) == []
    function = messages.Function(b"import a", "a", b"body")
    assert requests.provided(function) == [Provided(b"import a", "a", b"body")]
    assert requests.provided(function) == []
    assert requests.ask(Require(b"import a")) == [messages.Want(b"import a")]


def test_a_definition_that_nobody_has_asked_for_is_no_answer() -> None:
    requests = Requests()
    requests.ask(Require(b"import a"))
    assert requests.provided(messages.Function(b"import b", "b", b"")) == []
    assert requests.ask_again() == [messages.Want(b"import a")]


def test_a_file_is_reported_once_also_when_it_is_not_to_be_had() -> None:
    requests = Requests()
    assert requests.ask(FetchFile("file-1")) == [messages.Fetch("file-1")]
    assert requests.fetched(messages.Fetched("file-2", 9)) == []
    assert requests.fetched(messages.Fetched("file-1", -1)) == [FileFetched("file-1", -1)]
    assert requests.fetched(messages.Fetched("file-1", 9)) == []


def test_a_question_is_open_until_its_last_answer() -> None:
    requests = Requests()
    asked = requests.inquire(Ask(5, "explain", "origin-1", 3, 0.5))
    assert asked == messages.Inquire(5, "explain", 0.5, "origin-1", 3)
    requests.answered(messages.Answer(5, "b0", b"", last=False))
    assert requests.ask_again() == [asked]
    requests.answered(messages.Answer(5, "b0", b"", last=True))
    assert requests.ask_again() == []
    requests.answered(messages.Answer(5, "b0", b"", last=True))  # said twice: no error


def test_a_new_session_is_asked_for_all_that_is_open_in_one_order() -> None:
    requests = Requests()
    for key in (b"import b", b"import a"):
        requests.ask(Require(key))
    for name in ("file-2", "file-1"):
        requests.ask(FetchFile(name))
    question = requests.inquire(Ask(1, "statistics"))
    again = [
        messages.Want(b"import a"), messages.Want(b"import b"), messages.Fetch("file-1"), messages.Fetch("file-2"),
        question,
    ]  # fmt: skip
    assert requests.ask_again() == again
    assert requests.ask_again() == again
