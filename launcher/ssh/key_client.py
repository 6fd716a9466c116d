"""Sessions by TCP at the keeper of a standing Federation: ssh with a key of its own, at a server of the keeper's own.

The user's ssh config and known hosts do not count: which key the server has, its address says.
"""

from __future__ import annotations

from typing import Any

from . import known_hosts
from .configuration import Route, Unusable
from .own_keys import loaded, public_line, usual_path
from .paramiko_client import Connection, ParamikoClient
from .session import CONNECT_SECONDS, Closable, LoginTarget
from .texts import failures


class KeyClient(ParamikoClient):
    """Starts sessions there. `server`: the fingerprint of its key.

    Raises StartFailed where this user has no key, or one that others can read.
    """

    def __init__(self, server: str, seconds: float = CONNECT_SECONDS) -> None:
        super().__init__(seconds=seconds)
        self._server, self._path = server, usual_path()
        self._line = public_line(loaded(self._path))

    def _route(self, target: LoginTarget) -> Route:
        return Route(
            target.host, target.host, target.port or 0, target.user or "", known_as="", keys=[self._path],
            keys_named=True, only_these_keys=True, agent="", user_known_hosts=[], system_known_hosts=[], checking="yes",
            hash_names=False, seconds=self.seconds,
        )  # fmt: skip

    def _reach(self, route: Route, life: Closable, notes: list[str]) -> Connection:
        try:
            return super()._reach(route, life, notes)
        except Unusable as error:
            if error.failure.kind != failures.REFUSED.kind:
                raise
            raise Unusable(failures.NOBODY_LISTENS(route)) from None

    def _check_host_key(self, route: Route, transport: Any, *_: Any) -> None:
        shown = known_hosts.fingerprint(transport.get_remote_server_key().asbytes())
        if shown != self._server:
            raise Unusable(failures.OTHER_SERVER(route, shown=shown, wanted=self._server))

    def _authenticate(self, route: Route, transport: Any) -> None:
        try:
            super()._authenticate(route, transport)
        except Unusable as error:
            if error.failure.kind != failures.AUTHENTICATION_FAILED.kind:
                raise
            raise Unusable(failures.KEY_NOT_ALLOWED(route, error.failure.detail, public=self._line)) from None
