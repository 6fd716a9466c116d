"""The constants that a Federation shares (``fedfutures.shared``), as one node knows them."""

from __future__ import annotations

from typing import Any

from ..node import events as rules
from ..wire.payload import Payloads
from ..wire.written import Written
from .driver import Driver
from .files import CONSTANT, with_digest


class Constants:
    """The values by name: pickled, and sealed where the Federation seals."""

    def __init__(self, driver: Driver, payloads: Payloads) -> None:
        self._driver, self._payloads = driver, payloads
        self.known: dict[str, bytes] = {}

    def on_shared(self, action: rules.Shared) -> None:
        """Another node has shared a constant."""
        self.known[action.name] = action.body

    def share(self, name: str, value: Any) -> None:
        """Make `value` known to every node under `name`."""
        driver, seal = self._driver, self._payloads.seal
        if seal is not None and name.startswith(CONSTANT):
            value = with_digest(value)
        body = self._payloads.dump(value, Written())  # its segments stay: others will load it at any time
        if seal is not None:
            body = seal.stamp_of_constant(name).seal(0, body)
        with driver.lock:
            self.known[name] = body
            driver.step(rules.Share(name, body))
        driver.service()
