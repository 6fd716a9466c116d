"""The server of a page: what it answers to which request, with Starlette."""

from __future__ import annotations

import importlib.resources
import json
import secrets
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fedfutures.errors import StartFailed
from fedfutures.seeing import runs
from fedfutures.seeing.page_links import LinkKeys, token_of

from .feed import PageFeed
from .guard import NO_TOKEN, RefusedRequest, RequestGuard

_HEADERS = {
    "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}  # fmt: skip
_POLICY = (
    "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class GuardedApp:
    """Refuses what the guard refuses, whatever path it is for; only ``/`` with a key needs no token."""

    def __init__(self, app: ASGIApp, guard: RequestGuard, keys: LinkKeys) -> None:
        self._app, self._guard, self._keys = app, guard, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a WebSocket: there is none here
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(Request(scope))
        if refusal is not None:
            await PlainTextResponse(refusal.text + "\n", refusal.status, _HEADERS)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> RefusedRequest | None:
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if request.url.path == "/" and request.method == "GET":
            found = self._guard.refusal_of_stranger(request.method, headers)
            if found is None and not self._keys.redeem(request.query_params.get("key", "")):
                found = NO_TOKEN
            return found
        return self._guard.refusal(request.method, headers)


def app_for(feed: PageFeed, secret: bytes, reader: str = "", *, controls: bool = False) -> ASGIApp:
    """Return the server's application; `reader`: the token of programs that only read; `controls`: it ends Futures."""
    pages = PageAnswers(feed, secret, controls)
    routes = [
        Route("/", pages.page), Route("/api/run", pages.run), Route("/api/spans", pages.spans),
        Route("/api/future/{number:int}", pages.future), Route("/metrics", pages.metrics),
    ]  # fmt: skip
    if controls:
        routes.append(Route("/api/future/{number:int}/cancel", pages.cancel, methods=["POST"]))
    return GuardedApp(Starlette(routes=routes), RequestGuard(pages.token, controls=controls, reader=reader), pages.keys)


class PageAnswers:
    """One method for each path."""

    def __init__(self, feed: PageFeed, secret: bytes, controls: bool) -> None:
        self.keys, self.token = LinkKeys(secret), token_of(secret)
        self._feed, self._controls = feed, controls
        files = importlib.resources.files(__package__)
        self._parts = {name: (files / f"page.{name}").read_text("utf-8") for name in ("html", "css", "js")}

    async def page(self, request: Request) -> Response:
        """Return the page. It holds the token, and the key of the next visit, so that it can be loaded again."""
        nonce = secrets.token_urlsafe(16)
        facts = json.dumps({"token": self.token, "key": self.keys.mint(), "controls": self._controls})
        text = self._parts["html"]
        for name, value in (
            ("STYLE", self._parts["css"]), ("SCRIPT", self._parts["js"]), ("FACTS", facts), ("NONCE", nonce),
        ):  # fmt: skip
            text = text.replace(f"@{name}@", value)
        return HTMLResponse(text, headers={**_HEADERS, "Content-Security-Policy": _POLICY.format(nonce)})

    async def run(self, request: Request) -> Response:
        """Return all but the spans."""
        return await self._locked(lambda: self._feed.state.shown_run())

    async def spans(self, request: Request) -> Response:
        """Return the spans of some rows."""
        given = request.query_params
        try:
            begin, end = float(given.get("begin", "0")), float(given.get("end", "1"))
            columns, first, rows = (int(given.get(name, "100")) for name in ("columns", "first", "rows"))
            if not (begin < end < 1e12 and begin > -1e12):
                raise ValueError("no such times")
        except ValueError as error:
            return PlainTextResponse(f"bad request: {error}\n", 400, _HEADERS)
        wanted = given.get("wanted", "")
        return await self._locked(lambda: self._feed.state.shown_spans(begin, end, columns, first, rows, wanted))

    async def future(self, request: Request) -> Response:
        """Return what is known of a Future, with its stack if it runs."""
        number = request.path_params["number"]
        stack = await run_in_threadpool(self._feed.stack_of, number)
        return await self._locked(lambda: self._feed.state.shown_future(number, stack))

    async def metrics(self, request: Request) -> Response:
        """Return the figures in the text format of Prometheus."""
        from .metrics import KIND, text_of

        def text() -> bytes:
            with self._feed.lock:
                return text_of(self._feed.state)

        return Response(await run_in_threadpool(text), media_type=KIND, headers=_HEADERS)

    async def cancel(self, request: Request) -> Response:
        """End a Future."""
        try:
            await run_in_threadpool(runs.cancel, self._feed.path, request.path_params["number"])
        except StartFailed as error:
            return PlainTextResponse(f"{error.summary}\n", 409, _HEADERS)
        return PlainTextResponse("It was told to end.\n", 202, _HEADERS)

    async def _locked(self, answer: Callable[[], Any]) -> Response:
        """Return data as JSON; in a thread, for there may be much of it."""

        def text() -> str:
            with self._feed.lock:
                found = answer()
            return json.dumps(found, separators=(",", ":"))

        return Response(await run_in_threadpool(text), media_type="application/json", headers=_HEADERS)
