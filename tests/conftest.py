"""What all tests share: how hypothesis works here, and the laboratories."""

from hypothesis import settings
from lab.fixtures import one_network, rootless, two_sites

__all__ = ["one_network", "rootless", "two_sites"]

# No deadline for one example: tests run on busy machines, and bounds of time have tests of their own.
settings.register_profile("fedfutures", deadline=None, print_blob=True)
settings.load_profile("fedfutures")
