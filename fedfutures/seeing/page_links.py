"""Links that open a page once. Pure, but for the dice.

The program and the page's process share a secret. A link has a number that was not used before and its HMAC, so the
program makes as many as the user wants without asking the page's process, and that opens for each of them once.

>>> keys = LinkKeys(b"a secret")
>>> key = minted(b"a secret")
>>> keys.redeem(key), keys.redeem(key), keys.redeem(minted(b"another secret")), keys.redeem("nonsense")
(True, False, False, False)
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

SECRET_BYTES = 32
_NUMBER_BYTES = 12
USED_AT_MOST = 100_000
"""After so many visits the page opens for nobody: it does not forget which links were used."""


def minted(secret: bytes) -> str:
    """Return a key that opens once."""
    number = secrets.token_hex(_NUMBER_BYTES)
    return f"{number}-{_proof(secret, number)}"


def _proof(secret: bytes, number: str) -> str:
    return hmac.new(secret, b"page:" + number.encode(), hashlib.sha256).hexdigest()


def token_of(secret: bytes) -> str:
    """Return what the page itself shows with each request, as ``Authorization: Bearer``; no link has it."""
    return hmac.new(secret, b"token", hashlib.sha256).hexdigest()


def link(port: int, secret: bytes) -> str:
    """Return the address of a page on this machine, with a key."""
    return f"http://127.0.0.1:{port}/?key={minted(secret)}"


class LinkKeys:
    """Which keys were used."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._used: set[str] = set()

    def mint(self) -> str:
        """Return a key that opens once."""
        return minted(self._secret)

    def redeem(self, key: str) -> bool:
        """Return whether a key opens now."""
        number, _, proof = key.partition("-")
        if not key.isascii() or not hmac.compare_digest(proof, _proof(self._secret, number)):
            return False
        if number in self._used or len(self._used) >= USED_AT_MOST:
            return False
        self._used.add(number)
        return True
