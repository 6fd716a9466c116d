"""What the tests of schedulers ask of an environment."""

from __future__ import annotations

from collections.abc import Mapping

from fedfutures_launcher.hosts.schedulers import Allocation, allocation_from


def what(
    environ: Mapping[str, str], files: Mapping[str, str] | None = None, *, on_terminal: bool = False
) -> Allocation | None:
    """Return what a job has; files that are not there raise as open does."""

    def read(path: str) -> str:
        try:
            return (files or {})[path]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory", path) from None

    return allocation_from(environ, read, on_terminal=on_terminal)


def hosts(
    environ: Mapping[str, str], files: Mapping[str, str] | None = None
) -> tuple[str, dict[str, int | None]] | None:
    """Return the scheduler and the counts."""
    found = what(environ, files)
    return found and (found.scheduler, {spec.host: spec.count for spec in found.hosts})
