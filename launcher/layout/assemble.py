"""From the hosts that answered to a run: Workers, tree, and the settings of each host. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from fedfutures.host import room
from fedfutures.host.environment import variables_of
from fedfutures.host.hosts import Hosts
from fedfutures.host.settings import Settings, settings_from
from fedfutures.sizes import size_of_worker

from ..hosts.local import threads_of
from ..hosts.spec import HostSpec, spec_from
from .spread import spread
from .tree import HostPlan, Tree, plan

START_SECONDS = 30.0
"""How long a host may take from the login to its hello."""
BEGIN_SECONDS = 10.0
"""After so long a run begins with the hosts that are there, and others come in late."""

Facts = Mapping[str, Mapping[str, Any]]
"""By host, the facts of its hello: "processors", "memory" and "address"; "login" if it is known; and :data:`LATE`."""
LATE = "late"
"""The fact of a host that came while the run went on: how many Workers it has. It changes nothing for those before it.
"""


@dataclass(slots=True)
class Request:
    """What the program's process asks for."""

    local: HostSpec  # this machine, where the root of the tree is; `count` 0: it has no Workers
    hosts: list[HostSpec]  # the others
    settings: Settings  # the same for all hosts
    options: Hosts  # for the run; those of each host are in its spec
    workers: int | None = None  # None: as many as the hosts' counts, or processors
    brokers: int = 1
    processors: int = 1  # of this machine
    memory: int = 0  # bytes for new processes of this machine; 0: not known
    columns: int = 80  # how wide the table of hosts may be
    launchers: list[str] = field(default_factory=lambda: ["ssh"])  # that are tried for each host, in this order
    scheduler: str | None = None  # in whose job the program runs
    notes: dict[str, Any] = field(default_factory=dict)  # of a connector that was killed
    sessions: str = ""  # the socket of a keeper's connector, that leads to all other hosts; "": this is no joined run
    threads: int | None = None  # processors that a batch scheduler has given to each Worker; None: it does not say
    at_most: int | None = None  # Workers of a joined run, those of hosts that come later included; None: no limit
    listen: dict[str, Any] = field(default_factory=dict)  # where a keeper lets in who comes by TCP; {}: nowhere
    announce: dict[str, str] = field(default_factory=dict)  # the name and where a keeper announces it; {}: nowhere
    may_be_empty: bool = False  # there may be no Workers as long as no host has come

    @property
    def start_seconds(self) -> float:
        """How long to wait for a host."""
        return self.options.start_timeout or START_SECONDS

    @property
    def begin_seconds(self) -> float:
        """After how long the run begins without hosts that have not answered yet; they may come in late."""
        waits = self.needs_all or self.sessions or self.options.start_timeout is not None
        return inf if waits else BEGIN_SECONDS

    @property
    def needs_all(self) -> bool:
        """Whether all hosts must work: in a job they are paid for."""
        in_a_job = self.scheduler is not None and self.options.min_hosts is None
        return not self.sessions and (self.options.require_all or in_a_job)

    @property
    def least_hosts(self) -> int:
        """How many hosts must work at least; in a standing Federation others have seen to that."""
        least = 0 if self.may_be_empty else 1
        return least if self.sessions else self.options.min_hosts or least


@dataclass(slots=True)
class Assembly:
    """A run that can begin."""

    tree: Tree
    settings: dict[str, Settings]  # by host, this machine's included
    workers: int


def request_from(value: dict[str, Any]) -> Request:
    """Return the request that a frame held."""
    value["local"] = spec_from(value["local"])
    value["hosts"] = [spec_from(host) for host in value["hosts"]]
    value["settings"] = settings_from(value["settings"])
    value["options"] = Hosts(**value["options"])
    return Request(**value)


def assemble(request: Request, facts: Facts) -> Assembly:
    """Return the run on this machine and on the hosts of which facts are known.

    A host without Workers is left out, unless others are behind it. Raises ValueError when no host is left, and when a
    host has too little memory for its Workers.
    """
    specs = [request.local, *(spec for spec in request.hosts if spec.name in facts)]
    late = {name: int(of_one[LATE]) for name, of_one in facts.items() if LATE in of_one}
    first = [spec for spec in specs if spec.name not in late]
    of_one_machine = twins(request.hosts, facts)
    counts = [_count(request, spec, facts, of_one_machine) for spec in first]
    workers = sum(count or 0 for count in counts) if request.workers is None else request.workers
    if workers and any(count != 0 for count in counts):
        shares = {spec.name: share for spec, share in zip(first, spread(workers, counts))}
    elif late or request.may_be_empty:
        shares = {spec.name: 0 for spec in first}
    else:
        raise ValueError("no host is left that could have Workers")
    shares |= {spec.name: late[spec.name] for spec in specs if spec.name in late}
    workers = sum(shares.values())
    for spec in specs:
        known = request.memory if spec is request.local else int(facts[spec.name].get("memory") or 0)
        if why := room.refusal(shares[spec.name], known, spec.name):
            raise ValueError(why)
    doors = {spec.site for spec in specs if spec.site in shares}
    by_name = {spec.name: spec for spec in specs}
    plans = [
        HostPlan(
            name, share, max(1, min(request.brokers, share)), spec.site if spec.site in shares else None,
            spec.options.tunnel or not _is_addressed(spec, facts), spec.external_hostname,
        )
        for name, share in shares.items()
        if (spec := by_name[name]) is request.local or share or name in doors
    ]  # fmt: skip
    tree = plan([one for one in plans if one.name not in late])
    for name in late:  # in the order in which they came
        for one in plans:
            if one.name == name:
                tree.grow(one)
    settings = {
        planned.name: _settings(
            request,
            by_name[planned.name],
            facts.get(planned.name),
            replace(
                request.settings, host=planned.name, workers=planned.workers, size=workers, brokers=planned.brokers,
                hosts=sum(plan.workers > 0 for plan in plans),
                dials=tree.dials(planned.name), neighbours=tree.neighbours(planned.name),
            ),
        )
        for planned in plans
    }  # fmt: skip
    return Assembly(tree, settings, workers)


def _is_addressed(spec: HostSpec, facts: Facts) -> bool:
    """Whether it is known where other hosts reach this one: not if its launcher's name for it has no address."""
    of_host = facts.get(spec.name, {})
    return bool(of_host.get("address") or spec.external_hostname or of_host.get("launcher", "ssh") == "ssh")


def twins(hosts: Sequence[HostSpec], facts: Facts) -> dict[str, str]:
    """Return the hosts that are the machine of another one before them, and which one that is.

    >>> hosts = [HostSpec(name, name=name) for name in "abc"]
    >>> twins(hosts, {"a": {"login": "1"}, "b": {}, "c": {"login": "1"}})
    {'c': 'a'}
    """
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    for spec in hosts:
        if login := facts.get(spec.name, {}).get("login"):
            if login in first:
                found[spec.name] = first[login]
            first.setdefault(login, spec.name)
    return found


def _count(request: Request, spec: HostSpec, facts: Facts, of_one_machine: Mapping[str, str]) -> int | None:
    """Return how many Workers a host is to have at most; None: no limit. Another name of one adds to that."""
    if spec.name in of_one_machine:
        return 0
    counts = [spec.count, *(one.count for one in request.hosts if of_one_machine.get(one.name) == spec.name)]
    if any(count is not None for count in counts):
        return sum(count or 0 for count in counts)
    if request.workers is not None:
        return None
    return request.processors if spec is request.local else int(facts[spec.name].get("processors") or 1)


def _settings(request: Request, spec: HostSpec, facts: Mapping[str, Any] | None, common: Settings) -> Settings:
    """Return the settings of a host by its options and facts; `facts`: None for this machine."""
    options = spec.options
    processors = request.processors if facts is None else int(facts.get("processors") or 1)
    common = replace(common, threads=threads_of(request.threads, spec.count, common.workers, processors))
    if facts is None:
        return replace(common, has_door=True)
    return replace(
        common,
        path=list(options.pythonpath),
        nice=options.nice or 0,
        environment=variables_of(options.env),
        preload=options.preloads,
        memory_per_worker=size_of_worker(options.memory_per_worker) or common.memory_per_worker,
        directory=options.path or common.directory,
        directory_needed=bool(options.path),
        far_address=facts.get("address") or "127.0.0.1",
        grace=request.options.grace,
        server=facts.get("server") or "",
        place="",  # recorded on the keeper's machine
        code=True,
        profile=None,
    )
