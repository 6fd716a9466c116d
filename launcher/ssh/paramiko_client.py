"""ssh by paramiko: no program has to be installed, and hosts behind an access host share one connection to it.

The thread of each session connects, shows keys, starts the command and then pumps (:mod:`.pump`); paramiko adds one for
each connection. A connection to an access host belongs to the client, not to the session that needed it first: all
sessions behind it open their own channels through it.

Everything that blocks is ended by shutting down what carries the connection, when time is over and when the session is
closed. Only the lookup of a name cannot be interrupted: a thread of its own does it, and may outlive the login.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from . import known_hosts
from .client import BUSY_SECONDS, JOIN_SECONDS, UNCHECKED, Client, Dropped
from .configuration import TAKEN_UNSEEN, Configuration, Route, Unusable
from .dialling import dial, said
from .keys import collect
from .pump import ChannelPump
from .session import CONNECT_SECONDS, Closable, LoginTarget, Session
from .texts import failures
from .texts.failures import Failure

WINDOW_BYTES = 16 << 20
KEEPALIVE_SECONDS = 5
LOOK_SECONDS = 0.2

CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
MACS = ("hmac-sha2-256", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")
TOO_MANY_KEYS = "a server takes only so many keys: name the right one with IdentityFile, and IdentitiesOnly yes"
OF_TIME = ("timeout", "no banner")
RSA = ("rsa-sha2-512", "rsa-sha2-256")


class Connection:
    """A paramiko transport, and what ends the carrier below it."""

    def __init__(self, transport: Any, end_carrier: Callable[[], None]) -> None:
        self.transport = transport
        self.end_carrier = end_carrier
        self.channel: Any = None  # of the session, if one has it

    def end(self) -> None:
        """Close it, and wait for the thread of the transport."""
        self.end_carrier()
        self.transport.close()
        self.transport.join(JOIN_SECONDS)
        if self.channel is not None:
            self.channel.close()  # only this closes its descriptors; the server hears nothing any more


class Hop:
    """The connection to an access host, which all sessions behind it share."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.connection: Connection | None = None
        self.failure: Failure | None = None

    @property
    def spent(self) -> bool:
        """Whether it has failed or is lost, so that the next session makes another one."""
        return self.ready.is_set() and (self.connection is None or not self.connection.transport.is_active())


class ParamikoClient(Client):
    """Starts sessions by paramiko."""

    def __init__(
        self, config_file: str | None = None, *, host_key_policy: str = "reject", seconds: float = CONNECT_SECONDS
    ) -> None:
        super().__init__(config_file, host_key_policy=host_key_policy, seconds=seconds)
        self._configuration: Configuration | None = None
        self._life = Closable()  # of the connections to access hosts
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._hops: dict[tuple[object, ...], Hop] = {}

    def close(self) -> None:
        """As that of :class:`Client`; the connections to access hosts end last."""
        self._life.close()
        super().close()
        for hop in self._hops.values():
            if hop.connection is not None:
                hop.connection.end()
        self._hops.clear()
        self._life.release()

    # -- a session, in its thread ------------------------------------------------------------------------------------

    def serve(self, session: Session) -> None:
        """As that of :class:`Client`."""
        route = self._route(session.target)
        session.on_patience(route.patience)
        connection = self._reach(route, session, session.notes)
        try:
            self._run_command(session, route, connection)
        finally:
            connection.end()

    def _route(self, target: LoginTarget) -> Route:
        with self._lock:
            if self._configuration is None:
                silence_logging()
                self._configuration = Configuration(self.config_file, self.seconds)
        return self._configuration.route(target)

    def _run_command(self, session: Session, route: Route, connection: Connection) -> None:
        transport = connection.transport
        with _time_limit(self.seconds, connection.end_carrier) as is_over:
            try:
                channel = transport.open_session(window_size=WINDOW_BYTES, timeout=self.seconds)
                connection.channel = channel
                channel.settimeout(0.0)
                channel.exec_command(session.target.command)
            except Exception as error:
                detail = "time is over" if is_over() else said(transport, error)
                raise Unusable(failures.NO_SESSION(route, detail)) from None
        session.on_connected()
        pump = ChannelPump(session, channel)
        pump.run()
        session.on_exit(pump.status)
        if session.status is None and not session.closed and not transport.is_active():
            session.on_failure(failures.LOST(session.target.host, str(transport.get_exception() or "")))

    # -- connections -------------------------------------------------------------------------------------------------

    def _reach(self, route: Route, life: Closable, notes: list[str]) -> Connection:
        """Return a connection that is logged in."""
        via = self._hop(route, life, notes) if route.via is not None else None
        server = f"{route.via and route.via.address}/{route.address}:{route.port}"
        return self.log_in(
            route, server, life, route.seconds, lambda seconds: self._login(route, via, life, notes, seconds)
        )

    def _hop(self, route: Route, life: Closable, notes: list[str]) -> Connection:
        """Return the connection to the access host of a route."""
        via = route.via
        assert via is not None
        with self._lock:
            hop = self._hops.get(via.identity)
            mine = hop is None or hop.spent
            if hop is None or mine:
                hop = self._hops[via.identity] = Hop()
        if mine:
            try:
                hop.connection = self._reach(via, self._life, notes)
            except Unusable as error:
                hop.failure = error.failure
            finally:
                hop.ready.set()
        while not hop.ready.wait(LOOK_SECONDS) and not life.closed:
            pass
        if hop.connection is None:
            cause = hop.failure or failures.PROTOCOL(via, "no connection")
            raise Unusable(failures.JUMP_FAILED(route.host, jump=via.host, cause=cause))
        return hop.connection

    def _login(
        self, route: Route, via: Connection | None, life: Closable, notes: list[str], seconds: float
    ) -> Connection:
        deadline = time.monotonic() + seconds
        carried = dial(route, via and via.transport, life, deadline)
        end_carrier = carried.end
        transport = _transport(carried.carrier)
        connection = Connection(transport, end_carrier)
        life.on_close(end_carrier)
        try:
            with _time_limit(deadline - time.monotonic(), end_carrier) as is_over:
                try:
                    self._shake_hands(route, transport, notes, seconds, is_over)
                    self._authenticate(route, transport)
                except (Unusable, Dropped) as error:
                    if isinstance(error, Dropped):
                        carried.raise_why(route)
                    if is_over() and not (isinstance(error, Unusable) and error.failure.kind in OF_TIME):
                        late = failures.timeout(route, seconds, "end of the login")
                        raise Unusable(late) from None
                    raise
            transport.set_keepalive(KEEPALIVE_SECONDS)
        except BaseException:
            life.forget(end_carrier)
            connection.end()
            raise
        return connection

    def _shake_hands(
        self, route: Route, transport: Any, notes: list[str], seconds: float, is_over: Callable[[], bool]
    ) -> None:
        known = _known_lines(route)
        _prefer(transport, [line.kind for line in known if line.marker != known_hosts.REVOKED])
        done = threading.Event()
        transport.start_client(event=done)
        done.wait(seconds + 1.0)
        if not transport.is_active() or not transport.initial_kex_done:
            error = transport.get_exception()
            if is_over():
                no = failures.timeout(route, seconds, "end of the key exchange")
                raise Unusable(no if transport.remote_version else failures.NO_BANNER(route, seconds=seconds))
            if isinstance(error, (EOFError, OSError)) or "banner" in str(error):
                raise Dropped(str(error) or "the connection was closed")
            raise Unusable(failures.PROTOCOL(route, str(error)))
        self._check_host_key(route, transport, known, notes)

    def _authenticate(self, route: Route, transport: Any) -> None:
        _authenticate(route, transport)

    def _check_host_key(self, route: Route, transport: Any, known: list[known_hosts.Line], notes: list[str]) -> None:
        shown = transport.get_remote_server_key()
        kind, key = shown.get_name(), shown.asbytes()
        print_ = known_hosts.fingerprint(key)
        for line in known:
            if line.marker == known_hosts.REVOKED and line.key == key:
                raise Unusable(failures.HOST_KEY_REVOKED(route, line=line, key=f"{kind} key {print_}"))
        if any(line.key == key and not line.marker for line in known):
            return
        name = known_hosts.names_of(route.address, route.port, route.known_as)[0]
        trusted = [line for line in known if not line.marker and known_hosts.matches(line.names, name)]
        if trusted and route.checking != "no":
            # A key of another type is no new key: whoever sits in between can choose the type.
            line = next((line for line in trusted if line.kind == kind), trusted[0])
            raise Unusable(failures.host_key_changed(route, name, line.where, kind, print_))
        if route.checking in TAKEN_UNSEEN:
            self.say_once(notes, UNCHECKED.format(value=route.checking))
        elif not self.accept_new or route.checking == "yes" or not route.user_known_hosts:
            raise Unusable(failures.host_key_unknown(route, kind, print_))
        if trusted:
            notes.append(
                f"{route.host}: the host shows {kind} key {print_}, which is not the one in {trusted[0].where}"
            )
        if trusted or not route.user_known_hosts or route.user_known_hosts[0] == os.devnull:
            return
        with self._storing:
            file = route.user_known_hosts[0]
            known_hosts.add(file, known_hosts.hashed_name(name) if route.hash_names else name, kind, key)
        notes.append(f"{route.host}: the host was not known; its {kind} key {print_} is now in {file}")


# -- steps of a login ------------------------------------------------------------------------------------------------


def _known_lines(route: Route) -> list[known_hosts.Line]:
    """Return what is known of a server: the lines of its name with its port, then those of its plain name."""
    lines = [
        line for line in known_hosts.read(route.user_known_hosts + route.system_known_hosts)
        if line.marker != "@cert-authority"
    ]  # fmt: skip
    names = known_hosts.names_of(route.address, route.port, route.known_as)
    return [line for name in names for line in lines if known_hosts.matches(line.names, name)]


def _transport(carrier: Any) -> Any:
    """Return paramiko's transport over a carrier; it has not sent anything yet."""
    import paramiko

    class Transport(paramiko.Transport):  # type: ignore[misc]
        """Keeps the text of a server that opens no channel; paramiko keeps only the number."""

        refusal = ""

        def _parse_channel_open_failure(self, message: Any) -> None:
            message.get_int()
            message.get_int()
            self.refusal = message.get_text()
            message.rewind()
            super()._parse_channel_open_failure(message)

    transport = Transport(carrier, default_window_size=WINDOW_BYTES)
    # paramiko's own limits never come first: _time_limit shuts the carrier down.
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = 10 * BUSY_SECONDS
    options = transport.get_security_options()
    options.ciphers = [name for name in CIPHERS if name in options.ciphers]
    options.digests = [name for name in MACS if name in options.digests]
    return transport


def _prefer(transport: Any, kinds: list[str]) -> None:
    """Ask for host keys of the types that known_hosts has: with a key of another type, a known host looks unknown."""
    options = transport.get_security_options()
    first = [name for kind in kinds for name in (RSA if kind == "ssh-rsa" else (kind,)) if name in options.key_types]
    options.key_types = list(dict.fromkeys([*first, *options.key_types]))


def _authenticate(route: Route, transport: Any) -> None:
    """Show the keys one after the other until the server accepts one. Raises Unusable."""
    import paramiko

    keys = collect(route.keys, route.keys_named, route.only_these_keys, route.agent)
    detail = ""
    try:
        for name, key in keys.usable:
            try:
                more = transport.auth_publickey(route.user, key)
                if more and not transport.is_authenticated():
                    raise Unusable(failures.SECOND_FACTOR(route, f"{name} is accepted", factors=" or ".join(more)))
            except paramiko.BadAuthenticationType as error:
                detail = f"the server takes only: {', '.join(error.allowed_types)} (--ssh-executable ssh may know how)"
                break
            except (paramiko.SSHException, EOFError, OSError) as error:
                detail = str(error)
                if not transport.is_active():
                    detail += f"; {TOO_MANY_KEYS}"
                    break
            if transport.is_authenticated():
                return
        if not keys.usable:
            with contextlib.suppress(Exception):
                transport.auth_none(route.user)  # some servers know the user by other means
            if transport.is_authenticated():
                return
    finally:
        if keys.agent is not None:
            keys.agent.close()
    if keys.encrypted:
        raise Unusable(failures.KEY_ENCRYPTED(route, detail, path=keys.encrypted[0]))
    raise Unusable(failures.authentication_failed(route, keys.tried, detail))


@contextlib.contextmanager
def _time_limit(seconds: float, end: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Call `end` when time is over; yield a function that tells whether it is."""
    over = threading.Event()

    def expire() -> None:
        over.set()
        end()

    timer = threading.Timer(max(0.0, seconds), expire)
    timer.daemon = True
    timer.start()
    try:
        yield over.is_set
    finally:
        timer.cancel()
        timer.join()


def silence_logging() -> None:
    """Keep paramiko from printing to standard error where nobody has set up logging; failures tell people."""
    logger = logging.getLogger("paramiko")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
