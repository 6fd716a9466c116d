"""A page's server, and what asks it by plain HTTP."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Page:
    """A page that is served; `address`: a link that was not used yet."""

    address: str
    token: str = ""
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(urlsplit(self.address).port or 0)

    def open(self) -> None:
        """Use the link, as a browser does."""
        status, self.headers, self.text = self.ask(self.address.partition(str(self.port))[2], token="")
        assert status == 200, self.text
        found = re.search(r'id="facts">(\{.*?\})</script>', self.text)
        assert found is not None
        self.token = json.loads(found[1])["token"]

    def ask(
        self, path: str, *, method: str = "GET", token: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:  # fmt: skip
        """Return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20.0)
        try:
            used = self.token if token is None else token
            given = {"Authorization": f"Bearer {used}"} if used else {}
            connection.putrequest(method, path, skip_host="Host" in (headers or {}))
            for name, value in {**given, **(headers or {})}.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        """Return data."""
        status, _, text = self.ask(path)
        assert status == 200, text
        return json.loads(text)
