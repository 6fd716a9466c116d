"""What is said where something else than a function was given."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.program.callables import not_callable, shown


async def coroutine() -> None:
    """Never awaited."""


class Odd:
    def __repr__(self) -> str:
        raise ValueError("not to be shown")


def test_a_coroutine_is_closed_and_other_advice_given() -> None:
    made = coroutine()
    assert "asyncio.run(f())" in str(not_callable("submit", made))
    with pytest.raises(RuntimeError, match="cannot reuse"):
        made.send(None)


@pytest.mark.parametrize(("name", "meant"), [("map", "map(f, items)"), ("group", "group(f, ...)")])
def test_the_advice_names_the_function_that_was_called(name: str, meant: str) -> None:
    assert meant in str(not_callable(name, 4))


@pytest.mark.parametrize(("value", "text"), [(None, "None"), ("a\nb", "str 'a\\nb'"), (Odd(), "Odd")])
def test_values_are_shown_in_one_line(value: Any, text: str) -> None:
    assert shown(value) == text


def test_long_values_are_cut() -> None:
    assert shown(list(range(1000))).endswith("...")
