"""What a node has asked for besides work: modules, files of the program's, and answers to questions. Pure.

Each is asked for once, and again in a new session, until it comes or is said not to be had.
"""

from __future__ import annotations

from ..wire import messages
from .events import Ask, FetchFile, FileFetched, Provided, Require, Told


class Requests:
    """The open ones of a node."""

    __slots__ = ("_files", "_modules", "_questions")

    def __init__(self) -> None:
        self._modules: set[bytes] = set()
        self._files: set[str] = set()
        self._questions: dict[int, messages.Inquire] = {}

    def ask(self, event: Require | FetchFile) -> list[messages.Message]:
        """Return what is to be sent for a module or a file."""
        if isinstance(event, FetchFile):
            self._files.add(event.name)
            return [messages.Fetch(event.name)]
        if event.key in self._modules:
            return []
        self._modules.add(event.key)
        return [messages.Want(event.key)]

    def ask_again(self) -> list[messages.Message]:
        """Return what is to be sent when a new session has begun."""
        wants = [messages.Want(key) for key in sorted(self._modules)]
        return [*wants, *(messages.Fetch(name) for name in sorted(self._files)), *self._questions.values()]

    def inquire(self, ask: Ask) -> messages.Inquire:
        """Return what is to be sent for a question."""
        question = messages.Inquire(ask.number, ask.subject, ask.seconds, ask.submitter, ask.future)
        self._questions[ask.number] = question
        return question

    def answered(self, answer: messages.Answer) -> Told:
        """An answer came; the last one ends the question."""
        if answer.last:
            self._questions.pop(answer.number, None)
        return Told(answer.number, answer.name, answer.report, answer.last)

    def provided(self, function: messages.Function) -> list[Provided]:
        """A module came, or why it does not."""
        if function.digest not in self._modules:
            return []
        self._modules.discard(function.digest)
        return [Provided(function.digest, function.name, function.body)]

    def fetched(self, fetched: messages.Fetched) -> list[FileFetched]:
        """A file is here, or is not to be had."""
        if fetched.name not in self._files:
            return []
        self._files.discard(fetched.name)
        return [FileFetched(fetched.name, fetched.size)]
