"""Where a standing Federation lets in who comes by TCP, and the address that others type."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures.standing.places import StandingPlace
from fedfutures.standing.status import Status
from fedfutures_launcher.connector.listening import address_of, allowed, listen_of, server_key
from fedfutures_launcher.launchers.keeper_visit import far_place
from fedfutures_launcher.ssh.own_keys import AllowedKeys, loaded, made, public_line

KEY = "SHA256:" + "k" * 43


@pytest.fixture
def place(tmp_path: Path) -> StandingPlace:
    return StandingPlace("lab", str(tmp_path / "fedfutures" / "here"))


def status_of(listen: dict[str, object]) -> Status:
    return Status("lab", 1, "login", 0.0, "/door", request={"listen": listen})


@pytest.mark.parametrize(
    ("word", "address", "port"), [("7070", "", 7070), ("10.0.0.1:1", "10.0.0.1", 1), ("[::1]:65535", "::1", 65535)]
)
def test_where_it_listens_and_with_which_key(place: StandingPlace, word: str, address: str, port: int) -> None:
    first, again = listen_of(place, word), listen_of(place, word)
    assert (first["address"], first["port"], first["place"]) == (address, port, place.path)
    assert first["key"].startswith("SHA256:")
    assert again == first, "the address stays the same when the Federation is started again"
    assert loaded(server_key(place))


@pytest.mark.parametrize("word", ["", "0", "65536", "login", "login:", "1.2.3.4:x", "-1", "7070 "])
def test_what_is_no_port(place: StandingPlace, word: str) -> None:
    with pytest.raises(ValueError, match=r"write PORT or ADDRESS:PORT"):
        listen_of(place, word)


@pytest.mark.parametrize(
    ("address", "host"),
    [("", "login"), ("0.0.0.0", "login"), ("::", "login"), ("10.0.0.1", "10.0.0.1"), ("::1", "::1")],
)
def test_the_address_that_others_type_is_read_again(address: str, host: str) -> None:
    word = address_of(status_of({"address": address, "port": 7070, "key": KEY, "place": "/p"}))
    found = far_place(word)
    assert (found.target.host, found.target.port, found.target.user, found.name, found.key) == (
        host, 7070, "lab", "lab", KEY,
    )  # fmt: skip


def test_one_that_does_not_listen_has_no_address() -> None:
    assert address_of(Status("lab", 1, "login", 0.0, "/door")) == ""
    assert allowed(Status("lab", 1, "login", 0.0, "/door")) == []


def test_who_may_come_is_shown_by_fingerprint_and_comment(place: StandingPlace, tmp_path: Path) -> None:
    listen = listen_of(place, "7070")
    assert allowed(status_of(listen)) == []
    made(str(tmp_path / "key"))
    kind, key, _ = public_line(loaded(str(tmp_path / "key"))).split()
    AllowedKeys(place.path).add(f"{kind} {key} ann at work")
    (shown,) = allowed(status_of(listen))
    assert shown.startswith("SHA256:")
    assert shown.endswith(" ann at work")
    Path(place.path, "allowed").write_text("nonsense\n")
    assert "is no public key" in allowed(status_of(listen))[0]
