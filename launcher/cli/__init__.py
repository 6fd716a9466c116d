"""The command line: options, the program, what is said before it begins, and how it ends."""
