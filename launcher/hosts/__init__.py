"""Which hosts a run has: from words, a host file or the environment of a batch scheduler to a checked list."""
