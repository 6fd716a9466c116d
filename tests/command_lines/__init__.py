"""Finds the command lines of pages, docstrings and messages, and says what is wrong with them."""
