"""Two hosts that are linked as hosts of a run are, and what attackers use against the one that is dialled."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import zmq
from launching import eventually
from overhearing import overhear
from zmq.utils.monitor import parse_monitor_message

from fedfutures.futures.federation import Federation
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import settings_here
from fedfutures.sockets.keys import Keys, make_keys
from fedfutures.sockets.options import present
from fedfutures.sockets.sockets import context
from fedfutures.wire.control import AcceptBroker, BrokerAccepts, BrokerBound, DialBroker, LinkState

SECONDS = 15.0
ADDRESS = "127.0.0.1"
KINDS = ("main", "meta", "subscriber")
WORKERS = (1, 2)
MOST_GROWTH_BYTES = 16 << 20
SEAL = os.urandom(32)
"""The run's key; attackers do not have it."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Host:
    """A host process, and what it has said."""

    def __init__(self, index: int, command: Sequence[str] | None = None) -> None:
        self.name = f"h{index}"
        settings = settings_here(WORKERS[index], host=self.name, size=sum(WORKERS), far_address=ADDRESS, seal=SEAL)
        self.handle = HostHandle(settings, command=command)
        self.said: list[Any] = []

    def hear(self, frame: Any) -> None:
        self.said.append(frame)

    def found(self, kind: type[Any], **fields: Any) -> Any:
        """The newest frame of a kind that has these values; None."""
        return next((frame for frame in reversed(self.said) if _is_like(frame, kind, fields)), None)

    def wait_for(self, kind: type[Any], **fields: Any) -> Any:
        assert eventually(lambda: self.found(kind, **fields) is not None, SECONDS), (kind, fields, self.said)
        return self.found(kind, **fields)

    @property
    def broker(self) -> str:
        return f"{self.name}.broker"

    @property
    def places(self) -> dict[str, Any]:
        """Where the Broker is, and its key."""
        bound = self.wait_for(BrokerBound, broker=self.broker)
        return {name: getattr(bound, name) for name in ("key", "address", *KINDS)}

    @property
    def pid(self) -> int:
        """The Broker's."""
        host = self.handle.facts["pid"]
        for child in Path(f"/proc/{host}/task/{host}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().startswith("fedfut-broker"):
                return int(child)
        raise AssertionError("no Broker")

    def memory(self) -> int:
        """Bytes that the Broker has in memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_BYTES

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def _is_like(frame: Any, kind: type[Any], fields: dict[str, Any]) -> bool:
    return isinstance(frame, kind) and all(getattr(frame, name) == value for name, value in fields.items())


class Pair:
    """`up` dials `down`; the program runs on `up`. `command` starts other host processes, `taken` another on `down`."""

    def __init__(self, command: Sequence[str] | None = None, *, taken: Sequence[str] | None = None) -> None:
        self.up, self.down = Host(0, command), Host(1, taken or command)
        self.strangers: dict[str, Keys] = {}
        try:
            overhear(self.up.handle, self.up.hear)
            self.federation = Federation(self.up.handle, prefix=False)
            self.origin = self.federation.origin
            self.down.handle.wait_ready()
            self.down.handle.listen(self.down.hear)
            self.allow(self.up.broker, self.up.places["key"])
            self.dial()
            self.up.wait_for(LinkState, neighbour=self.down.broker, up=True)
        except BaseException:
            self.end()
            raise

    def allow(self, name: str, key: str) -> None:
        """Have `down` let somebody in."""
        before = len(self.down.said)
        self.down.handle.tell(AcceptBroker(0, name, key))
        assert eventually(lambda: BrokerAccepts(self.down.broker, name) in self.down.said[before:], SECONDS)

    def dial(self, *, places: dict[str, Any] | None = None) -> None:
        """Have `up` dial `down`, where it is or at other places."""
        places = places or self.down.places
        self.up.handle.tell(dial_frame(self.down.broker, places))

    def member(self, name: str) -> Keys:
        """Keys that `down` lets in under a name: what an attacker has who has taken over a site."""
        if name not in self.strangers:
            self.strangers[name] = make_keys()
        self.allow(name, self.strangers[name].public)
        return self.strangers[name]

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Any:
        return self.origin.submit(function, args, {})

    def serves(self, count: int = 40, seconds: float = 0.002) -> bool:
        """Whether Futures get their own values."""
        found = [self.submit(square, number, seconds) for number in range(count)]
        return [future.result(timeout=SECONDS)[0] for future in found] == [number**2 for number in range(count)]

    def reaches_down(self) -> bool:
        """Whether the link is there: `down` runs something for the program."""
        found = [self.submit(square, number, 0.01) for number in range(20)]
        return self.down.handle.facts["pid"] in {future.result(timeout=SECONDS)[1] for future in found}

    def end(self) -> None:
        if hasattr(self, "federation"):
            self.federation.close()
        for host in (self.up, self.down):
            host.handle.hang_up()
            host.handle.end()

    @contextlib.contextmanager
    def unharmed(self) -> Iterator[None]:
        """What is done meanwhile harms nobody: Futures run before, during and after, and the Broker does not grow."""
        pid, memory = self.down.pid, self.down.memory()
        during = [self.submit(square, number, 0.005) for number in range(60)]
        yield
        assert [future.result(timeout=SECONDS)[0] for future in during] == [number**2 for number in range(60)]
        assert self.serves()
        assert eventually(self.reaches_down, SECONDS), "the link is gone"
        assert self.down.pid == pid, "the Broker has ended"
        assert self.down.memory() - memory <= MOST_GROWTH_BYTES


def dial_frame(name: str, places: dict[str, Any]) -> DialBroker:
    """What tells a host process to dial a Broker at these places."""
    return DialBroker(0, name, *(address(places, kind) for kind in KINDS), places["key"])


def square(number: int, seconds: float) -> tuple[int, int]:
    """Take a while; who did so."""
    time.sleep(seconds)
    return number**2, os.getppid()


# -- attackers ---------------------------------------------------------------------------------------------------------

PARTNERS = {
    "main": (zmq.DEALER, zmq.REQ, zmq.ROUTER),
    "meta": (zmq.SUB, zmq.XSUB),
    "subscriber": (zmq.PUB, zmq.XPUB),
}
"""Socket types that libzmq lets talk to those that are bound."""
VERDICTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)  # fmt: skip


class Attacker:
    """Sockets of a context of its own."""

    def __init__(self) -> None:
        self.owner = context()
        self.made: list[Any] = []
        self.monitors: dict[int, Any] = {}  # by the id of what they watch

    def socket(self, kind: int, address: str, keys: Keys | None = None, server: str = "", **options: Any) -> Any:
        """A socket that is connected, with some keys or none."""
        made = self.owner.socket(kind)
        self.made.append(made)
        made.linger, made.reconnect_ivl = 0, -1
        if keys is not None:
            present(made, keys, server)
        for name, value in options.items():
            setattr(made, name, value)
        if kind in (zmq.SUB, zmq.XSUB):
            made.send(b"\1") if kind == zmq.XSUB else made.setsockopt(zmq.SUBSCRIBE, b"")
        self.made.append(monitor := made.get_monitor_socket(VERDICTS))
        made.connect(address)
        self.monitors[id(made)] = monitor
        return made

    def verdict(self, made: Any) -> int:
        """How the handshake has ended."""
        monitor = self.monitors[id(made)]
        assert monitor.poll(5000), "no verdict"
        return int(parse_monitor_message(monitor.recv_multipart())["event"])

    def end(self) -> None:
        self.owner.destroy(linger=0)


def address(places: dict[str, Any], kind: str = "main") -> str:
    return f"tcp://{places['address']}:{places[kind]}"


def raw(places: dict[str, Any], kind: str) -> socket.socket:
    """A plain connection."""
    return socket.create_connection((places["address"], places[kind]), timeout=5.0)


class Tap(threading.Thread):
    """Stands between who dials and a port. `change(chunk)` is what becomes of what is sent towards the port."""

    def __init__(self, port: int, change: Callable[[bytes], bytes]) -> None:
        super().__init__(daemon=True)
        self._port, self._change = port, change
        self._listener = socket.create_server((ADDRESS, 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.recorded = bytearray()
        self.start()

    def run(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
                there = socket.create_connection((ADDRESS, self._port))
            except OSError:
                return
            self._open += [here, there]
            for one, other, change in ((here, there, self._there), (there, here, bytes)):
                thread = threading.Thread(target=self._pass, args=(one, other, change), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _there(self, chunk: bytes) -> bytes:
        self.recorded += chunk
        return self._change(chunk)

    def _pass(self, one: socket.socket, other: socket.socket, change: Callable[[bytes], bytes]) -> None:
        with contextlib.suppress(OSError):
            while chunk := one.recv(1 << 16):
                other.sendall(change(chunk))
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join(5)
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for end in self._open:
            end.close()
