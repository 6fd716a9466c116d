"""Tests of what is said to ssh and read from it."""
