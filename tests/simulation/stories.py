"""Stories: what befalls a small Federation, and what its machines say then, in the words of ``tests/stories/*.txt``.

A line is a command, and the indented lines below it are what is said because of it:

    a -> b arrives
        b -> a      Welcome to session 1

Nothing moves by itself: frames wait, in order, until they *arrive* (``settle``: all do, and what is said to them), and
time passes when told to. Heartbeats, acknowledgements and Demand are not written down. All commands:
:data:`COMMANDS`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

from broker.network import Network, Node

from fedfutures.broker.events import Action as BrokerAction, Event as BrokerEvent
from fedfutures.federation.events import Send
from fedfutures.node import events as rules
from fedfutures.simulation.transcript import ranges, short
from fedfutures.wire import codec, messages
from fedfutures.wire.messages import Message

HIDDEN = (messages.Ack, messages.Ping, messages.Pong, messages.Demand)
KINDS = ("value", "error", "cancelled", "poisoned", "lost")
INDENT = "    "


class Story:
    """A Federation that is told what happens; `lines` is what was said since the last command."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.network: Network = Network(plan={})
        self.sessions: dict[int, int] = {}  # numbers as the story has them
        self.shelf: dict[tuple[str, str], deque[bytes]] = {}  # frames that are late

    # -- what is written down ----------------------------------------------------------------------------------------

    def said(self, sender: str, receiver: str, message: Message) -> None:
        """Note a message."""
        if not isinstance(message, HIDDEN):
            self.lines.append(f"{sender} -> {receiver}".ljust(12) + self.text_of(message))

    def text_of(self, message: Message) -> str:
        """Write a message without the numbers that are drawn."""
        if isinstance(message, messages.Hello):
            return f"Hello, {self.name_of(message.session)}"
        if isinstance(message, messages.Welcome):
            return f"Welcome to {self.name_of(message.session)}"
        return short(message)

    def name_of(self, session: int) -> str:
        """Sessions are numbered as they come up."""
        return f"session {self.sessions.setdefault(session, len(self.sessions) + 1)}" if session else "no session yet"

    # -- who is there ------------------------------------------------------------------------------------------------

    def brokers(self, words: str) -> None:
        """``brokers a, b, c``: each dials the next."""
        names = words.split(", ")
        plan = {name: names[at : at + 1] for at, name in enumerate(names, 1)}
        self.network = Recording(self, plan)

    def worker(self, name: str, home: str) -> None:
        self.network.node("worker", name, home)

    def origin(self, name: str, home: str) -> None:
        self.network.node("origin", name, home)

    # -- frames ------------------------------------------------------------------------------------------------------

    def frames(self, source: str, target: str) -> deque[bytes]:
        """What is on its way."""
        nodes = self.network.nodes
        if source in nodes:
            return nodes[source].to_broker
        return nodes[target].to_node if target in nodes else self.network.between.setdefault((source, target), deque())

    def arrives(self, source: str, target: str) -> None:
        nodes = self.network.nodes
        if source in nodes:
            self.network.to_broker(nodes[source])
        elif target in nodes:
            self.network.to_node(nodes[target])
        else:
            self.network.across((source, target))

    def all_arrives(self, source: str, target: str) -> None:
        for _ in range(len(self.frames(source, target))):
            self.arrives(source, target)

    def index_of(self, source: str, target: str, kind: str) -> int:
        """Where the first frame of a kind is."""
        for index, frame in enumerate(self.frames(source, target)):
            if type(codec.decode(frame)[2]).__name__ == kind:
                return index
        raise ValueError(f"no {kind} is under way from {source} to {target}")

    def is_lost(self, source: str, target: str, kind: str) -> None:
        del self.frames(source, target)[self.index_of(source, target, kind)]

    def is_late(self, source: str, target: str, kind: str) -> None:
        frames, index = self.frames(source, target), self.index_of(source, target, kind)
        self.shelf.setdefault((source, target), deque()).append(frames[index])
        del frames[index]

    def comes_at_last(self, source: str, target: str) -> None:
        self.frames(source, target).appendleft(self.shelf[source, target].popleft())
        self.arrives(source, target)

    def settle(self) -> None:
        self.network.settle()

    def passes(self, seconds: str) -> None:
        self.network.now += float(seconds)
        self.network.tick()

    # -- what befalls ------------------------------------------------------------------------------------------------

    def submits(self, name: str, count: str) -> None:
        node = self.network.nodes[name]
        first = len(node.payloads) + 1
        node.submit(b"f", [b"%d" % number for number in range(first, first + int(count))])
        node.service()

    def starts(self, name: str) -> None:
        assert self.network.nodes[name].start()

    def finishes(self, name: str) -> None:
        assert self.network.nodes[name].finish()

    def gives_back(self, name: str, count: str) -> None:
        self.network.nodes[name].give_back(int(count))

    def cancels(self, name: str, number: str) -> None:
        self.network.nodes[name].step(rules.CancelGiven([int(number)]))

    def leaves(self, name: str) -> None:
        self.network.nodes[name].step(rules.Leave("it is done"))

    def is_gone(self, name: str) -> None:
        del self.network.nodes[name]

    def dies(self, name: str) -> None:
        self.network.lose(self.network.nodes[name], blame=False)

    def is_started_again(self, name: str, lost: str | None) -> None:
        self.network.restart(name, lost=lost is not None)

    def is_cut(self, here: str, there: str) -> None:
        self.network.cut((here, there), kept=False)

    def heals(self) -> None:
        self.network.heal()

    def forgets(self, name: str) -> None:
        functions = self.network.brokers[name].functions
        functions.forget(next(iter(functions.definitions)))

    def resolves(self) -> None:
        """Everything is run, and nobody's books have anything left."""
        said, self.lines = self.lines, []
        self.network.heal()
        self.network.work()
        self.network.wait(9.0)
        self.lines = said
        for node in self.network.nodes.values():
            outcomes: dict[str, list[int]] = {}
            for number, (kind, _) in sorted(node.outcomes.items()):
                outcomes.setdefault(KINDS[kind], []).append(number)
            self.lines += [f"{node.name} has {kind}: {ranges(numbers)}" for kind, numbers in outcomes.items()]
        self.network.check_empty()


class Recording(Network):
    """A network that lets a story know what is said."""

    def __init__(self, story: Story, plan: dict[str, list[str]]) -> None:
        self.story = story
        super().__init__(plan=plan)

    def _start(self, name: str) -> None:
        super()._start(name)
        machine = self.brokers[name]
        step = machine.step

        def recording(event: BrokerEvent, now: float) -> list[BrokerAction]:
            actions = step(event, now)
            for action in actions:
                if isinstance(action, Send):
                    self.story.said(name, action.peer, action.message)
            return actions

        machine.step = recording  # type: ignore[method-assign]

    def node(self, role: str, name: str | None = None, home: str | None = None) -> Node:
        node = super().node(role, name, home)
        send = node.send

        def recording(action: Send) -> None:
            self.story.said(node.name, node.home, action.message)
            send(action)

        node.send = recording  # type: ignore[method-assign]
        return node


NAME = r"([a-z]\d?)"
COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    (r"brokers (.+)", Story.brokers),
    (rf"worker {NAME} at {NAME}", Story.worker),
    (rf"origin {NAME} at {NAME}", Story.origin),
    (rf"{NAME} -> {NAME} arrives", Story.arrives),
    (rf"{NAME} -> {NAME} all arrives", Story.all_arrives),
    (rf"{NAME} -> {NAME}: (\w+) is lost", Story.is_lost),
    (rf"{NAME} -> {NAME}: (\w+) is late", Story.is_late),
    (rf"{NAME} -> {NAME}: what was late arrives", Story.comes_at_last),
    (r"settle", Story.settle),
    (r"([0-9.]+) s pass", Story.passes),
    (rf"{NAME} submits (\d+)", Story.submits),
    (rf"{NAME} starts one", Story.starts),
    (rf"{NAME} finishes one", Story.finishes),
    (rf"{NAME} gives back (\d+)", Story.gives_back),
    (rf"{NAME} cancels (\d+)", Story.cancels),
    (rf"{NAME} leaves", Story.leaves),
    (rf"{NAME} is gone", Story.is_gone),
    (rf"{NAME} dies", Story.dies),
    (rf"{NAME} is started again(, what was on its way there is lost)?", Story.is_started_again),
    (rf"{NAME} - {NAME} is cut", Story.is_cut),
    (r"all links heal", Story.heals),
    (rf"{NAME} forgets the function", Story.forgets),
    (r"everything resolves", Story.resolves),
)


def tell(story: Story, command: str) -> list[str]:
    """Let a command happen; return what is said."""
    for pattern, call in COMMANDS:
        found = re.fullmatch(pattern, command)
        if found:
            story.lines = []
            call(story, *found.groups())
            return story.lines
    raise ValueError(f"no such command: {command!r}")


def retold(text: str) -> str:
    """Return a story with what is said now."""
    story, lines = Story(), []
    for line in text.splitlines():
        if line.startswith(INDENT):
            continue
        lines.append(line)
        if line and not line.startswith("#"):
            lines += [INDENT + said for said in tell(story, line)]
    return "\n".join(lines) + "\n"


def undone_by(path: Path) -> list[str]:
    """Return the mutants that undo what the story was written for."""
    return re.findall(r"^# Undone by: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
