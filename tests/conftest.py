"""What all tests share: how hypothesis works here."""

from hypothesis import settings

# No deadline for one example: tests run on busy machines, and bounds of time have tests of their own.
settings.register_profile("fedfutures", deadline=None, print_blob=True)
settings.load_profile("fedfutures")
