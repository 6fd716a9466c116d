"""What all laws have in common."""

from __future__ import annotations

import pytest

from fedfutures.simulation.law import Law, LawOfTheEnd
from fedfutures.simulation.records import LawBroken

from .cases import Case, is_broken


def test_a_law_says_when_and_why_it_is_broken() -> None:
    with pytest.raises(LawBroken, match=r"^seed 1, t = 1\.\d+:  Law: why$"):
        Case().law(Law).require(False, "why")


def test_a_law_of_the_end_is_broken_by_what_is_left() -> None:
    class Left(LawOfTheEnd):
        code, found = "X", ""

        def leftovers(self) -> str:
            return self.found

    law = Case().law(Left)
    assert not is_broken(law, law.ends)
    Left.found = "something"
    assert is_broken(law, law.ends)
