"""From a route to what carries a connection, against sockets, commands and transports of this process."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedfutures_launcher.ssh.configuration import Route, Unusable
from fedfutures_launcher.ssh.dialling import Carrier, dial, said
from fedfutures_launcher.ssh.session import Closable

SECONDS = 5.0


def route(address: str = "127.0.0.1", port: int = 22, **more: Any) -> Route:
    return Route(
        host="vm", address=address, port=port, user="me", known_as="", keys=[], keys_named=False, only_these_keys=False,
        agent="", user_known_hosts=[], system_known_hosts=[], checking="ask", hash_names=False, seconds=9.5, **more,
    )  # fmt: skip


@pytest.fixture
def life() -> Iterator[Closable]:
    made = Closable()
    yield made
    made.close()
    made.release()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def failure_of(target: Route, life: Closable, *, through: Any = None, seconds: float = SECONDS) -> tuple[str, str]:
    """Return (kind, detail) of why there is no connection."""
    with pytest.raises(Unusable) as raised:
        dial(target, through, life, time.monotonic() + seconds)
    return raised.value.failure.kind, raised.value.failure.detail


# -- sockets ---------------------------------------------------------------------------------------------------------


def test_a_socket_is_connected_and_what_ends_it_lets_its_readers_see_the_end(
    server: socket.socket, life: Closable
) -> None:
    carried = dial(route(port=server.getsockname()[1]), None, life, time.monotonic() + SECONDS)
    connection, end = carried.carrier, carried.end
    with connection, server.accept()[0] as peer:
        peer.sendall(b"SSH-2.0-x")
        connection.settimeout(SECONDS)
        assert connection.recv(100) == b"SSH-2.0-x"
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        end()
        end()
        assert connection.recv(100) == b""


def test_a_port_where_nobody_listens_refuses(server: socket.socket, life: Closable) -> None:
    port = server.getsockname()[1]
    server.close()
    kind, detail = failure_of(route(port=port), life)
    assert (kind, detail) == ("refused", os.strerror(111))


def test_the_next_address_of_a_name_is_tried(
    server: socket.socket, life: Closable, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, found = server.getsockname()[1], []

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        if options["flags"] & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        found.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (at, port)) for at in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with dial(route("two.example", port), None, life, time.monotonic() + SECONDS).carrier as connection:
        assert connection.getpeername() == ("127.0.0.1", port)
    assert found == ["two.example"]


def test_a_name_without_an_address_is_said_to_be_so(life: Closable, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: Any, **options: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert failure_of(route("none.example"), life) == ("unresolved name", "Name or service not known")


def test_a_name_server_that_is_silent_is_not_waited_for_beyond_the_end(
    life: Closable, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = threading.Event()

    def resolve(*_: Any, **options: Any) -> list[Any]:
        if not options["flags"]:
            silent.wait(60.0)
        raise socket.gaierror(socket.EAI_NONAME, "nothing")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    try:
        assert failure_of(route("slow.example"), life, seconds=0.01)[1] == "the name servers do not answer"
        life.close()
        assert failure_of(route("slow.example"), life, seconds=60.0)[1] == "the name servers do not answer"
    finally:
        silent.set()


def test_a_full_backlog_times_out_and_closing_ends_the_wait(life: Closable) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        port = server.getsockname()[1]
        assert failure_of(route(port=port), life, seconds=0.05)[0] == "timeout"
        life.close()
        began = time.monotonic()
        assert failure_of(route(port=port), life, seconds=60.0)[0] == "timeout"
        assert time.monotonic() - began < 30.0


# -- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.host
def test_a_proxy_command_carries_bytes_and_is_ended_with_all_it_has_started(life: Closable, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    held = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)  # it ends when no process of the command is left
    proxy = route(proxy_command=f"sh -c 'exec 3>{fifo}; sleep 600 & cat; wait'")
    carried = dial(proxy, None, life, time.monotonic() + SECONDS)
    end = carried.end
    with carried.carrier as connection:
        connection.settimeout(SECONDS)
        connection.sendall(b"echo")
        assert connection.recv(100) == b"echo"
        assert select.select([held], [], [], 0.0) == ([], [], [])
        end()
        assert connection.recv(100) == b""
        assert select.select([held], [], [], SECONDS)[0]
        assert os.read(held, 1) == b""
        end()
    os.close(held)


@pytest.mark.host
@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("sh -c 'echo first; echo second >&2; exit 7'", "its ProxyCommand ended (exit code 7): second"),
        ("/no/such/helper 10.0.0.1", "its ProxyCommand ended (exit code 127): /bin/sh: "),
        ("sh -c 'kill -9 $$'", "its ProxyCommand was killed (signal SIGKILL)"),
        ("sh -c 'for n in 1 2 3 4; do echo $n >&2; done; exit 1'", ": 2 / 3 / 4"),
        ("sh -c 'echo Connection reset by 10.0.0.1 >&2; exit 255'", ""),
        ("sh -c 'echo it succeeded >&2'", ""),
        ("sleep 60", ""),
    ],
)
def test_a_proxy_command_that_has_failed_says_why(life: Closable, command: str, why: str) -> None:
    """But neither one through which a busy server has dropped the connection, nor one that still runs."""
    place = route(proxy_command=command)
    carried = dial(place, None, life, time.monotonic() + SECONDS)
    try:
        with carried.carrier, pytest.raises(Unusable) if why else contextlib.nullcontext() as raised:
            carried.raise_why(place)
        if raised is not None:
            assert raised.value.failure.kind == "proxy command failed"
            assert why in raised.value.failure.text
            assert raised.value.failure.remedy == command
    finally:
        carried.end()


# -- access hosts ----------------------------------------------------------------------------------------------------


class ChannelException(Exception):
    """Named as that of paramiko, by which it is known."""

    code = 2


class Transport:
    """A connection to an access host, which opens a channel or does not."""

    def __init__(self, answer: Any, refusal: str = "") -> None:
        self.answer, self.refusal = answer, refusal
        self.asked: list[tuple[Any, ...]] = []

    def open_channel(self, kind: str, target: Any, source: Any, **options: Any) -> Any:
        self.asked.append((kind, target))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Channel:
    """A channel that has received something."""

    def __init__(self, *received: bytes) -> None:
        self.received, self.closed, self.in_buffer = list(received), False, self
        self.settimeout = self.send = None

    def recv(self, count: int) -> bytes:
        return self.received.pop(0) if self.received else b""

    def close(self) -> None:
        self.closed = True


def test_an_access_host_is_asked_for_a_channel_to_the_address(life: Closable) -> None:
    channel = Channel()
    transport = Transport(channel)
    carried = dial(route("10.0.0.9", 2222), transport, life, time.monotonic() + SECONDS)
    assert transport.asked == [("direct-tcpip", ("10.0.0.9", 2222))]
    assert isinstance(carried.carrier, Carrier)
    carried.raise_why(route())
    carried.end()
    assert channel.closed


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        ("Connection refused", "refused"),
        ("Connection timed out", "timeout"),
        ("Name or service not known", "unresolved name"),
        ("No route to host", "unreachable"),
    ],
)
def test_what_an_access_host_says_decides_the_kind_of_failure(life: Closable, refusal: str, kind: str) -> None:
    transport = Transport(ChannelException("(2, 'Connect failed')"), refusal)
    found, detail = failure_of(route(via=route()), life, through=transport)
    assert found == kind
    assert kind == "timeout" or refusal in detail


def test_an_access_host_may_let_nothing_through(life: Closable) -> None:
    refused = ChannelException("(1, 'Administratively prohibited')")
    refused.code = 1
    kind, _ = failure_of(route(via=route()), life, through=Transport(refused, "open failed"))
    assert kind == "not let through"


def test_other_errors_of_paramiko_speak_for_themselves() -> None:
    transport = Transport(None, "of an earlier channel")
    assert said(transport, EOFError("gone")) == "gone"
    assert said(transport, EOFError()) == "EOFError"
    assert said(transport, ChannelException("code")) == "of an earlier channel"


def test_a_carrier_gives_out_in_small_reads_what_one_read_of_the_channel_brought() -> None:
    carrier = Carrier(Channel(b"abcde", b"fg"))
    assert [carrier.recv(2) for _ in range(5)] == [b"ab", b"cd", b"e", b"fg", b""]
