"""A page's server, of a recorded run, and what asks it by plain HTTP. It takes what serves pages: skip first."""

from __future__ import annotations

import http.client
import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recorded import RecordedRun, news_of

from fedfutures.seeing.page_links import link

SECRET = b"s" * 32
SECONDS = 30.0


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


class Served:
    """A server in a thread, of a recorded run of so many Futures."""

    def __init__(self, directory: Path, futures: int, *, controls: bool = False) -> None:
        from fedfutures_launcher.page.serving import opened, server_of

        self.run = RecordedRun(directory, news_of(futures), futures)
        self._door = opened(0)
        self._server = server_of(self.run.path, SECRET, controls=controls)
        self._thread = threading.Thread(target=self._server.run, args=([self._door],))
        self._thread.start()
        self.page = self.link()

    def link(self) -> Page:
        """Return the page by a new link."""
        return Page(link(self._door.getsockname()[1], SECRET))

    def end(self) -> None:
        """End the server, and the run."""
        self._server.should_exit = True
        self._thread.join(SECONDS)
        self.run.close()
        self._door.close()
