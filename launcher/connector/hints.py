"""What else may help with a host that cannot be used: other names, another user, and what the host has printed."""

from __future__ import annotations

import difflib
from dataclasses import replace

from ..hosts.spec import HostSpec, folded
from ..layout.assemble import Request
from ..ssh.names import known_names
from ..ssh.texts.failures import Failure, last_lines


def hinted(failure: Failure, spec: HostSpec, request: Request) -> Failure:
    """Return the failure of a host with what else may help."""
    if failure.kind == "unresolved name":
        names = known_names(request.options.ssh_config) | {other.host for other in request.hosts if other is not spec}
        return _with(failure, _similar(spec.host, names))
    if failure.kind == "authentication failed":
        return _with(failure, _other_user(spec, request))
    return failure


def with_printed(failure: Failure, printed: str) -> Failure:
    """Return the failure of a host with the last lines that it printed, but those that the failure tells already."""
    told = f"{failure.text}\n{failure.detail}"
    news = [line for line in last_lines(printed) if line not in told]
    return _with(failure, f"it printed: {' / '.join(news)}" if news else "")


def _with(failure: Failure, *hints: str) -> Failure:
    return replace(failure, hints=(*failure.hints, *filter(None, hints)))


def _similar(host: str, names: set[str]) -> str:
    """Return a question that names the host that is most like this one.

    >>> _similar("hh2", {"h2", "tower"}), _similar("nothing", {"h2"})
    ('did you mean h2?', '')
    """
    by_folded = {folded(name): name for name in sorted(names)}
    close = difflib.get_close_matches(folded(host), by_folded, 1, 0.7)
    return f"did you mean {by_folded[close[0]]}?" if close and close[0] != folded(host) else ""


def _other_user(spec: HostSpec, request: Request) -> str:
    """Say that the others of the list are logged in to as somebody else."""
    if spec.user is None:
        return ""
    others = {other.user for other in request.hosts if other is not spec}
    if spec.user in others or not others:
        return ""
    named = sorted(user for user in others if user is not None)
    return f"the other hosts are logged in to as {', '.join(named)}" if named else "no other host has a user named"
