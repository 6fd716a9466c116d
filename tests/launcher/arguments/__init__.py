"""Tests of the words of a command line."""
