"""The launcher: from a command line to a running program with a Federation under it."""
