"""The checker from outside: laws over the journals that the nodes of a run wrote (``fedfutures/worker/journal.py``).

It knows nothing of messages, Brokers and sessions: only what was submitted, started, sent, let in and resolved, when,
and by which process. Clocks of processes on one machine agree, so the merged lines are in the order of what happened.

``python -m tests.journal DIRECTORY ...`` prints the counts and what breaks a law.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

VALUE, ERROR, CANCELLED, UNKNOWN = "0", "1", "2", "?"
Key = tuple[str, int]
"""A Future: the node that submitted it, and its number there."""


class Line(NamedTuple):
    """One line of a journal."""

    time: int
    process: str  # the name of its file
    event: str
    node: str
    number: int = 0
    more: tuple[str, ...] = ()


@dataclass
class Story:
    """All lines about one Future, in order."""

    key: Key
    lines: list[Line] = field(default_factory=list)

    def of(self, *events: str) -> list[Line]:
        """Return the lines of some events."""
        return [line for line in self.lines if line.event in events]

    @property
    def end(self) -> Line | None:
        """The line of its first resolution."""
        return next(iter(self.of("resolve")), None)


@dataclass
class Log:
    """A merged journal: by Future, and when which nodes closed."""

    stories: dict[Key, Story] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> list[Key]:
        """Futures of nodes that have closed without that these have resolved."""
        return [key for key, story in self.stories.items() if key[0] in self.closed and story.end is None]

    def counts(self) -> dict[str, int]:
        """Return how many Futures there were, by what became of them."""
        found: Counter[str] = Counter()
        for story in self.stories.values():
            found["submitted"] += bool(story.of("submit"))
            found[story.end.more[0] if story.end else "open"] += 1
            found["run where they were submitted"] += bool(story.of("run"))
            starts = len(story.of("start"))
            found["started elsewhere"] += bool(starts)
            found["started again"] += max(0, starts - 1)
        return dict(found)


def read(places: Iterable[Path]) -> Log:
    """Merge the journals in some directories."""
    lines = []
    for directory in places:
        for file in directory.iterdir():
            for text in file.read_text().splitlines():
                time, event, node, *more = text.split("\t")
                number = int(more.pop(0)) if more else 0
                lines.append(Line(int(time), file.name, event, node, number, tuple(more)))
    return merged(lines)


def merged(lines: Iterable[Line]) -> Log:
    """Sort lines by Future. Those of one call have the same time: the order that they were written in stays."""
    log, life = Log(), Lives()
    for line in sorted(lines, key=lambda line: line.time):
        if line.event == "close":
            log.closed[line.node] = line.time
        else:
            key = life.node_of(line), line.number
            log.stories.setdefault(key, Story(key)).lines.append(line)
    return log


class Lives:
    """Tells nodes of one name apart: on a host that was started again Workers have the old names.

    What others say of a node's Futures is of the process that has this name at the time.
    """

    def __init__(self) -> None:
        self.names: dict[tuple[str, str], str] = {}  # by name and process; of the first process the name itself
        self.latest: dict[str, str] = {}

    def node_of(self, line: Line) -> str:
        """Return the name of the node of a line, with the process behind it if it is not the first of the name."""
        if line.event in ("start", "result"):
            return self.latest.get(line.node, line.node)
        key = line.node, line.process
        if key not in self.names:
            self.names[key] = f"{line.node} {line.process}" if line.node in self.latest else line.node
            self.latest[line.node] = self.names[key]
        return self.names[key]


# -- the laws: each yields what breaks it ------------------------------------------------------------------------------


def resolves_once(log: Log) -> Iterator[str]:
    """Each submitted Future resolves exactly once; where its node was killed or ran on, at most once."""
    for key, story in log.stories.items():
        ends = story.of("resolve")
        if len(ends) > 1:
            yield f"{key} resolved {len(ends)} times"
        if len(story.of("submit")) > 1:
            yield f"{key} was submitted {len(story.of('submit'))} times"
        if not story.of("submit"):
            yield f"{key} was never submitted, but {story.lines[0].event}"
    for key in log.lost:
        yield f"{key} was never resolved, and its node has closed"


def values_come_from_attempts(log: Log) -> Iterator[str]:
    """A value was made by a run that has begun: here, or by a Worker that sent an outcome of the same digest."""
    for key, story in log.stories.items():
        came = [line for line in story.of("arrive") if line.more[0] in (VALUE, ERROR)]
        for line in came:
            kind, digest = line.more
            sent = [one for one in story.of("result") if one.time <= line.time and one.more[1] == kind]
            if not any(digest == one.more[2] or UNKNOWN in (digest, one.more[2]) for one in sent):
                yield f"{key} has an outcome that no Worker sent: kind {kind}, digest {digest}"
        if story.end is not None and story.end.more[0] == "value":
            before = [line for line in story.of("run", "arrive") if line.time <= story.end.time]
            if not any(line.event == "run" or line.more[0] == VALUE for line in before):
                yield f"{key} has a value, and nobody has run it"


def attempts_count_up(log: Log) -> Iterator[str]:
    """Attempts are counted from 1; one process starts none twice, and sends one outcome of each that it has started."""
    for key, story in log.stories.items():
        begun: dict[str, list[int]] = defaultdict(list)
        sent: set[tuple[str, int]] = set()
        for line in story.of("start", "result"):
            attempt = int(line.more[0])
            if line.event == "start":
                if attempt < 1 or any(attempt <= before for before in begun[line.process]):
                    yield f"{key}: {line.process} starts attempt {attempt} after {begun[line.process]}"
                begun[line.process].append(attempt)
            elif line.more[1] != CANCELLED:
                if attempt not in begun[line.process]:
                    yield f"{key}: {line.process} has an outcome of attempt {attempt}, which it has not started"
                if (line.process, attempt) in sent:
                    yield f"{key}: {line.process} has two outcomes of attempt {attempt}"
                sent.add((line.process, attempt))


def cancelled_have_no_value(log: Log) -> Iterator[str]:
    """A Future that was cancelled has no outcome; one that was cancelled where it was submitted never starts."""
    for key, story in log.stories.items():
        if story.end is None or story.end.more[0] != "cancelled":
            continue
        if any(line.more[0] in (VALUE, ERROR) for line in story.of("arrive")):
            yield f"{key} was cancelled, and its outcome had come"
        if not story.of("arrive") and any(line.time > story.end.time for line in story.of("start", "run")):
            yield f"{key} was cancelled before it was given, and started then"


def nothing_after_the_end(log: Log) -> Iterator[str]:
    """After a Future has resolved its node lets nothing in for it, and does not run it; lost attempts may go on."""
    for key, story in log.stories.items():
        if story.end is None:
            continue
        for line in story.lines[story.lines.index(story.end) + 1 :]:
            if line.event in ("submit", "run", "arrive", "state"):
                yield f"{key} had resolved, and then: {line.event} {' '.join(line.more)}"


def states_follow_pep_3148(log: Log) -> Iterator[str]:
    """Pending, perhaps running, done. What its own node runs ends with a value or an error, and is begun once."""
    for key, story in log.stories.items():
        runs = False
        for line in story.lines:
            if line.event == "run":
                if runs:
                    yield f"{key} was begun twice by its node"
                runs = True
            elif line.event == "state":
                runs = runs and line.more[0] != "PENDING"
            elif line.event == "resolve" and runs and line.more[0] == "cancelled":
                yield f"{key} was running where it was submitted, and was cancelled"


LAWS: tuple[Callable[[Log], Iterator[str]], ...] = (
    resolves_once, values_come_from_attempts, attempts_count_up, cancelled_have_no_value, nothing_after_the_end,
    states_follow_pep_3148,
)  # fmt: skip


def broken(log: Log) -> list[str]:
    """Return what breaks a law, with the law's name in front."""
    return [f"{law.__name__}: {what}" for law in LAWS for what in law(log)]


def main(places: list[str]) -> int:
    """Print the counts and what breaks a law."""
    log = read(map(Path, places))
    for what, count in log.counts().items():
        print(f"{count:9,} {what}")
    found = broken(log)
    for what in found[:50]:
        print(what)
    print(f"{len(found)} lines break a law" if found else "no law is broken")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
