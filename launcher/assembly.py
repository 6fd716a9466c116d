"""From the hosts that answered to a run: Workers, tree, and the settings of each host. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fedfutures.host import room
from fedfutures.host.hosts import GRACE_SECONDS
from fedfutures.host.settings import Settings, settings_from

from .hosts import HostSpec
from .links import Broker
from .plan import HostPlan, Tree, plan, spread


@dataclass(slots=True)
class Request:
    """What the program's process asks for."""

    local: HostSpec  # this machine, which holds the root of the tree; `count` 0: it is none of the hosts
    hosts: list[HostSpec]  # the others
    settings: Settings  # what all hosts have in common
    workers: int | None = None  # None: as many as the hosts' counts, or processors
    brokers: int = 1
    min_hosts: int = 1
    require_all: bool = False
    tunnel: bool = False
    grace: float = GRACE_SECONDS
    processors: int = 1  # of this machine
    memory: int = 0  # bytes that new processes of this machine can have; 0: not known
    columns: int = 80  # how wide the table of hosts may be
    python: str | None = None
    prolog: str | None = None
    path: str | None = None
    pythonpath: list[str] = field(default_factory=list)
    nice: int | None = None
    ssh: dict[str, Any] = field(default_factory=dict)  # which client, and its options
    verbosity: int = 0
    local_descriptors: tuple[int, int] = (-1, -1)  # what this machine's host process says, and where it is told


@dataclass(slots=True)
class Assembly:
    """A run that can begin."""

    tree: Tree
    settings: dict[str, Settings]  # by host, this machine's included
    brokers: dict[str, Broker]
    workers: int


def request_from(value: dict[str, Any]) -> Request:
    """Return the request that a frame held."""
    value["local"] = HostSpec(**value["local"])
    value["hosts"] = [HostSpec(**host) for host in value["hosts"]]
    value["settings"] = settings_from(value["settings"])
    return Request(**value)


def assemble(request: Request, facts: Mapping[str, Mapping[str, Any]]) -> Assembly:
    """Return the run on this machine and on the hosts of which `facts` are known: "processors" and "address" of each.

    A host that gets no Worker is left out, unless others are behind it. Raises ValueError when nobody is left, and when
    a host has too little memory for its Workers.
    """
    specs = [request.local, *(spec for spec in request.hosts if spec.name in facts)]
    counts = [_count(request, spec, facts) for spec in specs]
    workers = sum(count or 0 for count in counts) if request.workers is None else request.workers
    if not workers or not any(count != 0 for count in counts):
        raise ValueError("no host is left that could have Workers")
    shares = {spec.name: share for spec, share in zip(specs, spread(workers, counts))}
    for spec in specs:
        known = request.memory if spec is request.local else int(facts[spec.name].get("memory") or 0)
        if why := room.refusal(shares[spec.name], known, spec.name):
            raise ValueError(why)
    ways = {spec.name: spec.site if spec.site in shares else None for spec in specs}
    doors = set(ways.values())
    taking_part = [spec for spec in specs if shares[spec.name] or spec.name in doors or spec is request.local]
    tree = plan([
        HostPlan(spec.name, shares[spec.name], max(1, min(request.brokers, shares[spec.name])), ways[spec.name])
        for spec in taking_part
    ])  # fmt: skip
    settings = {
        spec.name: _settings(request, spec, facts.get(spec.name), tree, shares[spec.name], workers)
        for spec in taking_part
    }
    return Assembly(tree, settings, _brokers(request, taking_part, tree), workers)


def _count(request: Request, spec: HostSpec, facts: Mapping[str, Mapping[str, Any]]) -> int | None:
    """Return how many Workers a host is to have at most; None: no limit."""
    if spec.count is not None or request.workers is not None:
        return spec.count
    return request.processors if spec is request.local else int(facts[spec.name].get("processors") or 1)


def _settings(
    request: Request, spec: HostSpec, facts: Mapping[str, Any] | None, tree: Tree, share: int, workers: int
) -> Settings:
    common = replace(
        request.settings,
        host=spec.name,
        workers=share,
        size=workers,
        brokers=max(1, min(request.brokers, share)),
        dials=tree.dials(spec.name),
    )
    if facts is None:  # this machine
        return replace(common, threads=max(1, request.processors // max(1, share)))
    return replace(
        common,
        path=[*spec.pythonpath, *request.pythonpath],
        nice=_first(spec.nice, request.nice, 0),
        directory=_first(spec.path, request.path, request.settings.directory),
        directory_needed=bool(spec.path or request.path),
        threads=max(1, int(facts.get("processors") or 1) // max(1, share)),
        far_address=facts.get("address") or "127.0.0.1",
        grace=request.grace,
        code=True,
        profile=None,
    )


def _brokers(request: Request, specs: Sequence[HostSpec], tree: Tree) -> dict[str, Broker]:
    by_name = {spec.name: spec for spec in specs}
    return {
        node.name: Broker(
            node.name,
            node.host,
            node.index,
            tunnel=request.tunnel or bool(by_name[node.host].tunnel),
            address=by_name[node.host].external_hostname,
        )
        for node in tree.nodes.values()
    }


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
