"""Tests of the rules of nodes."""
