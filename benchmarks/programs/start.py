"""The shortest launched program: one Future, its result, the end. Its whole process is timed."""

from fedfutures import futures


def answer() -> int:
    """What there is to compute."""
    return 42


if __name__ == "__main__":
    assert futures.submit(answer).result() == 42
