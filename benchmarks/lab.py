"""Several hosts on one machine: host processes of different names, linked directly or through a proxy.

>>> with Lab([2, 2], {(0, 1): 0.01}) as lab:                # two hosts of two Workers, 20 ms round trip between them
...     site = lab.site(1)                                  # a program that runs on the second of them
...     futures = [site.submit(abs, -3) for _ in range(100)]
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import methodcaller
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.faces import Face
from fedfutures.futures.federation import Federation
from fedfutures.futures.mapping import MapOptions, mapped
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import settings_here
from fedfutures.wire.control import AcceptBroker, BrokerAccepts, BrokerBound, DialBroker, LinkState, WorkerOutput

SLOWNESS = "FEDFUTURES_LAB_SLOWNESS"
"""The variable by which a Worker knows how many times slower than others its host is to be."""
HOST = "FEDFUTURES_LAB_HOST"
MEET_SECONDS = 20.0


class Proxy:
    """A link that can be slowed, cut and healed (:mod:`benchmarks.proxy`)."""

    def __init__(self, delay: float, place: Mapping[str, str], directory: str) -> None:
        self.addresses = [f"ipc://{directory}/{kind}" for kind in ("main", "meta", "subscriber")]
        paths = []
        for here, kind in zip(self.addresses, ("main", "meta", "subscriber"), strict=True):
            paths += [here.removeprefix("ipc://"), place[kind].removeprefix("ipc://")]
        command = [sys.executable, "-m", "benchmarks.proxy", str(delay), *paths]
        root = str(Path(__file__).resolve().parent.parent)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, start_new_session=True
        )
        self._answered()

    def delay(self, seconds: float) -> None:
        """Let everything take so long, one way."""
        self._say(f"delay {seconds}")

    def cut(self) -> None:
        """Close all connections, and refuse new ones."""
        self._say("cut")

    def hold(self) -> None:
        """Let nothing through, as a black hole does."""
        self._say("hold")

    def heal(self) -> None:
        """Undo both."""
        self._say("heal")

    def bytes(self) -> int:
        """Return how many have come through, there and back."""
        return int(self._say("bytes")[1])

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def _say(self, line: str) -> list[str]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answered()

    def _answered(self) -> list[str]:
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if not words:
            raise RuntimeError("the proxy of a link has ended")
        return words


class Site:
    """A program that runs on one of the hosts: what it submits goes to that host's Broker."""

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self.origin = federation.origin

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """As ``Executor.submit``."""
        return self.origin.submit(function, args, kwargs)

    def map(self, function: Callable[..., Any], *iterables: Iterable[Any]) -> Iterator[Any]:
        """As ``Executor.map``."""
        return mapped(self.origin, function, iterables, MapOptions())


def _awaited(handle: HostHandle, kind: type[Any]) -> Any:
    """Return the first frame of a kind that a host process says; nobody else listens to it yet."""
    why = handle._host.wait_for(lambda: any(isinstance(frame, kind) for frame in handle._early), handle._on_start)
    assert not why, why
    return next(frame for frame in handle._early if isinstance(frame, kind))


class Lab:
    """Hosts of given numbers of Workers. `ways` are one-way delays of the links that lead through a proxy.

    `links` are pairs (who dials, who is dialled), by default the first host dials all others.
    """

    def __init__(
        self,
        workers: Sequence[int],
        ways: Mapping[tuple[int, int], float] | None = None,
        *,
        links: Sequence[tuple[int, int]] | None = None,
        slowness: Sequence[float] | None = None,
        brokers: Sequence[int] | None = None,
        secure: bool = False,
        seal: bytes | None = None,
    ) -> None:
        self.directory = tempfile.mkdtemp(prefix="lab-")
        self.workers = list(workers)
        self.total = sum(workers)
        self.secure = secure
        self._seal = seal  # the run's key, as runs by ssh have one
        self.said: list[Any] = []  # what host processes reported of Brokers and Workers
        self.proxies: dict[tuple[int, int], Proxy] = {}
        self.sites: dict[int, Site] = {}
        self.handles: list[HostHandle] = []
        self._stack = contextlib.ExitStack()
        try:
            self._start(slowness or [1.0] * len(workers), brokers or [1] * len(workers))
            usual = [(0, other) for other in range(1, len(workers))]
            for pair in usual if links is None else links:
                self._link(pair, (ways or {}).get(pair))
        except BaseException:
            self.end()
            raise

    def _start(self, slowness: Sequence[float], brokers: Sequence[int]) -> None:
        for index, count in enumerate(self.workers):
            os.environ |= {SLOWNESS: str(slowness[index]), HOST: str(index)}
            settings = settings_here(
                max(1, count), host=f"h{index}", size=self.total, brokers=brokers[index], seal=self._seal
            )  # fmt: skip
            settings.far_address = "127.0.0.1" if self.secure else None
            settings.workers, settings.threads = count, 1
            self.handles.append(HostHandle(settings))
        for name in (SLOWNESS, HOST):
            del os.environ[name]
        for handle in self.handles:
            handle.wait_ready()

    def _link(self, pair: tuple[int, int], delay: float | None) -> None:
        dialling, dialled = pair
        if self.secure:
            self._link_by_tcp(dialling, dialled)
            return
        place = self.handles[dialled].facts["brokers"][0]
        addresses = [place["main"], place["meta"], place["subscriber"]]
        if delay is not None:
            directory = f"{self.directory}/{dialling}-{dialled}"
            os.mkdir(directory)
            self.proxies[pair] = Proxy(delay, place, directory)
            addresses = self.proxies[pair].addresses
        here = self.handles[dialling].facts["brokers"][0]
        self.handles[dialled].tell(AcceptBroker(0, here["name"], ""))
        self.handles[dialling].tell(DialBroker(0, place["name"], *addresses))

    def _link_by_tcp(self, dialling: int, dialled: int) -> None:
        """Link two hosts as the connector does: over TCP, with keys."""
        here, there = (_awaited(self.handles[index], BrokerBound) for index in (dialling, dialled))
        self.handles[dialled].tell(AcceptBroker(0, here.broker, here.key))
        _awaited(self.handles[dialled], BrokerAccepts)
        main, meta, subscriber = (
            f"tcp://{there.address}:{port}" for port in (there.main, there.meta, there.subscriber)
        )
        self.handles[dialling].tell(DialBroker(0, there.broker, main, meta, subscriber, there.key))

    def site(self, index: int = 0, *, attach: int = 0) -> Site:
        """Return the program at a host, begun when first asked for; `attach` is which Broker there is its own."""
        if index not in self.sites:
            federation = Federation(self.handles[index], prefix=False, attach=attach)
            self._overhear(federation)
            self.sites[index] = Site(federation)
        return self.sites[index]

    def _overhear(self, federation: Federation) -> None:
        heard = federation._heard

        def hear(frame: Any) -> None:
            if not isinstance(frame, (WorkerOutput, BrokerBound, LinkState)):
                self.said.append(frame)
            heard(frame)

        federation._heard = hear  # type: ignore[method-assign]

    def face(self, site: Site) -> Face:
        """Return a program's face for the figures."""
        return Face(site.submit, methodcaller("result"), site.map)

    def meet(self, site: Site, seconds: float = MEET_SECONDS) -> dict[int, int]:
        """Wait until every Worker has run something of this program's; return their hosts by pid."""
        met: dict[int, int] = {}
        pause = 0.01  # what takes no longer than the way is not worth it
        deadline = time.monotonic() + seconds
        while len(met) < self.total:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(met)} of {self.total} Workers ran something in {seconds:g} s")
            futures = [site.submit(who_after, pause) for _ in range(2 * self.total)]
            pause = min(2 * pause, 0.5)
            for future in futures:
                pid, host = future.result(timeout=seconds)
                met[pid] = host
        return met

    def children(self, index: int, mark: str = "fedfut-") -> list[int]:
        """Return the pids of a host process's children whose names begin so, the oldest first."""
        pid = self.handles[index].facts["pid"]
        found = []
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().startswith(mark):
                    found.append(int(child))
        return sorted(found)

    def broker(self, index: int, which: int = 0) -> int:
        """Return the pid of a Broker that has not been started again."""
        deadline = time.monotonic() + MEET_SECONDS
        while len(found := self.children(index, "fedfut-broker")) <= which:
            if time.monotonic() > deadline:
                raise TimeoutError(f"host {index} has {len(found)} Brokers")
            time.sleep(0.01)
        return found[which]

    def end(self) -> None:
        """End all programs, hosts and links."""
        for site in self.sites.values():
            site.federation.close()
        for handle in self.handles:
            handle.hang_up()
        for handle in self.handles:
            handle.end()
        for proxy in self.proxies.values():
            proxy.end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


# -- what Workers of a Lab run -----------------------------------------------------------------------------------------


def here() -> int:
    """Return the index of the host that this runs on."""
    return int(os.environ[HOST])


def who_after(seconds: float) -> tuple[int, int]:
    """Sleep, then say which Worker this is, and of which host."""
    time.sleep(seconds * float(os.environ[SLOWNESS]))
    return os.getpid(), here()


def spell(seconds: float) -> tuple[int, int, float, float]:
    """Sleep as long as this host takes for `seconds` of work; who did so, and from when to when."""
    begin = time.monotonic()
    time.sleep(seconds * float(os.environ[SLOWNESS]))
    return os.getpid(), here(), begin, time.monotonic()
