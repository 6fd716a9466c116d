"""A link opens a page once, and only one that who shares the secret has made."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from fedfutures.seeing import page_links
from fedfutures.seeing.page_links import LinkKeys, link, minted, token_of

SECRET = b"s" * 32


def test_a_key_opens_once() -> None:
    keys = LinkKeys(SECRET)
    first, second = keys.mint(), minted(SECRET)
    assert first != second
    assert [keys.redeem(key) for key in (first, second, first, second)] == [True, True, False, False]


@given(strategies.text(max_size=100))
def test_no_other_text_opens(text: str) -> None:
    assert not LinkKeys(SECRET).redeem(text)


def test_a_key_for_another_number_does_not_open() -> None:
    number, _, proof = minted(SECRET).partition("-")
    assert not LinkKeys(SECRET).redeem(f"{number}0-{proof}")
    assert not LinkKeys(b"other").redeem(f"{number}-{proof}")


def test_after_very_many_visits_it_opens_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_links, "USED_AT_MOST", 2)
    keys = LinkKeys(SECRET)
    assert [keys.redeem(keys.mint()) for _ in range(3)] == [True, True, False]


def test_the_token_is_in_no_link() -> None:
    address = link(8000, SECRET)
    assert address.startswith("http://127.0.0.1:8000/?key=")
    assert token_of(SECRET) not in address
    assert SECRET.hex() not in address
    assert LinkKeys(SECRET).redeem(address.partition("=")[2])
