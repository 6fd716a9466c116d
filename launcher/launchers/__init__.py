"""Launchers: the commands that start a host process on another host, where ssh is not the way. See docs/hosts.rst."""
