"""The program's modules as a Future is to see them: which they are, what a function reaches of them, how it travels."""
