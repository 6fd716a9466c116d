"""Tests of the rules of hosts that are reached by ssh."""
