"""Who may ask a page's server for what (T19): whatever the path, and by whatever method."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from fedfutures_launcher.page.guard import NO_TOKEN, READ_ONLY, WRONG_HOST, WRONG_ORIGIN, RefusedRequest, RequestGuard

GOOD = {"host": "127.0.0.1:8000", "authorization": "Bearer token"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "FOO")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "localhost", "LOCALHOST:1", "[::1]:8000"])
def test_who_has_the_token_may_read(host: str) -> None:
    for method in ("GET", "HEAD"):
        assert RequestGuard("token", controls=False).refusal(method, GOOD | {"host": host}) is None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost@evil.example",
             "evil/localhost", "localhost:x", "0.0.0.0", "127.0.0.2", "localhost, evil.example", "[::1",
             "localhost:99999"]
)  # fmt: skip
def test_another_host_is_refused_on_every_method(method: str, host: str) -> None:
    for controls in (False, True):
        assert RequestGuard("token", controls=controls).refusal(method, GOOD | {"host": host}) == WRONG_HOST


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:8000", "http://127.0.0.1:8001", "http://localhost:8000"],
)
def test_another_page_is_refused_on_every_method(method: str, origin: str) -> None:
    assert RequestGuard("token", controls=True).refusal(method, GOOD | {"origin": origin}) == WRONG_ORIGIN


def test_the_page_itself_is_no_other_page() -> None:
    assert RequestGuard("token", controls=False).refusal("GET", GOOD | {"origin": "http://127.0.0.1:8000"}) is None


@pytest.mark.parametrize("method", [one for one in METHODS if one not in ("GET", "HEAD")])
def test_it_only_reads(method: str) -> None:
    assert RequestGuard("token", controls=False).refusal(method, GOOD) == READ_ONLY
    assert RequestGuard("token", controls=True).refusal(method, GOOD) == (None if method == "POST" else READ_ONLY)


def test_the_token_of_programs_only_reads() -> None:
    guard = RequestGuard("token", controls=True, reader="reader")
    good = GOOD | {"authorization": "Bearer reader"}
    assert [guard.refusal(method, good) for method in ("GET", "HEAD", "POST")] == [None, None, NO_TOKEN]
    assert guard.refusal("GET", GOOD | {"authorization": "Bearer "}) == NO_TOKEN


@given(strategies.text(max_size=40))
def test_no_other_token_is_one(text: str) -> None:
    guard = RequestGuard("token", controls=True)
    for given_token in (text, f"Bearer {text}", f"Basic {text}", f"bearer token{text}x"):
        found = guard.refusal("GET", GOOD | {"authorization": given_token})
        assert found == NO_TOKEN or given_token.split() in (["Bearer", "token"], ["bearer", "token"])
    assert guard.refusal("GET", {"host": "localhost"}) == NO_TOKEN


@given(
    strategies.sampled_from(METHODS),
    strategies.dictionaries(strategies.sampled_from(["host", "origin", "x"]), strategies.text(max_size=30)),
)  # fmt: skip
def test_nothing_is_answered_without_the_token(method: str, headers: dict[str, str]) -> None:
    assert isinstance(RequestGuard("token", controls=True).refusal(method, headers), RefusedRequest)
