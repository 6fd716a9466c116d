"""The rules of a host that is reached by ssh: what it said, what follows, how links come up. Pure."""
