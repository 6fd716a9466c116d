"""How much tests try: a third of what shows most in `make pure`, all of it in `make gate`."""

from hypothesis import settings

EXAMPLES = 60
"""What the numbers in tests are meant for."""


def scaled(count: int) -> int:
    """Return how many examples, seeds or searches of a test there are to be; `count` of them are thorough."""
    return max(1, count * settings.default.max_examples // EXAMPLES)


def deeper() -> int:
    """Return how many steps deeper searches go: 1 where tests are to be thorough, else 0."""
    return int(settings.default.max_examples >= EXAMPLES)
