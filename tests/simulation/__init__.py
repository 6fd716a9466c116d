"""The simulator: that it is deterministic, that its network is as bad as it should be, and that its laws bite."""
