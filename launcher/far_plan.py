"""The plan of a run on several hosts, for people: what would be started where, before any host was asked."""

from __future__ import annotations

from typing import Any

from fedfutures.host.flags import shown
from fedfutures.host.handle import command_here

from .assembly import Request, assemble
from .remote import remote_target


def far_plan(request: Request, command: list[str]) -> list[tuple[str, Any]]:
    """Return the tree of Brokers, and the command for each host. No host was asked: some counts are guesses."""
    guessed = request.workers is None and any(spec.count is None for spec in request.hosts)
    facts = {spec.name: {"processors": 1} for spec in request.hosts}
    assembly = assemble(request, facts)
    lines = [("start", f"{request.local.name}: {shown(command_here(request.settings, command))}")]
    for spec in request.hosts:
        if spec.name not in assembly.settings:
            lines.append(("leave out", f"{spec.name}: it would have no Worker"))
            continue
        target = remote_target(spec, request)
        way = f" through {spec.site}" if spec.site else ""
        lines.append(("start", f"{spec.name}: by ssh to {spec.word}{way}: {target.command}"))
    plan = [("brokers", assembly.tree.drawing()), *lines]
    if guessed:
        plan.append(("note", "a host without a count gets as many Workers as it has processors; here it counts one"))
    return plan
