"""Before the program starts: whether each host can take part, and the table of all hosts.

A host takes part if its Python has the same minor version as the one here (functions travel as bytecode), and the same
version of fedfutures. Another version of cloudpickle is worth a warning.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fedfutures.host.hello_line import of_platform
from fedfutures.wire.control import ProbeReply

from ..ssh.texts import failures
from ..ssh.texts.failures import Failure
from .hello import HostHello
from .installation import Installation
from .packages import ProgramPackages


def local_versions() -> HostHello:
    """Return what this process would say in a hello: its versions."""
    import cloudpickle

    import fedfutures
    from fedfutures.wire.messages import PROTOCOL

    platform: dict[str, Any] = dict(of_platform())
    return HostHello(
        sys.version_info[:3], fedfutures=fedfutures.__version__, protocol=PROTOCOL,
        cloudpickle=cloudpickle.__version__, **platform,
    )  # fmt: skip


@dataclass(slots=True)
class ThisMachine:
    """What those of other hosts are compared with."""

    hello: HostHello
    packages: ProgramPackages


def check_compatible(
    host: str, hello: HostHello, ours: HostHello, ssh: str = "", *, shares_home: bool = False
) -> tuple[Failure | None, list[Failure]]:
    """Return why a host cannot take part, None if it can, and warnings.

    `ours` are the local versions; `ssh` is how people run a command there, if not by ``ssh HOST``.
    `shares_home`: that gets no input from here, but the home is the same.
    """
    assert ours.python is not None
    assert ours.fedfutures is not None
    if hello.prolog is not None:
        return failures.prolog_missing(host, hello.prolog, ssh, shares_home=shares_home), []
    if hello.python is None or hello.python < (3, 10):
        found = [f"{hello.executable} ({_version(hello.python)})"] if hello.python else list(hello.tried)
        return failures.NO_PYTHON(host, ssh=ssh, tried=", ".join(found) or "nothing"), []
    executable = hello.executable or "python3"
    if hello.python[:2] != ours.python[:2] or _unlike(hello.implementation, ours.implementation):
        versions = {"theirs": _python(hello), "ours": _python(ours), "minor": _version(ours.python[:2])}
        return failures.OTHER_PYTHON(host, ssh=ssh, executable=executable, **versions), []
    if _unlike(hello.byteorder, ours.byteorder):
        facts = {"machine": hello.machine, "theirs": hello.byteorder, "ours": ours.byteorder}
        return failures.OTHER_BYTE_ORDER(host, ssh=ssh, **facts), []
    same = hello.fedfutures == ours.fedfutures
    again = same and hello.protocol != ours.protocol
    install = failures.install(host, executable, ours.fedfutures, ssh, again=again, shares_home=shares_home)
    if hello.error is not None and hello.environment and "No module named 'fedfutures'" not in hello.error:
        facts = {"executable": executable, "names": " and ".join(hello.environment)}
        return failures.SPOILT_PYTHON(host, hello.error, ssh, **facts), []
    if hello.fedfutures is None:
        error = hello.error or "no reason given"
        return failures.FEDFUTURES_MISSING(host, error, executable=executable, install=install), []
    if hello.protocol != ours.protocol:
        what = f"fedfutures there speaks protocol {hello.protocol}, here it is {ours.protocol}"
        what += f" (versions {hello.fedfutures} and {ours.fedfutures})"
        return failures.OTHER_FEDFUTURES(host, what, install=install), []
    if not same:
        what = f"fedfutures there is {hello.fedfutures}, here it is {ours.fedfutures}"
        return failures.OTHER_FEDFUTURES(host, what, install=install), []
    if hello.error is not None:
        return failures.FEDFUTURES_MISSING(host, hello.error, executable=executable, install=install), []
    warnings = []
    if _unlike(_platform(hello), _platform(ours)):
        facts = {"theirs": _platform(hello), "ours": _platform(ours)}
        warnings.append(failures.OTHER_MACHINE(host, ssh=ssh, **facts))
    if hello.cloudpickle != ours.cloudpickle:
        theirs = hello.cloudpickle or "missing"
        facts = {"executable": executable, "theirs": theirs, "ours": str(ours.cloudpickle)}
        warnings.append(failures.CLOUDPICKLE_DIFFERS(host, ssh=ssh, **facts))
    return None, warnings


def check_wants(
    host: str, hello: HostHello, ours: HostHello, installation: Installation, ssh: str = ""
) -> Failure | None:  # fmt: skip
    """Return why a host cannot be given the fedfutures of here, None if it can; its Python is checked first."""
    executable = hello.executable or "python3"
    given = replace(hello, fedfutures=ours.fedfutures, protocol=ours.protocol, cloudpickle=ours.cloudpickle)
    failure, _ = check_compatible(host, given, ours, ssh)
    if failure is not None:
        return failure
    if hello.unprovided:
        return failures.NOT_PROVIDED(host, hello.unprovided, ssh)
    if why := installation.why_not(hello, ours):
        install = failures.install(host, executable, str(ours.fedfutures), ssh)
        return failures.CANNOT_BE_PROVIDED(host, why, install=install)
    return None


def check_fit(
    host: str, hello: HostHello, reply: ProbeReply, packages: Mapping[str, str], ssh: str = ""
) -> tuple[Failure | None, list[Failure]]:
    """Return why no run can be served by a host, None if one can, and warnings.

    `packages` are the versions here of what the program imports.
    """
    if reply.missing:
        make = f"mkdir -p {shlex.quote(reply.missing)}"
        return failures.NO_DIRECTORY(host, ssh=ssh, directory=reply.missing, make=make), []
    if reply.unusable:
        place = reply.unusable.partition(":")[0]
        return failures.NO_PRIVATE_DIRECTORY(host, reply.unusable, ssh, place=place), []
    executable = hello.executable or "python3"
    warnings = []
    for name, ours in packages.items():
        facts = {"executable": executable, "name": name, "ours": ours}
        if (theirs := reply.versions.get(name)) is None:
            warnings.append(failures.PACKAGE_MISSING(host, ssh=ssh, **facts))
        elif theirs != ours:
            warnings.append(failures.PACKAGE_DIFFERS(host, ssh=ssh, theirs=theirs, **facts))
    return None, warnings


def _unlike(theirs: str, ours: str) -> bool:
    """Whether two facts differ, of hosts that say them both."""
    return bool(theirs and ours and theirs != ours)


def _platform(hello: HostHello) -> str:
    return f"{hello.system} {hello.machine}".strip()


def _python(hello: HostHello) -> str:
    version = _version(hello.python or ())
    return version if hello.implementation in ("", "cpython") else f"{version} ({hello.implementation})"


@dataclass(slots=True)
class HostReport:
    """A row of the table."""

    name: str
    workers: int
    state: str = "ok"  # one word or two: "ok", "failed", "waiting"
    hello: HostHello | None = None
    latency: float | None = None  # seconds
    problem: Failure | None = None
    warnings: list[Failure] = field(default_factory=list)


MACHINE = "machine"
HEADINGS = ("host", "workers", "state", MACHINE, "python", "fedfutures", "protocol", "processors", "memory", "latency")
TO_THE_RIGHT = frozenset({"workers", "protocol", "processors", "memory", "latency"})
COLUMNS = 80
WHEN_EQUAL = ("protocol", "fedfutures", "python")
"""Left out, in this order, where the table is too wide and all hosts say the same."""
WHEN_NARROW = ("latency", "memory", "protocol", "fedfutures", "python", "processors")
"""Left out next."""


def table(reports: Sequence[HostReport], columns: int = COLUMNS) -> str:
    """Return the table for people: a line for each host, then for each that has a problem the reason and the remedy.

    The lines of hosts have at most so many columns: what is least worth its room is left out.

    >>> print(table([HostReport("h1", 4, latency=0.0123)]))
    host  workers  state  python  fedfutures  protocol  processors  memory  latency
    h1          4  ok     -       -                  -           -       -    12 ms
    >>> print(table([HostReport("h1", 4, latency=0.0123)], 40))
    host  workers  state  processors  memory
    h1          4  ok              -       -
    """
    rows = [HEADINGS, *(_row(report) for report in reports)]
    if len({row[HEADINGS.index(MACHINE)] for row in rows[1:]} - {"-"}) <= 1:  # the usual case, which says nothing
        rows = _without(rows, MACHINE)
    rows = _fitted(rows, columns)
    widths = _widths(rows)
    lines = ["  ".join(map(_aligned, row, rows[0], widths)).rstrip() for row in rows]
    for report in reports:
        for problem in [*([report.problem] if report.problem else []), *report.warnings]:
            lines.append("")
            lines.append(problem.text if problem.text.startswith(report.name) else f"{report.name}: {problem.text}")
            lines += [f"    {problem.remedy}"] if problem.remedy else []
            more = [*problem.detail.splitlines()[-1:], *problem.hints]
            lines += [f"    ({line.strip()})" for line in more if line.strip()]
    return "\n".join(lines)


def reasons(reports: Sequence[HostReport]) -> dict[str, str]:
    """Return why hosts cannot be used, and what to do, by host."""
    return {
        report.name: str(problem).removeprefix(f"{report.name}: ") + "".join(f" ({hint})" for hint in problem.hints)
        for report in reports
        if (problem := report.problem) is not None
    }


def _fitted(rows: list[tuple[str, ...]], columns: int) -> list[tuple[str, ...]]:
    """Leave columns out until the lines fit."""
    columns_of = dict(zip(rows[0], zip(*rows[1:])))
    equal = [heading for heading in WHEN_EQUAL if len(set(columns_of.get(heading, ())) - {"-"}) <= 1]
    for heading in dict.fromkeys((*equal, *WHEN_NARROW)):
        if sum(_widths(rows)) + 2 * (len(rows[0]) - 1) <= columns:
            break
        rows = _without(rows, heading)
    return rows


def _without(rows: list[tuple[str, ...]], heading: str) -> list[tuple[str, ...]]:
    at = rows[0].index(heading)
    return [(*row[:at], *row[at + 1 :]) for row in rows]


def _widths(rows: list[tuple[str, ...]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows)]


def _row(report: HostReport) -> tuple[str, ...]:
    hello = report.hello
    python = "-" if hello is None or hello.python is None else _version(hello.python)
    protocol = "-" if hello is None or hello.protocol is None else str(hello.protocol)
    return (
        report.name, str(report.workers), report.state if report.problem is None else report.problem.kind,
        (_platform(hello).removeprefix("Linux ") if hello else "") or "-", python,
        (hello.fedfutures if hello else None) or "-", protocol,
        str(hello.processors) if hello and hello.processors else "-", _memory(hello.memory if hello else 0),
        "-" if report.latency is None else f"{report.latency * 1000:.0f} ms",
    )  # fmt: skip


def _aligned(text: str, heading: str, width: int) -> str:
    return text.rjust(width) if heading in TO_THE_RIGHT else text.ljust(width)


def _version(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _memory(count: int) -> str:
    """Return an amount of memory for people."""
    if not count:
        return "-"
    return f"{count / 2**30:.0f} GiB" if count >= 10 << 30 else f"{count / 2**30:.1f} GiB"
