"""ssh by paramiko: no program has to be installed, and hosts behind an access host share one connection to it.

Each session has a thread, which connects, shows keys, runs the command and then pumps (:mod:`.pump`); paramiko adds one
for each connection. A connection to an access host belongs to the client, not to the session that happened to need it
first: all sessions behind it open their own channels through it.

Whatever blocks is ended in one way: by shutting the socket down, be it because time is over or because the session is
closed. Only names are looked up in a thread that may stay behind for a while, since nothing can interrupt that.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from . import known_hosts
from .configuration import Configuration, Route, Unusable
from .dialling import dial, said
from .keys import collect
from .pacing import Pace, pause
from .pump import ChannelPump
from .session import BUSY_SECONDS, CONNECT_SECONDS, JOIN_SECONDS, Closable, LoginTarget, OpenSessions, Session
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


class Dropped(Exception):
    """The server has ended the connection before anybody could log in."""


class Connection:
    """A paramiko transport, and what it stands on."""

    def __init__(self, transport: Any, end_carrier: Callable[[], None]) -> None:
        self.transport = transport
        self.end_carrier = end_carrier
        self.channel: Any = None  # that of a session

    def end(self) -> None:
        """Close it; the thread of the transport ends with it."""
        self.end_carrier()
        self.transport.close()
        self.transport.join(JOIN_SECONDS)
        if self.channel is not None:
            self.channel.close()  # nobody can be told any more; but its descriptors are closed only here


class Hop:
    """The connection to an access host, made once for all sessions behind it."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.connection: Connection | None = None
        self.failure: Failure | None = None

    @property
    def spent(self) -> bool:
        """Whether it has failed, or is lost: another one has to be made."""
        return self.ready.is_set() and (self.connection is None or not self.connection.transport.is_active())


class ParamikoClient:
    """Starts sessions by paramiko. `config_file` takes the place of the user's and the system's ssh config."""

    def __init__(self, config_file: str | None = None, *, host_key_policy: str = "reject") -> None:
        self._config_file = config_file
        self._accept_new = host_key_policy == "accept-new"
        self._configuration: Configuration | None = None
        self._pace = Pace()
        self._life = Closable()  # of the connections to access hosts
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._sessions = OpenSessions()
        self._hops: dict[tuple[object, ...], Hop] = {}

    def start(self, target: LoginTarget) -> Session:
        """Start a session; returns at once."""
        return self._sessions.start(target, self._serve)

    def close(self) -> None:
        """Close all sessions, and end every thread and process."""
        self._life.close()
        self._sessions.close()
        for hop in self._hops.values():
            if hop.connection is not None:
                hop.connection.end()
        self._hops.clear()
        self._life.release()

    # -- a session, in its thread ------------------------------------------------------------------------------------

    def _serve(self, session: Session) -> None:
        target = session.target
        connection = None
        try:
            route = self._route(target)
            connection = self._reach(route, session, session.notes)
            self._run_command(session, route, connection)
        except Unusable as error:
            session.on_failure(error.failure)
        except Exception as error:
            session.on_failure(failures.protocol(failures.Place(target.host), f"{type(error).__name__}: {error}"))
        finally:
            if connection is not None:
                connection.end()

    def _route(self, target: LoginTarget) -> Route:
        with self._lock:
            if self._configuration is None:
                _silence_logging()
                self._configuration = Configuration(self._config_file)
        return self._configuration.route(target)

    def _run_command(self, session: Session, route: Route, connection: Connection) -> None:
        transport = connection.transport
        with _time_limit(CONNECT_SECONDS, connection.end_carrier) as is_over:
            try:
                channel = transport.open_session(window_size=WINDOW_BYTES, timeout=CONNECT_SECONDS)
                connection.channel = channel
                channel.settimeout(0.0)
                channel.exec_command(session.target.command)
            except Exception as error:
                detail = "time is over" if is_over() else said(transport, error)
                raise Unusable(failures.no_session(route.place, detail)) from None
        session.on_connected()
        pump = ChannelPump(session, channel)
        pump.run()
        session.on_exit(pump.status)
        if session.status is None and not session.closed and not transport.is_active():
            session.on_failure(failures.lost(session.target.host, str(transport.get_exception() or "")))

    # -- connections -------------------------------------------------------------------------------------------------

    def _reach(self, route: Route, life: Closable, notes: list[str]) -> Connection:
        """Return a connection that is logged in; tries again while the server drops connections."""
        via = self._hop(route, life, notes) if route.via is not None else None
        server = f"{route.via and route.via.address}/{route.address}:{route.port}"
        started, tries = 0.0, 0
        while True:
            with self._pace.slot(server):
                now = time.monotonic()
                started = started or now
                seconds = min(route.seconds or CONNECT_SECONDS, CONNECT_SECONDS, started + BUSY_SECONDS - now)
                try:
                    return self._login(route, via, life, notes, max(0.1, seconds))
                except Dropped as error:
                    detail = str(error)
            tries += 1
            self._pace.dropped(server)
            rest = pause(tries)
            if life.closed or time.monotonic() + rest > started + BUSY_SECONDS:
                raise Unusable(failures.too_many_connections(route.place, tries, detail))
            life.pause(rest)

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
            cause = hop.failure or failures.protocol(via.place, "no connection")
            raise Unusable(failures.jump_failed(route.host, via.host, cause))
        return hop.connection

    def _login(
        self, route: Route, via: Connection | None, life: Closable, notes: list[str], seconds: float
    ) -> Connection:
        deadline = time.monotonic() + seconds
        carrier, end_carrier = dial(route, via and via.transport, life, deadline)
        transport = _transport(carrier)
        connection = Connection(transport, end_carrier)
        life.on_close(end_carrier)
        try:
            with _time_limit(deadline - time.monotonic(), end_carrier) as is_over:
                try:
                    self._shake_hands(route, transport, notes, seconds, is_over)
                    _authenticate(route, transport)
                except (Unusable, Dropped) as error:
                    if is_over() and not (isinstance(error, Unusable) and error.failure.kind in OF_TIME):
                        late = failures.timeout(route.place, seconds, "end of the login")
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
        lines = list(known_hosts.read(route.user_known_hosts + route.system_known_hosts))
        name = route.known_as.lower() or known_hosts.entry_name(route.address, route.port)
        known = [line for line in known_hosts.lines_for(lines, name) if line.marker != "@cert-authority"]
        _prefer(transport, [line.kind for line in known if line.marker != known_hosts.REVOKED])
        done = threading.Event()
        transport.start_client(event=done)
        done.wait(seconds + 1.0)
        if not transport.is_active() or not transport.initial_kex_done:
            error = transport.get_exception()
            if is_over():
                no = failures.timeout(route.place, seconds, "end of the key exchange")
                raise Unusable(no if transport.remote_version else failures.no_banner(route.place, seconds))
            if isinstance(error, (EOFError, OSError)) or "banner" in str(error):
                raise Dropped(str(error) or "the connection was closed")
            raise Unusable(failures.protocol(route.place, str(error)))
        self._check_host_key(route, transport, name, known, notes)

    def _check_host_key(
        self, route: Route, transport: Any, name: str, known: list[known_hosts.Line], notes: list[str]
    ) -> None:
        shown = transport.get_remote_server_key()
        kind, key = shown.get_name(), shown.asbytes()
        print_, place = known_hosts.fingerprint(key), route.place
        for line in known:
            if line.marker == known_hosts.REVOKED and line.key == key:
                raise Unusable(failures.host_key_revoked(place, line.where, kind, print_))
        trusted = [line for line in known if not line.marker]
        if any(line.key == key for line in trusted):
            return
        if trusted:
            # One of another type does not help: whoever sits in between can always show one of another type.
            line = next((line for line in trusted if line.kind == kind), trusted[0])
            raise Unusable(failures.host_key_changed(place, name, line.where, kind, print_))
        if not self._accept_new or route.strict or not route.user_known_hosts:
            raise Unusable(failures.host_key_unknown(place, kind, print_))
        with self._storing:
            file = route.user_known_hosts[0]
            known_hosts.add(file, known_hosts.hashed_name(name) if route.hash_names else name, kind, key)
        notes.append(f"{route.host}: the host was not known; its {kind} key {print_} is now in {file}")


# -- steps of a login ------------------------------------------------------------------------------------------------


def _transport(carrier: Any) -> Any:
    """Return paramiko's transport over a connection; it has not said anything yet."""
    import paramiko

    class Transport(paramiko.Transport):  # type: ignore[misc]
        """Keeps what a server says when it opens no channel: paramiko itself keeps only the number."""

        refusal = ""

        def _parse_channel_open_failure(self, message: Any) -> None:
            message.get_int()
            message.get_int()
            self.refusal = message.get_text()
            message.rewind()
            super()._parse_channel_open_failure(message)

    transport = Transport(carrier, default_window_size=WINDOW_BYTES)
    # Time is up when the carrier is shut down, and not before.
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = 10 * BUSY_SECONDS
    options = transport.get_security_options()
    options.ciphers = [name for name in CIPHERS if name in options.ciphers]
    options.digests = [name for name in MACS if name in options.digests]
    return transport


def _prefer(transport: Any, kinds: list[str]) -> None:
    """Ask for host keys of the types that known_hosts has; others make a known host look unknown."""
    options = transport.get_security_options()
    first = [name for kind in kinds for name in (RSA if kind == "ssh-rsa" else (kind,)) if name in options.key_types]
    options.key_types = list(dict.fromkeys([*first, *options.key_types]))


def _authenticate(route: Route, transport: Any) -> None:
    """Show the keys one after the other. Raises Unusable."""
    import paramiko

    keys = collect(route.keys, route.keys_named, route.only_these_keys, route.agent)
    detail = ""
    try:
        for _, key in keys.usable:
            try:
                transport.auth_publickey(route.user, key)
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
        if not keys.usable and _let_in_without(route, transport):
            return
    finally:
        if keys.agent is not None:
            keys.agent.close()
    if keys.encrypted:
        raise Unusable(failures.key_encrypted(route.place, keys.encrypted[0], detail))
    raise Unusable(failures.authentication_failed(route.place, keys.tried, detail))


def _let_in_without(route: Route, transport: Any) -> bool:
    """Some servers know who it is by other means."""
    with contextlib.suppress(Exception):
        transport.auth_none(route.user)
    return bool(transport.is_authenticated())


@contextlib.contextmanager
def _time_limit(seconds: float, end: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Call `end` when time is over; what is yielded tells whether it is."""
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


def _silence_logging() -> None:
    """paramiko would print to standard error where nobody has set logging up; failures say it all."""
    logger = logging.getLogger("paramiko")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
