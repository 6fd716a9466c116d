"""The rules of a host process: what it starts, replaces and gives up, and which Brokers a host has. Pure."""
