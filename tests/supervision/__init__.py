"""Tests of the rules of a host process."""
