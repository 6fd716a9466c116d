"""The client of a run that names none: the built-in one, and where that is not let in, the user's own ssh.

So whatever ``ssh -o BatchMode=yes HOST true`` can do works here too: Kerberos, keys on hardware, host-based logins,
shared masters. What has nothing to do with the client, such as a host that is off or an unknown key of a server, is not
tried a second time.
"""

from __future__ import annotations

from typing import Any

from .asking import config_of_environment, own_ssh
from .configuration import Unusable
from .openssh_client import OpenSSHClient
from .paramiko_client import ParamikoClient
from .session import Session
from .texts import failures

OF_THE_CLIENT = frozenset(
    wording.kind
    for wording in (
        failures.AUTHENTICATION_FAILED, failures.KEY_ENCRYPTED, failures.SECOND_FACTOR, failures.PROTOCOL,
        failures.SSH_CONFIG,
    )
)  # fmt: skip
"""The kinds of failures where another client may be let in."""


class DefaultClient(ParamikoClient):
    """Starts sessions by paramiko, or by the user's own ssh."""

    def __init__(self, config_file: str | None = None, **options: Any) -> None:
        super().__init__(config_file, **options)
        ssh = own_ssh()
        self._own = None
        if ssh is not None:
            config = config_file if config_file is not None else config_of_environment()
            self._own = OpenSSHClient(ssh, config, **options)

    def serve(self, session: Session) -> None:
        """As that of :class:`Client`."""
        try:
            super().serve(session)
        except Unusable as error:
            first = error.failure
        else:
            return
        if self._own is None or session.connected or session.closed or first.root not in OF_THE_CLIENT:
            raise Unusable(first)
        try:
            self._own.serve(session)
        except Unusable as error:
            unclear = error.failure.root in (failures.PROTOCOL.kind, failures.NO_SUCH_EXECUTABLE.kind)
            raise Unusable(first if unclear else error.failure) from None
