"""Hosts from words: what is meant, and what cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from fedfutures_launcher.hosts.spec import BadHosts
from fedfutures_launcher.hosts.words import from_word, is_address


@pytest.mark.parametrize(("word", "host", "user", "port"), [
    ("a", "a", None, None),
    ("a.b-c_d.org", "a.b-c_d.org", None, None),
    ("ann@a:22", "a", "ann", 22),
    ("LAB\\ann@a", "a", "LAB\\ann", None),
    ("ann@realm.org@a", "a", "ann@realm.org", None),
    ("127.0.0.1:2222", "127.0.0.1", None, 2222),
    ("::1", "::1", None, None),
    ("fe80::1%eth0", "fe80::1%eth0", None, None),
    ("ann@[2001:db8::1]:2222", "2001:db8::1", "ann", 2222),
    ("[::1]", "::1", None, None),
])  # fmt: skip
def test_words(word: str, host: str, user: str | None, port: int | None) -> None:
    spec = from_word(word)
    assert (spec.host, spec.user, spec.port) == (host, user, port)
    assert from_word(spec.word) == spec


@pytest.mark.parametrize("word", [
    "", "-oProxyCommand=sh", "a b", "a;b", "a$(b)", "@a", "-l@a", "a:", "a:0", "a:65536", "a:b", "a:٣", "[a]:22",
    "[::1", "[::1]22", "a\nb", "a,b", "a-", "::1%;x", "a/b",
])  # fmt: skip
def test_words_that_are_no_hosts(word: str) -> None:
    with pytest.raises(BadHosts, match="host "):
        from_word(word)


@given(st.text(max_size=20))
def test_no_word_is_an_option_or_breaks_a_line(word: str) -> None:
    try:
        spec = from_word(word)
    except BadHosts:
        return
    for part in filter(None, (spec.host, spec.user)):
        assert part[0] not in "-/~"
        assert part.isprintable()
        assert not set(part) & set(" ;&|$`\"'()<>*?!{}")


def test_addresses() -> None:
    assert is_address("10.0.0.1")
    assert is_address("::1", 6)
    assert not is_address("10.0.0.1", 6)
    assert not is_address("node1")
