"""``--stage-out``: files that Futures have written on other hosts are brought back when the run has ended.

The program starts this as ``python -m fedfutures_launcher.connector.staging`` once its Workers have ended, and waits.
It logs in to each host again, by a way that leads there, and has a small program there send as a tar archive what
matches the patterns and was written while the run lasted (:mod:`..ssh.texts.command`). The files of each host come into
a directory of its name below ``stage-out``, in the program's working directory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from fedfutures.errors import StartFailed
from fedfutures.host.frame_line import read_first
from fedfutures.wire.control import BeginRun
from fedfutures.wire.framing import FrameReader

from ..hosts.spec import HostSpec
from ..layout.assemble import Request, request_from
from ..remote.staged import ArchiveReader, StagedFiles
from ..ssh.session import Session
from .access import Way, Ways, staging_target
from .handle import STAGED_HOSTS, STAGED_SECONDS

DIRECTORY = "stage-out"
SILENT_SECONDS = 30.0
"""A host that sends nothing for so long, or cannot be logged in to, is given up."""
AT_ONCE = 16


class Staging:
    """Brings the files of all hosts; `seconds`: how long the run has lasted."""

    def __init__(self, request: Request, ways: Ways, seconds: float) -> None:
        self._request, self._ways, self._seconds = request, ways, seconds
        self.directory = os.path.join(request.settings.directory or os.getcwd(), DIRECTORY)

    def bring(self, hosts: Sequence[str]) -> list[str]:
        """Bring the files of these hosts; return lines for people."""
        specs = [spec for spec in self._request.hosts if spec.name in hosts]
        with ThreadPoolExecutor(min(AT_ONCE, max(1, len(specs)))) as pool:
            found = dict(zip((spec.name for spec in specs), pool.map(self._bring_of, specs)))
        files = sum(one.files for one in found.values())
        said = [f"{name}: {one.why}" for name, one in found.items() if one.why]
        if not files and not said:
            patterns = " ".join(self._request.options.stage_out)
            said = [f"--stage-out: no file that was written on other hosts in this run matches {patterns}"]
        elif files:
            size = sum(one.size for one in found.values())
            said.append(f"{files} file{'s' * (files != 1)} of other hosts ({_shown(size)}): {self.directory}")
        return said

    def _bring_of(self, spec: HostSpec) -> StagedFiles:
        """Bring the files of one host, by the first way that leads there."""
        staged = StagedFiles(0, 0, "no launcher leads there")
        for way in self._ways.to(spec):
            staged = self._bring_by(way, spec)
            if not staged.why:
                break
        return staged

    def _bring_by(self, way: Way, spec: HostSpec) -> StagedFiles:
        if way.client.shares_home:
            return StagedFiles(0, 0, f"{way.name} passes no files on; take a directory that hosts share, by --path")
        session = way.client.start(staging_target(spec, self._request, self._seconds))
        session.close_input()
        arrivals = ArchiveReader(
            session.read_fd, os.path.join(self.directory, spec.name.replace("/", "_")), SILENT_SECONDS
        )
        try:
            staged = arrivals.take()
        except OSError as error:
            staged = StagedFiles(0, 0, f"{error.filename or self.directory}: {error.strerror or error}")
        finally:
            why = _why(session)
            session.close()
        if not staged.why:
            return staged
        return staged._replace(why=f"its files were not brought back, since {why or staged.why}; try: {way.by_hand} ls")


def _why(session: Session) -> str:
    """Return why a session has failed, "" if it has not."""
    return "" if session.failure is None else session.failure.text.removeprefix(f"{session.target.name}: ")


def _shown(size: int) -> str:
    """Return a number of bytes for people.

    >>> _shown(9), _shown(5 << 20)
    ('0.0 MiB', '5.0 MiB')
    """
    return f"{size / (1 << 20):.1f} MiB"


def main() -> None:
    """Bring the files of a run; standard input says of which one."""
    frames = read_first(FrameReader())
    if not frames or not isinstance(frames[0], BeginRun):
        raise SystemExit(0)
    value = frames[0].request
    seconds, hosts = value.pop(STAGED_SECONDS), value.pop(STAGED_HOSTS)
    ways = Ways(request := request_from(value))
    try:
        said = Staging(request, ways, seconds).bring(hosts)
    except StartFailed as error:
        said = [str(error)]
    print("".join(f"fedfutures: {line}\n" for line in said), end="", file=sys.stderr, flush=True)
    ways.close()
    os._exit(0)  # an ssh library may still have threads


if __name__ == "__main__":
    main()
