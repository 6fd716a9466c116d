"""Sessions by the keeper of a standing Federation on another machine: by ssh to that, and by its keeper from there."""

from __future__ import annotations

from fedfutures.errors import StartFailed
from fedfutures.wire.control import HostStarted, OpenSession, StartRefused, WatchHosts

from ..ssh.client import Client
from ..ssh.configuration import Unusable
from ..ssh.session import Session
from ..ssh.texts import failures
from .keeper_visit import FarPlace, KeeperVisit
from .socket_session import join
from .table import KEEPER


class FarKeeperClient(Client):
    """Starts sessions at the keeper of `place`; `client` logs in there, once for each session."""

    name = KEEPER

    def __init__(self, client: Client, place: FarPlace) -> None:
        super().__init__()
        self._client, self._place = client, place

    def serve(self, session: Session) -> None:
        """As that of :class:`Client`."""
        host = session.target.name
        try:
            visit = KeeperVisit(self._client, self._place, self._client.seconds)
            session.on_close(visit.session.close)
            answer = visit.ask(OpenSession(0, host, session.target.command) if host else WatchHosts())
        except StartFailed as error:
            raise Unusable(failures.KEEPER_AWAY(host, error.summary)) from None
        try:
            if not isinstance(answer, HostStarted):
                why = answer.reason if isinstance(answer, StartRefused) else f"{type(answer).__name__} has come"
                raise Unusable(failures.KEEPER_REFUSES(host, why))
            session.on_connected()
            join(session, visit.session.read_fd, visit.session.write_fd, visit.session.close)
        finally:
            visit.session.close()

    def close(self) -> None:
        """As that of :class:`Client`."""
        super().close()
        self._client.close()
