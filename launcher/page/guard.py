"""Who may ask the page's server for what. Pure.

Any page that the user has open in a browser, and any other user of this machine, can reach a server on loopback. So
every request of whatever method must name this machine as its ``Host`` (a page elsewhere whose name was made to mean
127.0.0.1 does not), must not come from another page (``Origin``), and must bear the token, which only this server's
own page has; the first page is opened by a link that works once. No cookies: a browser would send them unasked.

Source: faults of peers, for which CVE-2021-42343 (Dask) and CVE-2023-48022 (Ray) stand.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

OWN_NAMES = ("127.0.0.1", "localhost", "::1")
READING = ("GET", "HEAD")
_BEARER = "bearer "


class RefusedRequest(NamedTuple):
    """Why a request is not answered: the status of HTTP, and a text for people."""

    status: int
    text: str


NO_TOKEN = RefusedRequest(
    401, "This link was used, or is not one of this page. A new one is printed by: fedfutures page"
)
WRONG_HOST = RefusedRequest(403, "This page answers only to 127.0.0.1 and localhost; forward a port by: ssh -L")
WRONG_ORIGIN = RefusedRequest(403, "Another page has sent this request.")
READ_ONLY = RefusedRequest(403, "This page only shows; start it with --page-control to end Futures.")


class RequestGuard:
    """What is known of the one who may. `controls`: the page may end Futures, so POST is answered.

    reader: another token, of programs that only read; "": there is none.
    """

    def __init__(self, token: str, *, controls: bool, reader: str = "") -> None:
        self._token, self._reader = token.encode(), reader.encode()
        self._methods = (*READING, "POST") if controls else READING

    def refusal(self, method: str, headers: Mapping[str, str]) -> RefusedRequest | None:
        """Return why a request is refused, None: it may be answered.

        headers: with names in lower case, and of a name that was given twice both values, separated by a comma.

        >>> guard = RequestGuard("t", controls=False)
        >>> good = {"host": "127.0.0.1:80", "authorization": "Bearer t"}
        >>> guard.refusal("GET", good), guard.refusal("GET", good | {"host": "evil.example"}).status
        (None, 403)
        """
        found = self.refusal_of_stranger(method, headers)
        if found is not None:
            return found
        given = headers.get("authorization", "")
        if not given.lower().startswith(_BEARER):
            return NO_TOKEN
        token = given[len(_BEARER) :].strip().encode()
        if hmac.compare_digest(token, self._token):
            return None
        may_read = bool(self._reader) and hmac.compare_digest(token, self._reader) and method in READING
        return None if may_read else NO_TOKEN

    def refusal_of_stranger(self, method: str, headers: Mapping[str, str]) -> RefusedRequest | None:
        """Return why a request is refused, whatever its token may be."""
        host = headers.get("host", "")
        if _name_in(host) not in OWN_NAMES:
            return WRONG_HOST
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return WRONG_ORIGIN
        return None if method in self._methods else READ_ONLY


def _name_in(host: str) -> str | None:
    """Return the name in the value of ``Host``, without its port.

    >>> _name_in("[::1]:80"), _name_in("localhost"), _name_in("a@localhost"), _name_in("localhost:x")
    ('::1', 'localhost', None, None)
    """
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None
