"""What becomes of outcomes that somebody on their way forges: other bytes, those of another Future, another kind."""

from __future__ import annotations

from random import Random

from ..wire.messages import ERROR, VALUE, Results
from .frames import Frame


class Forger:
    """Somebody on one link, who alters the outcomes of one message."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._way = dice.choice(["bytes", "place", "kind"])
        self._earlier = b""  # an outcome of another Future

    def forge(self, frame: Frame) -> Frame | None:
        """Return a frame with one outcome forged; None if it has none that is a value or an error."""
        for index, (sequence, acknowledged, message) in enumerate(frame):
            if type(message) is Results and all(kind == ERROR for _, kind in message.odd):
                if self._way == "place" and not self._earlier:
                    self._earlier = message.outcomes[0]
                    return None
                return [*frame[:index], (sequence, acknowledged, self._altered(message)), *frame[index + 1 :]]
        return None

    def _altered(self, results: Results) -> Results:
        outcomes, kinds = list(results.outcomes), dict(results.odd)
        at = self._dice.randrange(len(outcomes))
        if self._way == "place":
            outcomes[at] = self._earlier
        elif self._way == "kind":
            number = results.ids[at]
            kinds[number] = VALUE if kinds.get(number) == ERROR else ERROR
        else:
            outcomes[at] = bytes([outcomes[at][0] ^ 1]) + outcomes[at][1:]
        odd = [(number, kind) for number, kind in kinds.items() if kind != VALUE]
        return Results(
            results.piece, results.attempt, results.ids, outcomes, odd, results.seconds, results.count, results.facts
        )
